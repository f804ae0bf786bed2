"""Clusters and records for tests, with prices that are easy to add up in one's head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.model.catalog import Ami, Gpu, InstanceType, Offering
from lowtide.model.cluster import (
    AddonVersions,
    Candidate,
    NetworkPrices,
    NodeGroup,
    ResolvedCluster,
    Volume,
)
from lowtide.model.quantity import CPU, GIB, MEMORY, MIB, NVIDIA_GPU, PODS
from lowtide.model.run import InstanceUsage, PodUsage, RunRecord, StateRow

MINUTE = 60_000
HOUR = 60 * MINUTE


def offering(
    name: str, *, gpus: int, on_demand: float, spot: float | None, vcpu: int = 4, gib: int = 16
) -> Offering:
    gpu = Gpu(manufacturer="NVIDIA", model="T4", count=gpus, memory_mib=16 * 1024) if gpus else None
    kind = InstanceType(name=name, vcpu=vcpu, memory_mib=gib * 1024, arch="x86_64", gpu=gpu)
    return Offering(
        instance_type=kind,
        region="us-east-1",
        on_demand_usd_per_hour=on_demand,
        spot_usd_per_hour=spot,
        interruption_band=None,
        priced_as="us-east-1",
    )


SMALL = offering("small.1gpu", gpus=1, on_demand=1.0, spot=0.4)
BIG = offering("big.4gpu", gpus=4, on_demand=4.0, spot=1.2, vcpu=32, gib=128)
UNSOLD_SPOT = offering("rare.1gpu", gpus=1, on_demand=0.9, spot=None)
BARGAIN = offering("bargain.1gpu", gpus=1, on_demand=0.8, spot=0.1, vcpu=2, gib=8)
PLAIN = offering("plain.large", gpus=0, on_demand=0.2, spot=None, vcpu=2, gib=8)


def candidate(one: Offering) -> Candidate:
    """A node that keeps 1 GiB and 100 milli-CPU for itself."""
    kind = one.instance_type
    capacity = {CPU: kind.vcpu * 1000, MEMORY: kind.memory_mib * MIB, PODS: 29}
    if kind.nvidia_gpus:
        capacity[NVIDIA_GPU] = kind.nvidia_gpus
    allocatable = {**capacity, CPU: capacity[CPU] - 100, MEMORY: capacity[MEMORY] - GIB}
    return Candidate(offering=one, capacity=capacity, allocatable=allocatable)


def group(name: str, *offerings: Offering, **changes: Any) -> NodeGroup:
    """A private spot group in one zone whose 72 GiB root volume costs 0.01 USD per hour."""
    values: dict[str, Any] = {
        "name": name,
        "managed": False,
        "candidates": tuple(candidate(one) for one in offerings),
        "zones": ("us-east-1a",),
        "min_size": 0,
        "max_size": 10,
        "desired": 0,
        "on_demand_base": 0,
        "on_demand_percent": 0,
        "allocation_strategy": "price-capacity-optimized",
        "capacity_rebalance": False,
        "labels": {},
        "taints": (),
        "asg_tags": {
            "k8s.io/cluster-autoscaler/enabled": "true",
            "k8s.io/cluster-autoscaler/noble": "owned",
        },
        "ami": Ami(resolver="auto", family="AmazonLinux2023", kind="nvidia", arch="x86_64"),
        "volume": Volume(gib=72, type="gp3", encrypted=True, usd_per_month=7.2),
        "private_networking": True,
        "pool": "",
    }
    return NodeGroup(**(values | changes))


def general_group() -> NodeGroup:
    return group("general", PLAIN, on_demand_percent=100, private_networking=False)


def cluster(*groups: NodeGroup, region: Sequence[Offering] = (), **network: Any) -> ResolvedCluster:
    prices: dict[str, Any] = {
        "nat_gateways": 1,
        "nat_usd_per_hour": 0.045,
        "nat_usd_per_gib": 0.05,
        "cross_zone_usd_per_gib": 0.02,
        "public_ipv4_usd_per_hour": 0.005,
        "s3_gateway_endpoint": True,
    }
    return ResolvedCluster(
        name="noble",
        region="us-east-1",
        version="1.34",
        zones=("us-east-1a",),
        node_groups=groups,
        hardening=(),
        control_plane_usd_per_hour=0.1,
        network=NetworkPrices(**(prices | network)),
        autoscaler_tags="full",
        autoscaler_flags={},
        addons=AddonVersions(
            autoscaler_image="", device_plugin_image="", termination_handler_image=""
        ),
        regional_offerings=tuple(region),
    )


def instance(
    group_name: str, launched_ms: int, ended_ms: int | None, **changes: Any
) -> InstanceUsage:
    """A spot instance of the small type at its spot price."""
    values: dict[str, Any] = {
        "id": f"i-{group_name}-{launched_ms}",
        "group": group_name,
        "instance_type": "small.1gpu",
        "zone": "us-east-1a",
        "capacity_type": "spot",
        "gpus": 1,
        "launched_ms": launched_ms,
        "ended_ms": ended_ms,
        "usd_per_hour": 0.4,
    }
    return InstanceUsage(**(values | changes))


def general_instance(launched_ms: int = 0, ended_ms: int | None = None) -> InstanceUsage:
    return instance(
        "general",
        launched_ms,
        ended_ms,
        instance_type="plain.large",
        capacity_type="on-demand",
        gpus=0,
        usd_per_hour=0.2,
    )


def pod(
    name: str,
    created_ms: int,
    bound_ms: int | None = None,
    running_ms: int | None = None,
    ended_ms: int | None = None,
    **changes: Any,
) -> PodUsage:
    values: dict[str, Any] = {
        "name": name,
        "namespace": "default",
        "workload": "Deployment/default/cuda",
        "gpus": 1,
        "cpu_milli": 500,
        "memory_bytes": GIB,
        "created_ms": created_ms,
        "bound_ms": bound_ms,
        "running_ms": running_ms,
        "ended_ms": ended_ms,
        "outcome": "finished",
    }
    return PodUsage(**(values | changes))


def record(duration_ms: int = HOUR, **changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "cluster": "noble",
        "seed": 0,
        "ended": "until",
        "duration_ms": duration_ms,
    }
    return RunRecord(**(values | changes))


def state(at_ms: int) -> StateRow:
    none: Mapping[str, int] = {}
    return StateRow(
        at_ms=at_ms,
        nodes_by_group=none,
        ready_by_group=none,
        desired_by_group=none,
        pods_running=0,
        pods_pending=0,
        pods_finished=0,
        gpus_used=0,
        usd_per_hour=0.0,
    )
