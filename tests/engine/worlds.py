"""Small worlds for the engine's tests: nodes, pods and groups with only what a test is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lowtide.engine.options import AutoscalerOptions
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup, Instance, InstanceShape
from lowtide.model.kube import Node, Owner, Pod, PodSpec, Taint, Toleration
from lowtide.model.quantity import CPU, MEMORY, NVIDIA_GPU, PODS, resources_of
from lowtide.model.snapshot import Snapshot

GPU_TAINT = Taint(key=NVIDIA_GPU, value="true")
TOLERATES_GPU = (Toleration(key=NVIDIA_GPU, operator="Exists", effect="NoSchedule"),)
T4 = InstanceShape(name="g4dn.xlarge", vcpu=4, memory_mib=16384, gpu=1, arch="amd64")
DISCOVERY = {names.TAG_ENABLED: "true", "k8s.io/cluster-autoscaler/demo": "owned"}
GPU_TAGS = {
    **DISCOVERY,
    names.TAG_LABEL_PREFIX + names.ACCELERATOR: "nvidia-tesla-t4",
    names.TAG_TAINT_PREFIX + NVIDIA_GPU: "true:NoSchedule",
}
OPTIONS = AutoscalerOptions(
    discovery_tags=((names.TAG_ENABLED, ""), ("k8s.io/cluster-autoscaler/demo", "")),
    balance_similar_node_groups=True,
)


def node(name: str, quantities: Mapping[str, str] | None = None, **changes: object) -> Node:
    """A ready node with 4 CPUs, 16 GiB and 110 pods, an hour old."""
    amounts = resources_of({CPU: "4", MEMORY: "16Gi", PODS: "110", **(quantities or {})})
    made = Node(
        name=name,
        labels={names.HOSTNAME: name, names.ZONE: "us-east-1a"},
        capacity=amounts,
        allocatable=amounts,
        ready_since_ms=-3_600_000,
        created_ms=-3_600_000,
        instance_id=f"i-{name}",
    )
    return replace(made, **changes)  # type: ignore[arg-type] # tests name real fields


def gpu_node(name: str, zone: str = "us-east-1a", **changes: object) -> Node:
    """A ready, labelled and tainted one-GPU node."""
    made = node(name, {NVIDIA_GPU: "1"}, taints=(GPU_TAINT,))
    labels = {**made.labels, names.ZONE: zone, names.ACCELERATOR: "nvidia-tesla-t4"}
    return replace(made, labels=labels, **changes)  # type: ignore[arg-type] # tests name real fields


def spec(quantities: Mapping[str, str] | None = None, **changes: object) -> PodSpec:
    """A pod spec with these requests."""
    made = PodSpec(requests=resources_of(quantities or {CPU: "500m"}))
    return replace(made, **changes)  # type: ignore[arg-type] # tests name real fields


GPU_SPEC = spec(
    {CPU: "500m", MEMORY: "1Gi", NVIDIA_GPU: "1"},
    tolerations=TOLERATES_GPU,
    labels={"app": "train"},
)


def pods(
    count: int,
    one: PodSpec = GPU_SPEC,
    *,
    name: str = "train",
    node_name: str | None = None,
    created_ms: int = 0,
    unschedulable_ms: int | None = 0,
) -> tuple[Pod, ...]:
    """Pods of one ReplicaSet, pending and found unschedulable unless bound."""
    return tuple(
        Pod(
            name=f"{name}-{index}",
            uid=f"{name}-{index}",
            spec=one,
            owner=Owner(kind="ReplicaSet", name=name, uid=name),
            node_name=node_name,
            created_ms=created_ms,
            unschedulable_ms=None if node_name else unschedulable_ms,
        )
        for index in range(count)
    )


def group(name: str, zone: str = "us-east-1a", **changes: object) -> AutoScalingGroup:
    """A GPU group of g4dn.xlarge at size zero with a maximum of 10 and every discovery, label and taint tag."""
    made = AutoScalingGroup(
        name=name, min_size=0, max_size=10, desired=0, zones=(zone,), tags=GPU_TAGS, shapes=(T4,)
    )
    return replace(made, **changes)  # type: ignore[arg-type] # tests name real fields


def with_nodes(one: AutoScalingGroup, nodes: tuple[Node, ...]) -> AutoScalingGroup:
    """The group at the size of these nodes, which are its instances."""
    instances = tuple(
        Instance(
            id=each.instance_id,
            zone=one.zones[0],
            instance_type="g4dn.xlarge",
            capacity_type="spot",
            launched_ms=each.created_ms,
        )
        for each in nodes
    )
    return replace(one, desired=len(nodes), instances=instances)


ZONES = (group("gpu-a"), group("gpu-b", "us-east-1b"), group("gpu-c", "us-east-1c"))


def snapshot(**fields: object) -> Snapshot:
    """A snapshot; ``now_ms`` defaults to 31 s, when GPU pods created at 0 are old enough."""
    return Snapshot(**{"now_ms": 31_000, **fields})  # type: ignore[arg-type] # tests name real fields
