"""What a request says of a group, as the configuration that ``cloud`` decides by.

Why it exists: AWS takes types, zones and purchase options in several forms; the decisions know one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide import catalog
from lowtide.cloud import autoscaling
from lowtide.cloud.groups import GroupConfig, Offer
from lowtide.local.aws.autoscaling.state import Group, state_of
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.spot import price_usd_per_hour
from lowtide.local.aws.ec2.templates import launch_version
from lowtide.local.aws.errors import AwsError
from lowtide.model.errors import InputError

#: AWS's defaults of a mixed instances policy (API reference, InstancesDistribution).
_DISTRIBUTION: Mapping[str, Any] = {
    "OnDemandAllocationStrategy": "prioritized",
    "OnDemandBaseCapacity": 0,
    "OnDemandPercentageAboveBaseCapacity": 100,
    "SpotAllocationStrategy": "lowest-price",
}
_STRATEGIES: Mapping[str, tuple[str, ...]] = {
    "OnDemandAllocationStrategy": ("lowest-price", "prioritized"),
    "SpotAllocationStrategy": (
        "lowest-price", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized",
    ),
}  # fmt: skip
#: The range of WeightedCapacity (API reference, LaunchTemplateOverrides).
_HEAVIEST = 999
#: Each instance costs memory and time here; AWS itself has no such bound.
LARGEST = 1000
#: The sizes of a group are integers of 32 bits (the service's model).
MOST = 2**31 - 1
TERMINATION_POLICIES = (
    "AllocationStrategy", "ClosestToNextInstanceHour", "Default", "NewestInstance", "OldestInstance",
    "OldestLaunchConfiguration", "OldestLaunchTemplate",
)  # fmt: skip
_NEITHER = (
    "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or"
    " MixedInstancesPolicy parameter."
)


def refuse(message: str) -> AwsError:
    """Return Auto Scaling's error for a request that cannot be."""
    return AwsError("ValidationError", message)


def refuse_size(desired: int) -> None:
    """Raise AwsError where a group would be larger than the box can carry."""
    if desired > LARGEST:
        raise refuse(f"The embedded AWS has groups of at most {LARGEST} instances.")


def complete_settings(box: Box, group: Group) -> None:
    """Check a group's settings and fill in what AWS fills in: template ids and names, zones, the policy's defaults.

    Raises:
        AwsError: the settings cannot be.
    """
    settings = group.settings
    if settings.get("MixedInstancesPolicy"):
        settings["MixedInstancesPolicy"] = _policy(box, group.region, settings["MixedInstancesPolicy"])  # fmt: skip
        settings.pop("LaunchTemplate", None)
    elif settings.get("LaunchTemplate"):
        settings["LaunchTemplate"] = _specification(box, group.region, settings["LaunchTemplate"])
    else:
        raise refuse(_NEITHER)
    group.subnets = _subnets(box, group)


def config_of(box: Box, group: Group, *, smallest: int, largest: int, desired: int) -> GroupConfig:
    """Return the configuration of a group with these sizes.

    Raises:
        AwsError: the sizes contradict each other, or no instance type is named.
    """
    if smallest < 0 or largest < 0:
        raise refuse("Min and max size must be 0 or more")
    if largest > MOST:
        raise refuse(
            f"1 validation error detected: Value '{largest}' at 'maxSize' failed to satisfy constraint:"
            f" Member must have value less than or equal to {MOST}"
        )
    if smallest > largest:
        raise refuse(
            f"Max bound, {largest}, must be greater than or equal to min bound, {smallest}"
        )
    if not smallest <= desired <= largest:
        raise refuse(
            f"Desired capacity:{desired} must be between the specified min size:{smallest} and max size:{largest}"
        )
    refuse_size(desired)
    zones = tuple(group.subnets)
    types = instance_types(box, group)
    delays = box.settings.delays
    boot_ms = int(delays.instance_in_service_s * 1000)
    return GroupConfig(
        name=group.name,
        min_size=smallest,
        max_size=largest,
        desired=desired,
        zones=zones,
        offers=tuple(_offer(box, group, name, zones[0]) for name in types),
        suspended_processes=frozenset(group.suspended),
        spot_launch_ms=boot_ms,
        on_demand_launch_ms=boot_ms,
        terminate_ms=int(delays.terminate_s * 1000),
        retry_ms=int(delays.launch_retry_s * 1000),
        notice_ms=int(delays.interruption_notice_s * 1000),
        balances_zones=True,
        repeats_failures=True,
        capacity_rebalance=bool(group.settings.get("CapacityRebalance")),
        protects_new=bool(group.settings.get("NewInstancesProtectedFromScaleIn")),
        **_purchase(box, group),
    )


def refreshed(box: Box, group: Group) -> None:
    """Bring prices and depths in a group's configuration up to date, before it decides what to buy."""
    state = state_of(box)
    decided = state.decided(group)
    old = decided.config
    try:
        config = config_of(
            box, group, smallest=old.min_size, largest=old.max_size, desired=decided.desired
        )
    except AwsError:
        return  # its template is gone: each launch will say so
    state.clouds[group.region] = autoscaling.configure(state.cloud(group.region), config)


def specification(group: Group, instance_type: str = "") -> dict[str, str]:
    """Return the launch template that an instance type is launched from."""
    if not group.is_mixed:
        return dict(group.settings["LaunchTemplate"])
    template = group.settings["MixedInstancesPolicy"]["LaunchTemplate"]
    own = override_of(group, instance_type).get("LaunchTemplateSpecification")
    return dict(own or template["LaunchTemplateSpecification"])


def override_of(group: Group, instance_type: str) -> Mapping[str, Any]:
    """Return what a mixed instances policy says of a type, empty where it says nothing."""
    policy = group.settings.get("MixedInstancesPolicy") or {}
    overrides = policy.get("LaunchTemplate", {}).get("Overrides", [])
    return next((one for one in overrides if one.get("InstanceType") == instance_type), {})


def instance_types(box: Box, group: Group) -> tuple[str, ...]:
    """Return the types that a group may launch, in the order of its request."""
    if group.is_mixed:
        overrides = group.settings["MixedInstancesPolicy"]["LaunchTemplate"].get("Overrides", [])
        names = tuple(one["InstanceType"] for one in overrides if one.get("InstanceType"))
        if names:
            return names
    data = launch_version(box, group.region, specification(group))["LaunchTemplateData"]
    if not data.get("InstanceType"):
        raise refuse(
            "You must use a valid fully-formed launch template. The request must contain the parameter InstanceType"
        )
    return (str(data["InstanceType"]),)


def _purchase(box: Box, group: Group) -> dict[str, Any]:
    if not group.is_mixed:
        data = launch_version(box, group.region, specification(group))["LaunchTemplateData"]
        market = data.get("InstanceMarketOptions", {})
        if market.get("MarketType") != "spot":
            return {"on_demand_percent": 100}
        price = market.get("SpotOptions", {}).get("MaxPrice")
        return {"on_demand_percent": 0, "max_spot_usd_per_hour": float(price) if price else None}
    given = group.settings["MixedInstancesPolicy"]["InstancesDistribution"]
    price = given.get("SpotMaxPrice")
    return {
        "on_demand_base": int(given["OnDemandBaseCapacity"]),
        "on_demand_percent": int(given["OnDemandPercentageAboveBaseCapacity"]),
        "on_demand_strategy": given["OnDemandAllocationStrategy"],
        "allocation_strategy": given["SpotAllocationStrategy"],
        "max_spot_usd_per_hour": float(price) if price else None,
        "spot_pools": int(given.get("SpotInstancePools") or 1),
    }


def _offer(box: Box, group: Group, name: str, zone: str) -> Offer:
    spot = price_usd_per_hour(group.region, name, zone, box.now())
    try:
        on_demand = catalog.offering(name, group.region).on_demand_usd_per_hour
    except InputError:
        on_demand = (
            0.0  # without any price it is launched all the same: the box sells what it is asked for
        )
    return Offer(
        instance_type=name,
        on_demand_usd_per_hour=on_demand,
        spot_usd_per_hour=spot or 0.0,
        weight=int(override_of(group, name).get("WeightedCapacity") or 1),
        spot_depth=_depth(box, group, name),
    )


def _depth(box: Box, group: Group, name: str) -> int | None:
    """Return how deep a type's spot pools are, as the placement score says; None where no strategy asks."""
    policy = group.settings.get("MixedInstancesPolicy") or {}
    strategy = policy.get("InstancesDistribution", {}).get("SpotAllocationStrategy", "lowest-price")
    if strategy == "lowest-price" or len(policy["LaunchTemplate"]["Overrides"]) < 2:
        return None
    params = {"InstanceTypes": [name], "TargetCapacity": 1, "RegionNames": [group.region]}
    answer = box.call("ec2", "GetSpotPlacementScores", params, region=group.region)
    return max((int(one["Score"]) for one in answer["SpotPlacementScores"]), default=None)


def _policy(box: Box, region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    distribution = {**_DISTRIBUTION, **(given.get("InstancesDistribution") or {})}
    for name, known in _STRATEGIES.items():
        if distribution[name] not in known:
            raise refuse(
                f"Invalid {name} value {distribution[name]}. Valid values are: [{', '.join(known)}]"
            )
    if int(distribution["OnDemandBaseCapacity"]) < 0:
        raise refuse("OnDemandBaseCapacity must be 0 or more")
    if not 0 <= int(distribution["OnDemandPercentageAboveBaseCapacity"]) <= 100:
        raise refuse("OnDemandPercentageAboveBaseCapacity must be between 0 and 100")
    if distribution["SpotAllocationStrategy"] == "lowest-price":
        distribution.setdefault("SpotInstancePools", 2)
    template = dict(given.get("LaunchTemplate") or {})
    if not template.get("LaunchTemplateSpecification"):
        raise refuse(_NEITHER)
    template["LaunchTemplateSpecification"] = _specification(
        box, region, template["LaunchTemplateSpecification"], mixed=True
    )
    overrides = [_override(box, region, one) for one in template.get("Overrides") or []]
    weighted = [one for one in overrides if one.get("WeightedCapacity")]
    if weighted and len(weighted) != len(overrides):
        raise refuse("WeightedCapacity must be given for all overrides or for none.")
    template["Overrides"] = overrides
    return {"LaunchTemplate": template, "InstancesDistribution": distribution}


def _override(box: Box, region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    one = dict(given)
    if "InstanceRequirements" in one:
        raise refuse("The embedded AWS does not choose types by InstanceRequirements.")
    weight = str(one.get("WeightedCapacity") or "1")
    is_number = weight.isascii() and weight.isdigit() and len(weight) <= len(str(_HEAVIEST))
    if not is_number or not 1 <= int(weight) <= _HEAVIEST:
        raise refuse(f"WeightedCapacity must be between 1 and {_HEAVIEST}")
    if one.get("LaunchTemplateSpecification"):
        one["LaunchTemplateSpecification"] = _specification(
            box, region, one["LaunchTemplateSpecification"], mixed=True
        )
    return one


def _specification(
    box: Box, region: str, given: Mapping[str, Any], *, mixed: bool = False
) -> dict[str, str]:
    try:
        found = launch_version(box, region, given)
    except AwsError as error:
        raise refuse(
            f"You must use a valid fully-formed launch template. {error.message}"
        ) from error
    if mixed and found["LaunchTemplateData"].get("InstanceMarketOptions"):
        raise refuse(
            "Incompatible launch template: You cannot use a launch template that is set to request Spot Instances"
            " (InstanceMarketOptions) when you configure an Auto Scaling group with a mixed instances policy."
        )
    return {
        "LaunchTemplateId": found["LaunchTemplateId"],
        "LaunchTemplateName": found["LaunchTemplateName"],
        "Version": str(given.get("Version") or "$Default"),
    }


def _subnets(box: Box, group: Group) -> dict[str, list[str]]:
    ids = [one for one in str(group.settings.get("VPCZoneIdentifier") or "").split(",") if one.strip()]  # fmt: skip
    if not ids:
        zones = group.settings.get("AvailabilityZones") or []
        if not zones:
            raise refuse("At least one Availability Zone or VPC Subnet is required.")
        return {str(zone): [] for zone in zones}
    params = {"SubnetIds": [one.strip() for one in ids]}
    try:
        answer = box.call("ec2", "DescribeSubnets", params, region=group.region)
    except AwsError as error:
        raise refuse(error.message) from error
    zone_of = {one["SubnetId"]: str(one["AvailabilityZone"]) for one in answer["Subnets"]}
    found: dict[str, list[str]] = {}
    for one in params["SubnetIds"]:
        found.setdefault(zone_of[one], []).append(one)
    return found
