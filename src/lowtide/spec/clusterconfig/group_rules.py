"""Rules between the values of one node group, as eksctl checks them before it creates anything.

Each rule is a generator over one group that yields what is wrong: where, why, and the fix. Facts: eksctl-io/eksctl at
99984adb, pkg/apis/eksctl.io/v1alpha5/validation.go and defaults.go, pkg/cfn/builder/nodegroup.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lowtide.model import names
from lowtide.model.quantity import parse_quantity
from lowtide.spec.clusterconfig import facts
from lowtide.spec.clusterconfig.nodegroup_parts import AdditionalVolume
from lowtide.spec.clusterconfig.nodegroups import AnyGroup, ManagedNodeGroup, NodeGroup
from lowtide.spec.words import LARGEST_QUANTITY, quoted


class Broken(NamedTuple):
    """A broken rule: the path below the object that was looked at, why, and what to do."""

    path: tuple[str | int, ...]
    why: str
    fix: str = ""


def broken_rules(group: AnyGroup, minor: tuple[int, int]) -> Iterator[Broken]:
    """Yield every broken rule of one group.

    Args:
        group: a group whose single values are sound.
        minor: Kubernetes version, such as (1, 34).
    """
    yield from _sizes(group)
    yield from _image(group, minor)
    yield from _tags(group)
    yield from _volumes(group)
    yield from _placement(group)
    yield from _shell(group)
    yield from _iam(group)
    yield from _bottlerocket(group)
    if isinstance(group, NodeGroup):
        yield from _instances(group)
        yield from _self_managed(group)
    else:
        yield from _managed(group)


def _sizes(group: AnyGroup) -> Iterator[Broken]:
    low, high, desired = group.sizes
    given = group.desired_capacity is not None
    if given and desired < low:
        fix = f"write desiredCapacity: {low}, or a lower minSize"
        yield Broken(("desiredCapacity",), f"desiredCapacity {desired} is below minSize {low}", fix)
    if given and desired > high:
        fix = f"write desiredCapacity: {high}, or a higher maxSize"
        yield Broken(
            ("desiredCapacity",), f"desiredCapacity {desired} is above maxSize {high}", fix
        )
    if group.max_size is not None and high < low:
        written = "minSize" if group.min_size is not None else "minSize (2 when omitted)"
        fix = "raise maxSize, or write a lower minSize"
        yield Broken(("maxSize",), f"maxSize {high} is below {written} {low}", fix)


def _image(group: AnyGroup, minor: tuple[int, int]) -> Iterator[Broken]:
    family = group.ami_family
    ends = facts.AMAZON_LINUX_2_ENDS
    if family == "AmazonLinux2" and minor >= ends and not (group.managed and group.ami):
        why = (
            f"AmazonLinux2 has no image for Kubernetes {minor[0]}.{minor[1]}, the last was for 1.32"
        )
        yield Broken(("amiFamily",), why, "use AmazonLinux2023")
    if not group.ami:
        return
    resolvers = () if group.managed else ("auto", "auto-ssm")
    if not group.is_custom_ami and group.ami not in resolvers:
        allowed = ", ".join((*resolvers, "ami-..."))
        yield Broken(("ami",), f"{quoted(group.ami)} is no image; allowed: {allowed}")
    if group.ami_family_given is None:
        why = (
            "ami needs amiFamily, even auto and auto-ssm: eksctl checks before it fills in defaults"
        )
        yield Broken(("ami",), why, f"add amiFamily: {facts.DEFAULT_AMI_FAMILY}")
    elif group.override_bootstrap_command is None and not _boots_by_itself(family):
        why = f"an own ami of {family} needs overrideBootstrapCommand"
        yield Broken(("ami",), why, "use AmazonLinux2023 or Bottlerocket, or write the command")


def _boots_by_itself(family: str) -> bool:
    return family == "AmazonLinux2023" or family in facts.BOTTLEROCKET


def _tags(group: AnyGroup) -> Iterator[Broken]:
    """Resources of the group's nodes that no int64 holds; what is no quantity at all the autoscaler drops."""
    for key, text in group.tags.items():
        if not key.startswith(names.TAG_RESOURCE_PREFIX):
            continue
        try:
            amount = parse_quantity(text)
        except ValueError:
            continue
        if amount > LARGEST_QUANTITY:
            why = f"{quoted(text)} is more than an int64 holds (2^63-1)"
            yield Broken(("tags", key), why, "write what a node of the group has")


def _volumes(group: AnyGroup) -> Iterator[Broken]:
    if not group.given("volume_size"):
        for attribute, key in (
            ("volume_name", "volumeName"),
            ("volume_encrypted", "volumeEncrypted"),
            ("volume_kms_key_id", "volumeKmsKeyID"),
        ):
            if getattr(group, attribute):
                yield Broken((key,), f"{key} needs volumeSize", "add volumeSize: 80")
    yield from _volume(group, ())
    for index, volume in enumerate(group.additional_volumes):
        yield from _volume(volume, ("additionalVolumes", index))


def _volume(volume: AnyGroup | AdditionalVolume, at: tuple[str | int, ...]) -> Iterator[Broken]:
    kind, iops, throughput = volume.volume_type, volume.volume_iops, volume.volume_throughput
    if iops is not None:
        low, high = facts.VOLUME_IOPS.get(kind, (0, 0))
        if not high:
            yield Broken((*at, "volumeIOPS"), f"{kind} volumes have no volumeIOPS", "remove it")
        elif not low <= iops <= high:
            yield Broken(
                (*at, "volumeIOPS"), f"volumeIOPS of {kind} must be {low} to {high}, not {iops}"
            )
    if throughput is not None:
        low, high = facts.GP3_THROUGHPUT_MIB
        where = (*at, "volumeThroughput")
        if kind != "gp3":
            yield Broken(where, f"{kind} volumes have no volumeThroughput", "remove it")
        elif not low <= throughput <= high:
            yield Broken(where, f"volumeThroughput must be {low} to {high}, not {throughput}")
    if volume.volume_kms_key_id and not volume.volume_encrypted:
        fix = "add volumeEncrypted: true"
        yield Broken((*at, "volumeKmsKeyID"), "volumeKmsKeyID needs volumeEncrypted: true", fix)


def _placement(group: AnyGroup) -> Iterator[Broken]:
    zones, subnets = group.availability_zones, group.subnets
    if zones and subnets:
        yield Broken(("subnets",), "subnets and availabilityZones exclude each other", "keep one")
    if group.efa_enabled and (len(zones) > 1 or len(subnets) > 1):
        why = "efaEnabled puts all nodes into one placement group, so one zone or subnet is allowed"
        yield Broken(("efaEnabled",), why, "make one group per zone")
    reservation = group.capacity_reservation
    if group.instance_market_options is not None and reservation is None:
        yield Broken(("instanceMarketOptions",), "instanceMarketOptions needs capacityReservation")
    if reservation is None or reservation.capacity_reservation_target is None:
        return
    target = reservation.capacity_reservation_target
    at = ("capacityReservation", "capacityReservationTarget")
    if reservation.capacity_reservation_preference is not None:
        yield Broken(
            at, "a target and capacityReservationPreference exclude each other", "keep one"
        )
    if target.capacity_reservation_id and target.capacity_reservation_resource_group_arn:
        yield Broken(at, "name a reservation or a resource group, not both", "keep one")


def _shell(group: AnyGroup) -> Iterator[Broken]:
    if not group.ssh.enable_ssm:
        yield Broken(("ssh", "enableSsm"), "the SSM agent is part of the images", "remove it")
    keys = (group.ssh.public_key, group.ssh.public_key_name, group.ssh.public_key_path)
    if not group.managed and sum(map(bool, keys)) > 1:
        yield Broken(("ssh",), "give one of publicKey, publicKeyName and publicKeyPath")


def _iam(group: AnyGroup) -> Iterator[Broken]:
    iam = group.iam
    policies = iam.with_addon_policies.enabled
    for key, value in (
        ("instanceProfileARN", iam.instance_profile_arn),
        ("instanceRoleARN", iam.instance_role_arn),
    ):
        own = {
            "instanceRoleName": iam.instance_role_name,
            "attachPolicy": iam.attach_policy,
            "attachPolicyARNs": iam.attach_policy_arns,
            "instanceRolePermissionsBoundary": iam.instance_role_permissions_boundary,
            "withAddonPolicies": policies,
        }
        clashing = [name for name, setting in own.items() if setting] if value else []
        if clashing:
            why = f"{key} brings a role of your own, so {', '.join(clashing)} cannot change it"
            yield Broken(("iam", key), why, "keep one of the two")
    if group.disable_pod_imds and policies:
        why = "disablePodIMDS keeps pods from the policies of iam.withAddonPolicies"
        yield Broken(("disablePodIMDS",), why, "use IAM roles for service accounts")
    if {"albIngress", "awsLoadBalancerController"} <= set(policies):
        yield Broken(
            ("iam", "withAddonPolicies", "albIngress"),
            "albIngress is the old name of awsLoadBalancerController",
            "remove albIngress",
        )


def _bottlerocket(group: AnyGroup) -> Iterator[Broken]:
    if group.ami_family_given not in facts.BOTTLEROCKET:
        if group.bottlerocket is not None and not group.managed:
            fix = "add amiFamily: Bottlerocket"
            yield Broken(("bottlerocket",), "bottlerocket needs a Bottlerocket amiFamily", fix)
        return
    for attribute, key in (
        ("pre_bootstrap_commands", "preBootstrapCommands"),
        ("override_bootstrap_command", "overrideBootstrapCommand"),
        ("kubelet_extra_config", "kubeletExtraConfig"),
    ):
        if group.given(attribute):
            yield Broken((key,), f"Bottlerocket has no {key}", "use bottlerocket.settings")
    settings = group.bottlerocket.settings.get("kubernetes") if group.bottlerocket else None
    if isinstance(settings, dict):
        for setting, key in facts.BOTTLEROCKET_OWN_FIELDS.items():
            if setting in settings:
                at = ("bottlerocket", "settings", "kubernetes", setting)
                yield Broken(at, f"this setting has a key of its own in the group: {key}")


def _instances(group: NodeGroup) -> Iterator[Broken]:
    mixed = group.instances_distribution
    if mixed is None:
        if group.instance_type == facts.MIXED:
            fix = "add instancesDistribution, or name one type"
            yield Broken(("instanceType",), "mixed needs instancesDistribution", fix)
        return
    at = "instancesDistribution"
    if group.instance_type not in {"", facts.MIXED}:
        why = "instanceType and instancesDistribution exclude each other"
        yield Broken(("instanceType",), why, f"remove it; its types are in {at}.instanceTypes")
    if len(set(mixed.instance_types)) > 20:
        yield Broken((at, "instanceTypes"), "more than 20 different instance types")
    strategy = mixed.spot_allocation_strategy
    if mixed.spot_instance_pools is not None and strategy.startswith("capacity-optimized"):
        why = f"spotInstancePools has no meaning with {strategy}"
        yield Broken((at, "spotInstancePools"), why, "remove it")


def _self_managed(group: NodeGroup) -> Iterator[Broken]:
    for key in group.kubelet_extra_config or {}:
        if key in facts.KUBELET_RESERVED:
            yield Broken(("kubeletExtraConfig", key), f"{key} belongs to eksctl", "remove it")
    if group.cpu_credits is not None:
        if group.cpu_credits.lower() not in {"standard", "unlimited"}:
            yield Broken(("cpuCredits",), "cpuCredits is standard or unlimited")
        if not any(name.startswith("t") for name in _written_types(group)):
            why = "only burstable types (t3, t4g, ...) have cpuCredits"
            yield Broken(("cpuCredits",), why, "remove it")
    if group.given("container_runtime") and group.override_bootstrap_command is not None:
        why = "overrideBootstrapCommand sets the runtime by itself"
        yield Broken(("containerRuntime",), why, "remove containerRuntime")


def _written_types(group: NodeGroup) -> Sequence[str]:
    mixed = group.instances_distribution
    return mixed.instance_types if mixed else (group.instance_type,)


def _managed(group: ManagedNodeGroup) -> Iterator[Broken]:
    if group.instance_type and group.given_types:
        why = "instanceType and instanceTypes exclude each other"
        yield Broken(("instanceType",), why, "keep instanceTypes")
    if group.security_groups.with_local or group.security_groups.with_shared:
        why = "EKS makes the security group of a managed group: no withLocal, no withShared"
        yield Broken(("securityGroups",), why, "remove them")
    if group.iam.instance_profile_arn:
        at = ("iam", "instanceProfileARN")
        yield Broken(at, "EKS makes the instance profile of a managed group", "use instanceRoleARN")
    override = group.override_bootstrap_command is not None
    if override and not group.ami and group.ami_family_given not in {None, "AmazonLinux2023"}:
        why = f"overrideBootstrapCommand of {group.ami_family} needs an own ami"
        yield Broken(("overrideBootstrapCommand",), why)
    if group.ami and group.max_pods_per_node:
        yield Broken(("maxPodsPerNode",), "maxPodsPerNode has no effect with an own ami")
    yield from _update_config(group)


def _update_config(group: ManagedNodeGroup) -> Iterator[Broken]:
    update = group.update_config
    if update is None:
        return
    count, percent = update.max_unavailable, update.max_unavailable_percentage
    if (count is None) == (percent is None):
        why = "give maxUnavailable or maxUnavailablePercentage, one of them"
        yield Broken(("updateConfig",), why)
    elif count is not None and count > group.sizes.maximum:
        why = f"maxUnavailable {count} is above maxSize {group.sizes.maximum}"
        yield Broken(("updateConfig", "maxUnavailable"), why)
