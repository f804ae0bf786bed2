"""Runs to report on: the tide of the example, and the odd ones.

The figures are worked out by hand from the made-up rows; no report computes a cost, so none is needed here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from lowtide.model.run import DecisionRow, InstanceUsage, PodUsage, RefusedPods, StateRow
from lowtide.model.simulation import (
    Baseline,
    Cost,
    GpuHours,
    NodeCounts,
    PodCounts,
    Simulation,
    Waits,
)

ZONES = {"gpu-spot-a": "us-east-1a", "gpu-spot-b": "us-east-1b", "gpu-spot-c": "us-east-1c"}
SPREAD = {"gpu-spot-a": 4, "gpu-spot-b": 3, "gpu-spot-c": 3}
WAVES_S = (0, 6_120)
END_S = 8_520
LAUNCH_S, READY_S, RUNNING_S, HOLD_S, IDLE_S = 14, 150, 221, 1_800, 160


def _group_of(index: int) -> str:
    return list(itertools.chain.from_iterable([name] * count for name, count in SPREAD.items()))[
        index
    ]


def _instances() -> tuple[InstanceUsage, ...]:
    general = InstanceUsage(
        id="i-general",
        group="general",
        instance_type="m6i.large",
        zone="us-east-1a",
        capacity_type="on-demand",
        gpus=0,
        launched_ms=0,
        ended_ms=None,
        usd_per_hour=0.096,
        node="ip-10-0-0-10",
    )
    gpu = (
        InstanceUsage(
            id=f"i-{wave}-{index}",
            group=_group_of(index),
            instance_type="g4dn.xlarge",
            zone=ZONES[_group_of(index)],
            capacity_type="spot",
            gpus=1,
            launched_ms=(start + LAUNCH_S + index) * 1000,
            ended_ms=(start + RUNNING_S + HOLD_S + IDLE_S + 2 * index) * 1000,
            usd_per_hour=0.21,
            node=f"ip-10-0-{wave}-{index}",
            node_ready_ms=(start + READY_S - 40 + 3 * index) * 1000,
            gpu_ready_ms=(start + READY_S + 3 * index) * 1000,
        )
        for wave, start in enumerate(WAVES_S)
        for index in range(10)
    )
    return (general, *gpu)


def _pods() -> tuple[PodUsage, ...]:
    return tuple(
        PodUsage(
            name=f"cuda-{wave}-{index}",
            namespace="default",
            workload="Deployment/default/cuda",
            gpus=1,
            cpu_milli=500,
            memory_bytes=2 * 1024**3,
            created_ms=start * 1000,
            bound_ms=(start + READY_S + 3 * index) * 1000,
            running_ms=(start + RUNNING_S + 3 * index) * 1000,
            ended_ms=(start + RUNNING_S + HOLD_S) * 1000,
            outcome="stopped",
            node=f"ip-10-0-{wave}-{index}",
        )
        for wave, start in enumerate(WAVES_S)
        for index in range(10)
    )


def _states(
    instances: tuple[InstanceUsage, ...], pods: tuple[PodUsage, ...]
) -> tuple[StateRow, ...]:
    """Count what is there at every moment at which something changes, the slow and obvious way."""
    never = (END_S + 1) * 1000
    times = {0, END_S * 1000}
    for one in instances:
        times |= {one.launched_ms, one.gpu_ready_ms or 0, one.ended_ms or 0}
    for pod in pods:
        times |= {pod.created_ms, pod.running_ms or 0, pod.ended_ms or 0}
    rows = []
    for now in sorted(times):
        billed = [i for i in instances if i.launched_ms <= now < (i.ended_ms or never)]
        running = [p for p in pods if (p.running_ms or 0) <= now < (p.ended_ms or never)]
        groups = ("general", *ZONES)
        ready = [i for i in billed if i.gpu_ready_ms is not None and i.gpu_ready_ms <= now]
        nodes = {name: sum(i.group == name for i in billed) for name in groups}
        rows.append(
            StateRow(
                at_ms=now,
                nodes_by_group=nodes,
                ready_by_group={name: sum(i.group == name for i in ready) for name in groups},
                desired_by_group=nodes,
                pods_running=len(running),
                pods_pending=sum(p.created_ms <= now < (p.running_ms or never) for p in pods),
                pods_finished=sum((p.ended_ms or never) <= now for p in pods),
                gpus_used=sum(p.gpus for p in running),
                usd_per_hour=0.1 + 0.045 + sum(i.usd_per_hour for i in billed),
            )
        )
    return tuple(rows)


def _decisions() -> tuple[DecisionRow, ...]:
    rows = []
    for start in WAVES_S:
        rows.append(
            DecisionRow(
                at_ms=start * 1000,
                actor="scenario",
                action="scale to 10",
                subject="Deployment/default/cuda",
            )
        )
        rows += [
            DecisionRow(
                at_ms=(start + 12) * 1000,
                actor="autoscaler",
                action=f"desired 0 -> {count}",
                subject=group,
                why=f"10 pods need nvidia.com/gpu; balanced over 3 similar groups, {count} here",
            )
            for group, count in SPREAD.items()
        ]
        rows += [
            DecisionRow(
                at_ms=pod.bound_ms or 0,
                actor="scheduler",
                action="bound",
                subject=f"default/{pod.name}",
                why=f"only {pod.node} had a free nvidia.com/gpu",
            )
            for pod in _pods()
            if pod.created_ms == start * 1000
        ]
        rows.append(
            DecisionRow(
                at_ms=(start + RUNNING_S + HOLD_S) * 1000,
                actor="scenario",
                action="scale to 0",
                subject="Deployment/default/cuda",
            )
        )
        rows += [
            DecisionRow(
                at_ms=(start + RUNNING_S + HOLD_S + 150) * 1000,
                actor="autoscaler",
                action="delete node",
                subject=f"ip-10-0-{WAVES_S.index(start)}-{index}",
                why="empty and unneeded for 2m",
            )
            for index in range(10)
        ]
    return tuple(rows)


def _tide() -> Simulation:
    instances, pods = _instances(), _pods()
    return Simulation(
        cluster="noble-gpu-example",
        region="us-east-1",
        seed=0,
        ended="until",
        simulated_seconds=float(END_S),
        pods=PodCounts(total=20, finished=0, stopped=20, running=0, pending=0, refused=()),
        wait_seconds=Waits(mean=234.5, p50=234.5, p95=248.0, p99=248.0, max=248.0),
        nodes=NodeCounts(gpu_peak=10, gpu_final=0, gpu_launched=20, general_peak=1),
        gpu_hours=GpuHours(requested=9.925, unmet=0.0, billed=12.0778, utilization=0.8218),
        interruptions=0,
        cost_usd=Cost(
            total=3.527441,
            gpu_spot=2.536338,
            gpu_on_demand=0.0,
            general=0.2272,
            control_plane=0.236667,
            network=0.407236,
            storage=0.12,
        ),
        baseline_usd=Baseline(
            always_on_on_demand=12.448667, cheapest_possible=2.08425, cheapest_in_region=1.687
        ),
        states=_states(instances, pods),
        decisions=_decisions(),
        instances=instances,
        pod_usages=pods,
        gpu_groups=tuple(ZONES.items()),
    )


@pytest.fixture
def tide() -> Simulation:
    """0 -> 10 -> 0 -> 10 -> 0 GPU nodes in three zones."""
    return _tide()


@pytest.fixture
def quiet() -> Simulation:
    """A cluster without a GPU group on which nothing was asked for."""
    zero = StateRow(
        at_ms=0,
        nodes_by_group={"general": 1},
        ready_by_group={"general": 1},
        desired_by_group={"general": 1},
        pods_running=0,
        pods_pending=0,
        pods_finished=0,
        gpus_used=0,
        usd_per_hour=0.24,
    )
    return replace(
        _tide(),
        ended="quiet",
        simulated_seconds=3600.0,
        pods=PodCounts(total=0, finished=0, stopped=0, running=0, pending=0, refused=()),
        wait_seconds=Waits(mean=0.0, p50=0.0, p95=0.0, p99=0.0, max=0.0),
        nodes=NodeCounts(gpu_peak=0, gpu_final=0, gpu_launched=0, general_peak=1),
        gpu_hours=GpuHours(requested=0.0, unmet=0.0, billed=0.0, utilization=0.0),
        cost_usd=Cost(
            total=0.24,
            gpu_spot=0.0,
            gpu_on_demand=0.0,
            general=0.096,
            control_plane=0.1,
            network=0.044,
            storage=0.0,
        ),
        baseline_usd=Baseline(
            always_on_on_demand=0.0, cheapest_possible=0.0, cheapest_in_region=0.0
        ),
        states=(zero,),
        decisions=(),
        instances=(),
        pod_usages=(),
        gpu_groups=(),
    )


HOSTILE = "evil-</script><img src=x onerror=alert(1)>{{style}}\x1b[31m"


@pytest.fixture
def refused(quiet: Simulation) -> Simulation:
    """Pods that no group takes, with names and reasons that try to break out of the report."""
    pods = ("default/cuda-1", "default/cuda-2", "default/cuda-3", f"default/{HOSTILE}")
    group = RefusedPods(
        pods=pods,
        cause="no group tolerates the pod",
        reasons={
            "node/ip-10-0-0-10": ("Insufficient nvidia.com/gpu",),
            **{f"group/{name}": ("untolerated taint", f"[bold]{HOSTILE}") for name in ZONES},
        },
    )
    return replace(
        quiet,
        cluster=f"broken {HOSTILE}",
        ended="maxDuration",
        pods=PodCounts(total=4, finished=0, stopped=0, running=0, pending=4, refused=(group,)),
        gpu_hours=GpuHours(requested=0.0, unmet=4.0, billed=0.0, utilization=0.0),
        decisions=(
            DecisionRow(
                at_ms=10_000,
                actor=HOSTILE,
                action="no scale-up",
                subject=f"default/{HOSTILE}",
                why=HOSTILE,
            ),
        ),
        gpu_groups=tuple(ZONES.items()),
        notices=(f"prices of us-east-1 stand in for {HOSTILE}",),
    )


@pytest.fixture
def long_run(tide: Simulation) -> Callable[[int], Simulation]:
    """A function from a number of state rows to a run of 57 days that has so many."""

    def build(rows: int) -> Simulation:
        day_57_ms = 57 * 86_400 * 1000
        states = tuple(
            replace(
                tide.states[index % len(tide.states)],
                at_ms=index * (day_57_ms // rows),
                pods_pending=777 if index == rows // 3 else index % 7,
            )
            for index in range(rows)
        )
        decisions = tuple(
            replace(tide.decisions[index % len(tide.decisions)], at_ms=index * 1000)
            for index in range(rows)
        )
        return replace(tide, states=states, decisions=decisions, simulated_seconds=day_57_ms / 1000)

    return build
