"""Node groups of a ClusterConfig, self-managed and managed, with eksctl's defaults.

``resolve`` reads the properties here and never repeats a default. Traps that stay as eksctl has them: no sizes at all
mean two nodes; ``minSize: 0`` alone means ``maxSize: 0``; an ``instancesDistribution`` without
``onDemandPercentageAboveBaseCapacity`` is all on-demand, with ``lowest-price`` as its spot strategy; nodes are public.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from lowtide.model.taints import Taint
from lowtide.spec.clusterconfig import facts
from lowtide.spec.clusterconfig.nodegroup_parts import (
    AdditionalVolume,
    AmiFamily,
    Bottlerocket,
    CapacityReservation,
    InstanceMarketOptions,
    InstancesDistribution,
    MetricsCollection,
    NodeGroupIam,
    Placement,
    ScalingProcess,
    SecurityGroups,
    Ssh,
    TaintRow,
    TaintRows,
    Taints,
    UpdateConfig,
    VolumeType,
)
from lowtide.spec.clusterconfig.section import (
    AtLeastOne,
    Count,
    FreeForm,
    Labels,
    Many,
    ResourceName,
    Section,
    Tags,
    Texts,
    omitted,
    unsupported,
    whole_number,
)


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


_BASE_UNSUPPORTED = {
    "instanceSelector": "write the instance types out",
    "outpostARN": "no Outposts",
}


#: What holds where there is no ``instancesDistribution``: one type, all on-demand.
_NO_MIX = omitted(InstancesDistribution)


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
    ami_family_given: AmiFamily | None = Field(default=None, alias="amiFamily")
    volume_size: AtLeastOne = 80
    volume_type: VolumeType = "gp3"
    volume_iops: Count | None = None
    volume_throughput: Count | None = None
    volume_name: str = ""
    volume_encrypted: bool | None = None
    volume_kms_key_id: str = ""
    additional_volumes: Many[AdditionalVolume] = ()
    ssh: Ssh = omitted(Ssh)
    security_groups: SecurityGroups = omitted(SecurityGroups)
    disable_imdsv1: bool = True
    disable_pod_imds: bool = False
    asg_suspend_processes: Many[ScalingProcess] = ()
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


class NodeGroup(_Group):
    """``nodeGroups[]``: a self-managed group, a launch template and an Auto Scaling group."""

    taints: Taints = ()
    instances_distribution: InstancesDistribution | None = None
    asg_metrics_collection: Many[MetricsCollection] = ()
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
    def _mix(self) -> InstancesDistribution:
        return self.instances_distribution or _NO_MIX

    @property
    def on_demand_base(self) -> int:
        """On-demand nodes before any share counts."""
        return self._mix.on_demand_base_capacity

    @property
    def on_demand_percent(self) -> int:
        """Percent of on-demand nodes above the base; 100 unless the file says otherwise."""
        return self._mix.on_demand_percentage_above_base_capacity

    @property
    def allocation_strategy(self) -> str:
        """How Auto Scaling picks a spot pool."""
        return self._mix.spot_allocation_strategy

    @property
    def spot_instance_pools(self) -> int:
        """Number of pools for ``lowest-price`` (AWS's default is 2)."""
        return self._mix.spot_instance_pools or 2

    @property
    def capacity_rebalance(self) -> bool:
        """Whether Auto Scaling replaces a spot instance that is likely to be interrupted."""
        return self._mix.capacity_rebalance

    @property
    def max_price(self) -> float | None:
        """Highest spot price, USD per hour; None is the on-demand price."""
        return self._mix.max_price

    @property
    def taint_list(self) -> tuple[Taint, ...]:
        """Taints, whichever form the file uses."""
        if isinstance(self.taints, dict):
            parts = ((key, *text.rpartition(":")) for key, text in self.taints.items())
            return tuple(Taint(key=key, value=value, effect=end) for key, value, _, end in parts)
        return _taints(self.taints)


class ManagedNodeGroup(_Group):
    """``managedNodeGroups[]``: a group that EKS makes and updates."""

    taints: TaintRows = ()
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


#: Either kind of group, as rules and ``resolve`` see it.
AnyGroup = NodeGroup | ManagedNodeGroup
