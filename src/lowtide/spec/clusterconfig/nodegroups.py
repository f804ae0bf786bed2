"""Node groups of a ClusterConfig, self-managed and managed, with eksctl's defaults.

``resolve`` reads the properties here and never repeats a default. Traps that stay as eksctl has them: no sizes at all
mean two nodes; ``minSize: 0`` alone means ``maxSize: 0``; an ``instancesDistribution`` without
``onDemandPercentageAboveBaseCapacity`` is all on-demand, with ``lowest-price`` as its spot strategy; nodes are public.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Strict, Tag

from lowtide.model.kube import Taint
from lowtide.spec.clusterconfig import facts
from lowtide.spec.clusterconfig.section import (
    Arns,
    AtLeastOne,
    Count,
    FreeForm,
    Labels,
    Percent,
    ResourceName,
    Section,
    Tags,
    Texts,
    label_value,
    not_supported,
    omitted,
    qualified_name,
    unsupported,
    whole_number,
    wrong,
)

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class Sizes(NamedTuple):
    """Nodes of a group; ``desired`` is what it starts with."""

    minimum: int
    maximum: int
    desired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RootVolume:
    """The root volume; ``encrypted`` None leaves it to the image, iops and throughput None to EBS."""

    gib: int
    type: str
    iops: int | None
    throughput_mib: int | None
    encrypted: bool | None
    kms_key_id: str
    device: str


class AddonPolicies(Section):
    """IAM policies for the role of the nodes."""

    auto_scaler: bool = False
    image_builder: bool = False
    external_dns: bool = False
    cert_manager: bool = False
    ebs: bool = False
    fsx: bool = False
    efs: bool = False
    aws_load_balancer_controller: bool = Field(default=False, alias="awsLoadBalancerController")
    alb_ingress: bool = False
    x_ray: bool = False
    cloud_watch: bool = False
    app_mesh: bool = False
    app_mesh_preview: bool = False

    @property
    def enabled(self) -> tuple[str, ...]:
        """Keys of the policies that are switched on."""
        fields = type(self).model_fields
        return tuple(str(one.alias) for name, one in fields.items() if getattr(self, name))


class NodeGroupIam(Section):
    """``iam`` of a node group: the role and profile of its nodes."""

    with_addon_policies: AddonPolicies = omitted(AddonPolicies)
    attach_policy: FreeForm | None = None
    attach_policy_arns: Arns = Field(default=(), alias="attachPolicyARNs")
    instance_profile_arn: str = ""
    instance_role_arn: str = ""
    instance_role_name: str = ""
    instance_role_permissions_boundary: str = ""


class Ssh(Section):
    """``ssh``: access to the nodes' shells; giving a key switches it on."""

    allow: bool | None = None
    public_key: str = ""
    public_key_path: str = ""
    public_key_name: str = ""
    source_security_group_ids: Texts = Field(default=(), alias="sourceSecurityGroupIds")
    enable_ssm: bool = Field(default=True, alias="enableSsm")


class SecurityGroups(Section):
    """Security groups of the nodes."""

    attach_ids: Texts = Field(default=(), alias="attachIDs")
    with_shared: bool | None = None
    with_local: bool | None = None


class AdditionalVolume(Section):
    """A data volume beside the root volume."""

    volume_name: str = ""
    volume_size: AtLeastOne = 80
    volume_type: Literal["gp2", "gp3", "io1", "io2", "sc1", "st1"] = "gp3"
    volume_iops: Count | None = None
    volume_throughput: Count | None = None
    volume_encrypted: bool | None = None
    volume_kms_key_id: str = ""
    snapshot_id: str = ""


class TaintRow(Section):
    """A taint as Kubernetes writes it."""

    key: Annotated[str, AfterValidator(qualified_name)]
    value: Annotated[str, AfterValidator(label_value)] = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


def _taint_from_entry(text: str) -> str:
    value, _, effect = text.rpartition(":")
    if effect not in _EFFECTS or ":" in value:
        forms = "write VALUE:EFFECT, :EFFECT or EFFECT with one of " + ", ".join(_EFFECTS)
        raise wrong(f"{text!r} is no taint", forms)
    label_value(value)
    return text


def _some(entries: dict[str, str]) -> dict[str, str]:
    if not entries:
        raise not_supported("an empty mapping", "remove the key")
    return entries


def _taints_form(value: Any) -> str:
    return "mapping" if isinstance(value, dict) else "list"


_TaintRows = Annotated[tuple[TaintRow, ...], Strict(strict=False)]
_TaintEntries = Annotated[
    dict[
        Annotated[str, AfterValidator(qualified_name)],
        Annotated[str, AfterValidator(_taint_from_entry)],
    ],
    AfterValidator(_some),
]
#: ``[{key, value, effect}]`` or ``{key: "value:Effect"}``, as eksctl's taintsWrapper takes both.
_Taints = Annotated[
    Annotated[_TaintEntries, Tag("mapping")] | Annotated[_TaintRows, Tag("list")],
    Discriminator(_taints_form),
]


class CapacityReservationTarget(Section):
    """One reservation, or a group of them."""

    capacity_reservation_id: str | None = None
    capacity_reservation_resource_group_arn: str | None = None


class CapacityReservation(Section):
    """``capacityReservation``: launch into capacity that was paid for beforehand."""

    capacity_reservation_preference: Literal["open", "none"] | None = None
    capacity_reservation_target: CapacityReservationTarget | None = None


class InstanceMarketOptions(Section):
    """``instanceMarketOptions``: capacity blocks for machine learning."""

    market_type: Literal["capacity-block"] | None = None


class Placement(Section):
    """``placement``: a placement group."""

    group_name: str = Field(min_length=1)

    not_supported: ClassVar = {"spreadLevel": "no Outposts"}


class Bottlerocket(Section):
    """``bottlerocket``: settings of the operating system."""

    enable_admin_container: bool | None = None
    settings: FreeForm = Field(default_factory=dict)


def _ami_family(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    by_lower = {family.lower(): family for family in facts.AMI_FAMILIES + facts.WINDOWS_FAMILIES}
    family = by_lower.get(value.lower(), value)
    if family in facts.WINDOWS_FAMILIES:
        raise not_supported(f"{family} (no Windows)", "use AmazonLinux2023")
    return family


_AmiFamily = Annotated[
    Literal[
        "AmazonLinux2023",
        "AmazonLinux2",
        "Bottlerocket",
        "BottlerocketFips",
        "UbuntuPro2604",
        "Ubuntu2604",
        "UbuntuPro2404",
        "Ubuntu2404",
        "UbuntuPro2204",
        "Ubuntu2204",
        "UbuntuPro2004",
        "Ubuntu2004",
    ],
    BeforeValidator(_ami_family),
]
_BASE_UNSUPPORTED = {
    "instanceSelector": "write the instance types out",
    "outpostARN": "no Outposts",
}


class _Group(Section):
    """What self-managed and managed groups have in common."""

    name: ResourceName
    instance_type: str = ""
    min_size: Count | None = None
    max_size: Count | None = None
    desired_capacity: Count | None = None
    availability_zones: Texts = ()
    subnets: Texts = ()
    private_networking: bool = False
    labels: Labels = Field(default_factory=dict)
    tags: Tags = Field(default_factory=dict)
    propagate_asg_tags: bool = False
    iam: NodeGroupIam = omitted(NodeGroupIam)
    ami: str = ""
    ami_family_given: _AmiFamily | None = Field(default=None, alias="amiFamily")
    volume_size: AtLeastOne = 80
    volume_type: Literal["gp2", "gp3", "io1", "io2", "sc1", "st1"] = "gp3"
    volume_iops: Count | None = None
    volume_throughput: Count | None = None
    volume_name: str = ""
    volume_encrypted: bool | None = None
    volume_kms_key_id: str = ""
    additional_volumes: Annotated[tuple[AdditionalVolume, ...], Strict(strict=False)] = ()
    ssh: Ssh = omitted(Ssh)
    security_groups: SecurityGroups = omitted(SecurityGroups)
    disable_imdsv1: bool = True
    disable_pod_imds: bool = False
    asg_suspend_processes: Annotated[
        tuple[
            Literal[
                "Launch",
                "Terminate",
                "AddToLoadBalancer",
                "AlarmNotification",
                "AZRebalance",
                "HealthCheck",
                "InstanceRefresh",
                "ReplaceUnhealthy",
                "ScheduledActions",
            ],
            ...,
        ],
        Strict(strict=False),
    ] = ()
    max_pods_per_node: Count = 0
    pre_bootstrap_commands: Texts = ()
    override_bootstrap_command: str | None = None
    bottlerocket: Bottlerocket | None = None
    ebs_optimized: bool | None = None
    enable_detailed_monitoring: bool = False
    efa_enabled: bool = False
    placement: Placement | None = None
    instance_name: str = ""
    instance_prefix: str = ""
    capacity_reservation: CapacityReservation | None = None
    instance_market_options: InstanceMarketOptions | None = None

    def given(self, attribute: str) -> bool:
        """Return whether the file has this key, as opposed to eksctl's default."""
        return attribute in self.model_fields_set

    @property
    def ami_family(self) -> str:
        """AMI family, AmazonLinux2023 when omitted."""
        return self.ami_family_given or facts.DEFAULT_AMI_FAMILY

    @property
    def is_custom_ami(self) -> bool:
        """Whether one image is named, as opposed to a way to find one."""
        return self.ami.startswith("ami-")

    @property
    def volume(self) -> RootVolume:
        """The root volume with eksctl's values for everything omitted."""
        iops = self.volume_iops
        if iops is None and self.volume_type in facts.VOLUME_IOPS:
            iops = facts.VOLUME_IOPS[self.volume_type][0]
        throughput = self.volume_throughput
        if throughput is None and self.volume_type == "gp3":
            throughput = facts.GP3_THROUGHPUT_MIB[0]
        return RootVolume(
            gib=self.volume_size,
            type=self.volume_type,
            iops=iops,
            throughput_mib=throughput,
            encrypted=self.volume_encrypted,
            kms_key_id=self.volume_kms_key_id,
            device=self.volume_name,
        )

    @property
    def has_autoscaler_policy(self) -> bool:
        """Whether the nodes' role may drive the autoscaler; eksctl writes the discovery tags only then."""
        return self.iam.with_addon_policies.auto_scaler

    def zones_or(self, cluster_zones: tuple[str, ...]) -> tuple[str, ...]:
        """Return the zones of the group, the cluster's when it names none."""
        return self.availability_zones or cluster_zones

    @property
    def _minimum(self) -> int:
        if self.min_size is not None:
            return self.min_size
        desired = self.desired_capacity
        return facts.DEFAULT_NODE_COUNT if desired is None else desired

    @property
    def _maximum(self) -> int:
        if self.max_size is not None:
            return self.max_size
        return self._minimum if self.desired_capacity is None else self.desired_capacity


def _strategy(value: Any) -> Any:
    if value == facts.FLEET_STRATEGY:
        what = "diversified (EC2 fleets have it, Auto Scaling groups refuse it)"
        raise not_supported(what, "use price-capacity-optimized")
    return value


class InstancesDistribution(Section):
    """``instancesDistribution``: several types, spot and on-demand, in one group."""

    instance_types: Annotated[tuple[str, ...], Strict(strict=False), Field(min_length=1)]
    on_demand_base_capacity: Count = 0
    on_demand_percentage_above_base_capacity: Percent = 100
    spot_instance_pools: (
        Annotated[int, Field(ge=1, le=20), BeforeValidator(whole_number)] | None
    ) = None
    spot_allocation_strategy: Annotated[
        Literal[
            "lowest-price",
            "capacity-optimized",
            "capacity-optimized-prioritized",
            "price-capacity-optimized",
        ],
        BeforeValidator(_strategy),
    ] = "lowest-price"
    max_price: Annotated[float, Field(allow_inf_nan=False)] | None = None
    capacity_rebalance: bool = False


class MetricsCollection(Section):
    """Group metrics sent to CloudWatch."""

    granularity: str
    metrics: Texts = ()


class NodeGroup(_Group):
    """``nodeGroups[]``: a self-managed group, a launch template and an Auto Scaling group."""

    taints: _Taints = ()
    instances_distribution: InstancesDistribution | None = None
    asg_metrics_collection: Annotated[tuple[MetricsCollection, ...], Strict(strict=False)] = ()
    kubelet_extra_config: FreeForm | None = None
    cluster_dns: str = ""
    container_runtime: Literal["containerd"] = "containerd"
    cpu_credits: str | None = None
    max_instance_lifetime: (
        Annotated[int, Field(ge=facts.ONE_DAY_S), BeforeValidator(whole_number)] | None
    ) = None

    not_supported: ClassVar = {
        **_BASE_UNSUPPORTED,
        **unsupported("classicLoadBalancerNames", "enclaveEnabled", "targetGroupARNs"),
        "localZones": "no Local Zones",
        "updateConfig": "eksctl acts on it for managed groups alone",
    }

    @property
    def managed(self) -> bool:
        """Whether EKS manages the group."""
        return False

    @property
    def sizes(self) -> Sizes:
        """Minimum, maximum and desired nodes; desired is the minimum when omitted, as in AWS."""
        desired = self._minimum if self.desired_capacity is None else self.desired_capacity
        return Sizes(self._minimum, self._maximum, desired)

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Types in the file's order."""
        if self.instances_distribution is not None:
            return self.instances_distribution.instance_types
        return (self.instance_type or facts.DEFAULT_INSTANCE_TYPE,)

    @property
    def on_demand_base(self) -> int:
        """On-demand nodes before any share counts."""
        mixed = self.instances_distribution
        return mixed.on_demand_base_capacity if mixed else 0

    @property
    def on_demand_percent(self) -> int:
        """Percent of on-demand nodes above the base; 100 unless the file says otherwise."""
        mixed = self.instances_distribution
        return mixed.on_demand_percentage_above_base_capacity if mixed else 100

    @property
    def allocation_strategy(self) -> str:
        """How Auto Scaling picks a spot pool."""
        mixed = self.instances_distribution
        return mixed.spot_allocation_strategy if mixed else "lowest-price"

    @property
    def spot_instance_pools(self) -> int:
        """Number of pools for ``lowest-price`` (AWS's default is 2)."""
        mixed = self.instances_distribution
        return (mixed.spot_instance_pools if mixed else None) or 2

    @property
    def capacity_rebalance(self) -> bool:
        """Whether Auto Scaling replaces a spot instance that is likely to be interrupted."""
        mixed = self.instances_distribution
        return mixed.capacity_rebalance if mixed else False

    @property
    def max_price(self) -> float | None:
        """Highest spot price, USD per hour; None is the on-demand price."""
        mixed = self.instances_distribution
        return mixed.max_price if mixed else None

    @property
    def taint_list(self) -> tuple[Taint, ...]:
        """Taints, whichever form the file uses."""
        if isinstance(self.taints, dict):
            parts = ((key, *text.rpartition(":")) for key, text in self.taints.items())
            return tuple(Taint(key=key, value=value, effect=end) for key, value, _, end in parts)
        return _taints(self.taints)


class UpdateConfig(Section):
    """How many nodes EKS may replace at once."""

    max_unavailable: Count | None = None
    max_unavailable_percentage: Percent | None = None


class ManagedNodeGroup(_Group):
    """``managedNodeGroups[]``: a group that EKS makes and updates."""

    taints: _TaintRows = ()
    spot: bool = False
    given_types: Texts = Field(default=(), alias="instanceTypes")
    update_config: UpdateConfig | None = None

    not_supported: ClassVar = {
        **_BASE_UNSUPPORTED,
        **unsupported("launchTemplate", "nodeRepairConfig", "releaseVersion"),
    }

    @property
    def managed(self) -> bool:
        """Whether EKS manages the group."""
        return True

    @property
    def sizes(self) -> Sizes:
        """Minimum, maximum and desired nodes; unlike for self-managed groups a maximum of 0 becomes 1."""
        maximum = self._maximum
        if self.max_size is None and maximum == 0:
            maximum = 1
        desired = self._minimum if self.desired_capacity is None else self.desired_capacity
        return Sizes(self._minimum, maximum, desired)

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Types in the file's order."""
        return self.given_types or (self.instance_type or facts.DEFAULT_INSTANCE_TYPE,)

    @property
    def on_demand_base(self) -> int:
        """Always 0: a managed group is wholly one or the other."""
        return 0

    @property
    def on_demand_percent(self) -> int:
        """0 for spot, else 100."""
        return 0 if self.spot else 100

    @property
    def allocation_strategy(self) -> str:
        """What EKS sets for spot (EKS user guide, "Managed node group capacity types")."""
        return "price-capacity-optimized" if self.spot else "lowest-price"

    @property
    def spot_instance_pools(self) -> int:
        """Number of pools for ``lowest-price`` (AWS's default is 2)."""
        return 2

    @property
    def capacity_rebalance(self) -> bool:
        """EKS switches it on for spot (EKS user guide, as above)."""
        return self.spot

    @property
    def max_price(self) -> float | None:
        """None: EKS has no such setting, the on-demand price is the limit."""
        return None

    @property
    def taint_list(self) -> tuple[Taint, ...]:
        """Taints in the file's order."""
        return _taints(self.taints)


def _taints(rows: tuple[TaintRow, ...]) -> tuple[Taint, ...]:
    return tuple(Taint(key=row.key, value=row.value, effect=row.effect) for row in rows)
