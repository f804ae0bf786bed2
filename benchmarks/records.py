"""Pricing a long run: as many pods, instances and moments as 57 days of a large cluster have."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmarks.figure import Figure, measured
from lowtide.explain.simulation import simulation_of
from lowtide.model.catalog import Ami, Gpu, InstanceType, Offering
from lowtide.model.cluster import (
    AddonVersions,
    Candidate,
    NetworkPrices,
    NodeGroup,
    ResolvedCluster,
    Volume,
)
from lowtide.model.quantity import CPU, GIB, MEMORY, NVIDIA_GPU
from lowtide.model.run import InstanceUsage, PodUsage, RunRecord, StateRow

JOBS = 50_000
HOUR_MS = 3_600_000
DURATION_MS = 57 * 24 * HOUR_MS
GPU = Gpu(manufacturer="NVIDIA", model="T4", count=1, memory_mib=16 * 1024)
OFFERING = Offering(
    instance_type=InstanceType(
        name="g4dn.xlarge", vcpu=4, memory_mib=16 * 1024, arch="x86_64", gpu=GPU
    ),
    region="us-east-1",
    on_demand_usd_per_hour=0.526,
    spot_usd_per_hour=0.2,
    interruption_band=None,
    priced_as="us-east-1",
)
ROOM = {CPU: 3_920, MEMORY: 14 * GIB, NVIDIA_GPU: 1}


def figures() -> Iterator[Figure]:
    record, cluster = _record(random.Random(0)), _cluster()  # noqa: S311 - a workload, not a secret
    yield Figure(
        name=f"pricing a run of {JOBS:,} pods, as many instances and states",
        seconds=measured(lambda: simulation_of(record, cluster)),
    )


def _record(dice: random.Random) -> RunRecord:
    starts_ms = sorted(dice.randrange(DURATION_MS) for _ in range(JOBS))
    ends_ms = [min(DURATION_MS, start_ms + dice.randrange(10 * HOUR_MS)) for start_ms in starts_ms]
    lives = list(enumerate(zip(starts_ms, ends_ms, strict=True)))
    return RunRecord(
        cluster="bench",
        seed=0,
        ended="until",
        duration_ms=DURATION_MS,
        instances=tuple(_instance(number, start, end) for number, (start, end) in lives),
        pods=tuple(_pod(number, start, end) for number, (start, end) in lives),
        states=tuple(_state(start) for start in starts_ms),
    )


def _instance(number: int, start_ms: int, end_ms: int) -> InstanceUsage:
    return InstanceUsage(
        id=f"i-{number}",
        group="gpu",
        instance_type=OFFERING.instance_type.name,
        zone="us-east-1a",
        capacity_type="spot",
        gpus=1,
        launched_ms=start_ms,
        ended_ms=end_ms,
        usd_per_hour=0.2,
        node=f"ip-{number}",
    )


def _pod(number: int, start_ms: int, end_ms: int) -> PodUsage:
    return PodUsage(
        name=f"pod-{number}",
        namespace="default",
        workload="Job/default/bench",
        gpus=1,
        cpu_milli=1_000 + number % 1_000,
        memory_bytes=GIB,
        created_ms=start_ms,
        bound_ms=start_ms,
        running_ms=start_ms,
        ended_ms=end_ms,
        outcome="finished",
        node=f"ip-{number}",
    )


def _state(at_ms: int) -> StateRow:
    return StateRow(
        at_ms=at_ms,
        nodes_by_group={},
        ready_by_group={},
        desired_by_group={},
        pods_running=0,
        pods_pending=0,
        pods_finished=0,
        gpus_used=0,
        usd_per_hour=0.0,
    )


def _cluster() -> ResolvedCluster:
    group = NodeGroup(
        name="gpu",
        managed=False,
        candidates=(Candidate(offering=OFFERING, capacity=ROOM, allocatable=ROOM),),
        zones=("us-east-1a",),
        min_size=0,
        max_size=JOBS,
        desired=0,
        on_demand_base=0,
        on_demand_percent=0,
        allocation_strategy="price-capacity-optimized",
        capacity_rebalance=False,
        labels={},
        taints=(),
        asg_tags={},
        ami=Ami(resolver="auto", family="AmazonLinux2023", kind="nvidia", arch="x86_64"),
        volume=Volume(gib=80, type="gp3", encrypted=True, usd_per_month=6.4),
        private_networking=True,
        pool="",
    )
    return ResolvedCluster(
        name="bench",
        region="us-east-1",
        version="1.36",
        zones=("us-east-1a",),
        node_groups=(group,),
        hardening=(),
        control_plane_usd_per_hour=0.1,
        network=NetworkPrices(
            nat_gateways=1,
            nat_usd_per_hour=0.045,
            nat_usd_per_gib=0.045,
            cross_zone_usd_per_gib=0.02,
            public_ipv4_usd_per_hour=0.005,
            s3_gateway_endpoint=True,
        ),
        autoscaler_tags="full",
        autoscaler_flags={},
        addons=AddonVersions(
            autoscaler_image="", device_plugin_image="", termination_handler_image=""
        ),
        regional_offerings=(OFFERING,),
    )
