"""The two deciders on a cluster of a thousand GPU nodes, in this process."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.figure import Figure, measured
from lowtide.engine.autoscaler import autoscale
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.options import MINUTE, AutoscalerOptions, SchedulerProfile
from lowtide.engine.scheduler import schedule
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup, Instance, InstanceShape
from lowtide.model.kube import Node, Owner, Phase, Pod, PodSpec
from lowtide.model.quantity import CPU, GIB, MEMORY, NVIDIA_GPU, PODS
from lowtide.model.snapshot import Snapshot

NODES = 1_000
PENDING = 500
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
SHAPE = InstanceShape(name="g4dn.xlarge", vcpu=4, memory_mib=16 * 1024, gpu=1, arch="amd64")
ROOM = {CPU: 3_920, MEMORY: 14 * GIB, PODS: 29, NVIDIA_GPU: 1}
NOW_MS = 60 * MINUTE
SPEC = PodSpec(requests={CPU: 1_000, MEMORY: 4 * GIB, NVIDIA_GPU: 1})
OPTIONS = AutoscalerOptions(
    discovery_tags=((names.TAG_ENABLED, ""),),
    balance_similar_node_groups=True,
)


def figures() -> Iterator[Figure]:
    empty = _snapshot(busy=0, pending=PENDING)
    yield Figure(
        name=f"scheduler: {PENDING} pods on {NODES:,} empty nodes",
        seconds=measured(lambda: schedule(empty, SchedulerProfile())),
        per_run=PENDING,
    )
    full = _snapshot(busy=NODES, pending=0)
    yield _loop(f"autoscaler: a loop, {NODES:,} busy nodes, nothing pending", full)
    short = _snapshot(busy=NODES, pending=PENDING)
    yield _loop(f"autoscaler: a loop, {NODES:,} busy nodes, {PENDING} pods pending", short)


def _loop(name: str, snapshot: Snapshot) -> Figure:
    # The loop before has read the groups and built its caches, as every loop but the first finds it.
    decision, memory = autoscale(snapshot, AutoscalerMemory(), OPTIONS)
    waiting = any(pod.node_name is None for pod in snapshot.pods)
    if decision.scaled_up is not waiting:
        return Figure(name=name, failure="the loop did not do the work that is to be timed")
    return Figure(name=name, seconds=measured(lambda: autoscale(snapshot, memory, OPTIONS)))


def _snapshot(*, busy: int, pending: int) -> Snapshot:
    nodes = tuple(_node(number) for number in range(NODES))
    running = tuple(_pod(number, nodes[number].name) for number in range(busy))
    waiting = tuple(_pod(number, None) for number in range(busy, busy + pending))
    return Snapshot(
        now_ms=NOW_MS,
        nodes=nodes,
        pods=running + waiting,
        groups=tuple(_group(zone) for zone in ZONES),
    )


def _zone_of(number: int) -> str:
    return ZONES[number % len(ZONES)]


def _node(number: int) -> Node:
    zone = _zone_of(number)
    name = f"ip-{number}"
    labels = {
        names.HOSTNAME: name,
        names.ZONE: zone,
        names.INSTANCE_TYPE: SHAPE.name,
        names.ACCELERATOR: "nvidia-tesla-t4",
    }
    return Node(
        name=name, labels=labels, capacity=ROOM, allocatable=ROOM, instance_id=f"i-{number}"
    )


def _pod(number: int, node: str | None) -> Pod:
    return Pod(
        name=f"pod-{number}",
        uid=f"uid-{number}",
        spec=SPEC,
        owner=Owner(kind="ReplicaSet", name="bench", uid="bench"),
        node_name=node,
        phase=Phase.RUNNING if node else Phase.PENDING,
        unschedulable_ms=None if node else 0,
    )


def _group(zone: str) -> AutoScalingGroup:
    mine = [number for number in range(NODES) if _zone_of(number) == zone]
    return AutoScalingGroup(
        name=f"gpu-{zone}",
        min_size=0,
        max_size=2 * NODES,
        desired=len(mine),
        zones=(zone,),
        tags={
            names.TAG_ENABLED: "true",
            f"{names.TAG_LABEL_PREFIX}{names.ACCELERATOR}": "nvidia-tesla-t4",
        },
        shapes=(SHAPE,),
        instances=tuple(
            Instance(
                id=f"i-{number}",
                zone=zone,
                instance_type=SHAPE.name,
                capacity_type=names.SPOT,
                launched_ms=0,
            )
            for number in mine
        ),
    )
