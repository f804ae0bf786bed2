"""One node group of the file becomes a resolved one, or findings that say why not."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide import catalog
from lowtide.catalog.types import REPLACEMENT
from lowtide.model.catalog import Ami, InstanceType, Offering
from lowtide.model.cluster import Candidate, NodeGroup, Volume
from lowtide.model.errors import InputError
from lowtide.model.names import (
    EKS_CAPACITY_TYPE,
    EKS_NODEGROUP,
    EKSCTL_CLUSTER,
    EKSCTL_NODEGROUP,
    POOL,
    SPOT,
)
from lowtide.resolve.context import (
    IDLE_ACCELERATOR,
    IMPOSSIBLE_MEASUREMENT,
    NO_IMAGE,
    NO_PRICE,
    RETIRED_TYPE,
    UNKNOWN_RESERVATION,
    UNKNOWN_TYPE,
    WRONG_ZONE,
    Context,
)
from lowtide.resolve.nodes import candidate
from lowtide.resolve.zones import group_zones
from lowtide.spec.clusterconfig.cluster import GroupAt
from lowtide.spec.clusterconfig.nodegroups import NodeGroup as NodeGroupConfig
from lowtide.spec.document import PathInFile

#: Kubelet settings beside maxPodsPerNode that move allocatable (KubeletConfiguration v1beta1).
_RESERVING = frozenset(
    {"evictionHard", "kubeReserved", "maxPods", "podsPerCore", "reservedMemory", "systemReserved"}
)


def resolve_group(context: Context, at: GroupAt) -> NodeGroup | None:
    """Return the group with eksctl's labels and no tags yet; None where findings were added."""
    group = at.group
    zones = _zones(context, at)
    types = list(_types(context, at))
    _warn_of_reservations(context, at)
    ami = _ami(context, at, [one for one in types if one is not None])
    candidates = [_candidate(context, at, i) for i, one in enumerate(types) if one is not None]
    found = tuple(one for one in candidates if one is not None)
    if ami is None or zones is None or len(found) < len(types):
        return None
    sizes = group.sizes
    return NodeGroup(
        name=group.name,
        managed=group.managed,
        candidates=found,
        zones=zones,
        min_size=sizes.minimum,
        max_size=sizes.maximum,
        desired=sizes.desired,
        on_demand_base=group.on_demand_base,
        on_demand_percent=group.on_demand_percent,
        allocation_strategy=group.allocation_strategy,
        capacity_rebalance=group.capacity_rebalance,
        labels=_labels(context, at),
        taints=group.taint_list,
        asg_tags={},
        ami=ami,
        volume=_volume(at),
        private_networking=group.private_networking,
        pool=group.labels.get(POOL, ""),
        max_spot_usd_per_hour=group.max_price,
        suspended_processes=group.asg_suspend_processes,
        mark=context.document.mark(at.path),
    )


def type_path(at: GroupAt, index: int) -> PathInFile:
    """Return where a group's type of that index stands in the document."""
    group = at.group
    if not group.managed and group.given("instances_distribution"):
        return (*at.path, "instancesDistribution", "instanceTypes", index)
    if group.managed and group.given("given_types"):
        return (*at.path, "instanceTypes", index)
    return (*at.path, "instanceType")


def uses_spot(at: GroupAt) -> bool:
    """Return whether the group can ever launch a spot instance."""
    group = at.group
    return group.on_demand_percent < 100 and group.sizes.maximum > group.on_demand_base


def _zones(context: Context, at: GroupAt) -> tuple[str, ...] | None:
    zones = group_zones(context.config, at, context.zones)
    region = context.config.region
    wrong = [one for one in at.group.availability_zones if not catalog.is_zone_of(one, region)]
    for zone in wrong:
        error = InputError(
            f"{zone} is no availability zone of {region}", fix=f"write for instance {region}a"
        )
        index = at.group.availability_zones.index(zone)
        context.error(WRONG_ZONE, error, (*at.path, "availabilityZones", index))
    return None if wrong else zones


def _types(context: Context, at: GroupAt) -> Iterator[InstanceType | None]:
    for index, name in enumerate(at.group.instance_types):
        path = type_path(at, index)
        try:
            one = catalog.runnable_type(name)
        except InputError as error:
            context.error(UNKNOWN_TYPE, error, path)
            yield None
            continue
        _warn_of_type(context, one, path)
        yield one


def _warn_of_type(context: Context, one: InstanceType, path: PathInFile) -> None:
    if one.retired_on:
        message = f"{one.name} is retired ({one.retired_on}): {one.retired_why}"
        fix = f"use {REPLACEMENT}, or another type that `lowtide prices` shows in service"
        context.warn(RETIRED_TYPE, message, path, fix)
    if one.gpu is not None and not one.nvidia_gpus:
        what = (
            "a slice of a GPU" if one.gpu.fractional else f"{one.gpu.manufacturer} {one.gpu.model}"
        )
        message = f"{one.name} has {what}, which pods cannot ask for as nvidia.com/gpu"
        context.warn(IDLE_ACCELERATOR, message, path, "choose a type with whole NVIDIA GPUs")


def _warn_of_reservations(context: Context, at: GroupAt) -> None:
    given = at.group.kubelet_extra_config if isinstance(at.group, NodeGroupConfig) else None
    for key in sorted(_RESERVING & set(given or {})):
        message = f"kubeletExtraConfig.{key} changes what pods can use, and the lower bound does not know it"
        fix = "measure a node and write nodes.measuredAllocatableMiB into lowtide.yaml"
        context.warn(UNKNOWN_RESERVATION, message, (*at.path, "kubeletExtraConfig", key), fix)


def _ami(context: Context, at: GroupAt, types: list[InstanceType]) -> Ami | None:
    if not types:
        return None
    try:
        return catalog.resolve_ami(
            at.group.ami,
            at.group.ami_family,
            version=context.version,
            instance_types=types,
            region=context.config.region,
        )
    except InputError as error:
        key = "amiFamily" if at.group.given("ami_family_given") else "name"
        context.error(NO_IMAGE, error, (*at.path, key))
        return None


def _candidate(context: Context, at: GroupAt, index: int) -> Candidate | None:
    name = at.group.instance_types[index]
    path = type_path(at, index)
    offering = _offering(context, at, name, path)
    measured = context.policy.measured_allocatable_mib.get(name)
    if offering is None:
        return None
    if measured is not None and measured > offering.instance_type.memory_mib:
        error = InputError(
            f"{name} cannot have {measured} MiB allocatable",
            why=f"the type has {offering.instance_type.memory_mib} MiB",
            fix="correct nodes.measuredAllocatableMiB in lowtide.yaml",
        )
        context.error(IMPOSSIBLE_MEASUREMENT, error, path)
        return None
    return candidate(
        offering,
        disk_gib=at.group.volume.gib,
        max_pods=at.group.max_pods_per_node or None,
        measured_memory_mib=measured,
    )


def _offering(context: Context, at: GroupAt, name: str, path: PathInFile) -> Offering | None:
    region = context.config.region
    try:
        found = catalog.offering(
            name, region, spot_discount=context.policy.spot_discount, fresh=context.fresh
        )
    except InputError as error:
        context.error(NO_PRICE, error, path)
        return None
    if found.spot_usd_per_hour is None and uses_spot(at):
        missing = InputError(
            f"no {SPOT} price is known for {name} in {region}",
            why="spot figures are bundled for GPU types that the Spot Advisor listed on 2025-06-28",
            fix=f"lowtide prices refresh --region {region} asks AWS; or write into lowtide.yaml the share that spot saves, "
            f"spot: {{discount: {{{name}: 0.5}}}}, or use on-demand",
        )
        context.error(NO_PRICE, missing, path)
        return None
    return found


def _labels(context: Context, at: GroupAt) -> dict[str, str]:
    """Return the labels that a node of the group has under eksctl."""
    own = {EKSCTL_CLUSTER: context.config.name, EKSCTL_NODEGROUP: at.group.name}
    if at.group.managed:
        own[EKS_NODEGROUP] = at.group.name
        own[EKS_CAPACITY_TYPE] = "ON_DEMAND" if at.group.on_demand_percent else "SPOT"
    return {**at.group.labels, **own}


def _volume(at: GroupAt) -> Volume:
    root = at.group.volume
    usd = catalog.volume_usd_per_month(
        root.type, root.gib, iops=root.iops, throughput_mib=root.throughput_mib
    )
    for more in at.group.additional_volumes:
        usd += catalog.volume_usd_per_month(
            more.volume_type,
            more.volume_size,
            iops=more.volume_iops,
            throughput_mib=more.volume_throughput,
        )
    return Volume(
        gib=root.gib,
        type=root.type,
        # Hardening: what the file leaves to the image is encrypted.
        encrypted=root.encrypted is not False,
        usd_per_month=round(usd, 6),
        iops=root.iops,
        throughput_mib=root.throughput_mib,
    )
