"""The objects inside a node group: taints, volumes, roles, the mix of spot and on-demand, reservations."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from lowtide.spec.clusterconfig import facts
from lowtide.spec.clusterconfig.section import (
    Arns,
    AtLeastOne,
    Count,
    FreeForm,
    Many,
    Percent,
    Section,
    Texts,
    label_value,
    not_supported,
    omitted,
    qualified_name,
    whole_number,
    wrong,
)
from lowtide.spec.words import quoted

_Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
VolumeType = Literal["gp2", "gp3", "io1", "io2", "sc1", "st1"]
ScalingProcess = Literal[
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
]
_Family = Literal[
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
]
#: What EC2 Auto Scaling takes (API reference, InstancesDistribution).
_Strategy = Literal[
    "lowest-price",
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "price-capacity-optimized",
]


def _family_in_its_case(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lower().startswith("windowsserver"):
        raise not_supported(f"{value} (no Windows)", f"use {facts.DEFAULT_AMI_FAMILY}")
    by_lower: dict[str, str] = {family.lower(): family for family in get_args(_Family)}
    return by_lower.get(value.lower(), value)


def _no_fleet_strategy(value: Any) -> Any:
    # eksctl takes every strategy of EC2; this one is for fleets, and an Auto Scaling group refuses it.
    if value == "diversified":
        raise not_supported(
            "diversified (EC2 Auto Scaling refuses it)", "use price-capacity-optimized"
        )
    return value


AmiFamily = Annotated[_Family, BeforeValidator(_family_in_its_case)]
_SpotStrategy = Annotated[_Strategy, BeforeValidator(_no_fleet_strategy)]


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

    @property
    def is_allowed(self) -> bool:
        """Whether nodes take SSH: a key switches it on, and only an own ``allow: false`` off again."""
        if self.allow is None:
            return bool(self.public_key or self.public_key_name or self.public_key_path)
        return self.allow


class SecurityGroups(Section):
    """Security groups of the nodes."""

    attach_ids: Texts = Field(default=(), alias="attachIDs")
    with_shared: bool | None = None
    with_local: bool | None = None


class AdditionalVolume(Section):
    """A data volume beside the root volume."""

    volume_name: str = ""
    volume_size: AtLeastOne = 80
    volume_type: VolumeType = "gp3"
    volume_iops: Count | None = None
    volume_throughput: Count | None = None
    volume_encrypted: bool | None = None
    volume_kms_key_id: str = ""
    snapshot_id: str = ""


class TaintRow(Section):
    """A taint as Kubernetes writes it."""

    key: Annotated[str, AfterValidator(qualified_name)]
    value: Annotated[str, AfterValidator(label_value)] = ""
    effect: _Effect


def _no_text(value: Any) -> Any:
    """Refuse ``KEY=VALUE:EFFECT``, as kubectl takes a taint, and say how the file has it."""
    if not isinstance(value, str):
        return value
    rest, _, effect = value.rpartition(":")
    key, _, content = rest.partition("=")
    fix = 'write {key: KEY, value: "VALUE", effect: EFFECT}'
    if effect in get_args(_Effect) and key:
        written = f', value: "{content}"' if content else ""
        fix = f"write {{key: {key}{written}, effect: {effect}}}"
    raise wrong(f"{quoted(value)} is text, and a taint is a mapping", fix)


def _taint_from_entry(text: str) -> str:
    value, _, effect = text.rpartition(":")
    if effect not in get_args(_Effect) or ":" in value:
        forms = "write VALUE:EFFECT, :EFFECT or EFFECT with one of " + ", ".join(get_args(_Effect))
        raise wrong(f"{quoted(text)} is no taint", forms)
    label_value(value)
    return text


def _some(entries: dict[str, str]) -> dict[str, str]:
    if not entries:
        raise not_supported("an empty mapping", "remove the key")
    return entries


# With spaces, so that neither can be taken for the key of a taint in an error's location.
_AS_MAPPING, _AS_LIST = "as a mapping", "as a list"


def _taints_form(value: Any) -> str:
    return _AS_MAPPING if isinstance(value, dict) else _AS_LIST


TaintRows = Many[Annotated[TaintRow, BeforeValidator(_no_text)]]
_TaintEntries = Annotated[
    dict[
        Annotated[str, AfterValidator(qualified_name)],
        Annotated[str, AfterValidator(_taint_from_entry)],
    ],
    AfterValidator(_some),
]
#: ``[{key, value, effect}]`` or ``{key: "value:Effect"}``, as eksctl's taintsWrapper takes both.
Taints = Annotated[
    Annotated[_TaintEntries, Tag(_AS_MAPPING)] | Annotated[TaintRows, Tag(_AS_LIST)],
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


class InstancesDistribution(Section):
    """``instancesDistribution``: several types, spot and on-demand, in one group."""

    instance_types: Annotated[Texts, Field(min_length=1)]
    on_demand_base_capacity: Count = 0
    on_demand_percentage_above_base_capacity: Percent = 100
    spot_instance_pools: (
        Annotated[int, Field(ge=1, le=20), BeforeValidator(whole_number)] | None
    ) = None
    spot_allocation_strategy: _SpotStrategy = "lowest-price"
    max_price: Annotated[float, Field(allow_inf_nan=False)] | None = None
    capacity_rebalance: bool = False


class MetricsCollection(Section):
    """Group metrics sent to CloudWatch."""

    granularity: str
    metrics: Texts = ()


class UpdateConfig(Section):
    """How many nodes EKS may replace at once."""

    max_unavailable: Count | None = None
    max_unavailable_percentage: Percent | None = None
