"""Puts together what AWS and Kubernetes say of a live cluster.

Why it exists: a node is an instance to one and an object to the other; a pod that waits is explained by the scheduler, the autoscaler or the
kubelet. One pure function makes one picture of it.

What it must not know: how the facts were read, and how they are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.explain.rates import around_usd_per_hour, fixed_usd_per_hour
from lowtide.model.catalog import PriceDates
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.cluster_status import (
    AutoscalerProgram,
    ClusterStatus,
    CostNow,
    GpuCount,
    GroupRow,
    NodeRow,
    WaitingPods,
)
from lowtide.model.names import ON_DEMAND, SPOT
from lowtide.model.node_groups import SeenGroup, SeenInstance
from lowtide.model.quantity import NVIDIA_GPU, amount_of

Object = Mapping[str, Any]
#: From type, zone and whether it is spot to USD per hour, None where nobody knows.
Price = Callable[[str, str, bool], float | None]

_IN_SERVICE = "InService"
_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesView:
    """Objects of the API server. ``events`` are of pods; ``refused`` is why there are none of all these."""

    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    autoscaler: str = ""
    program: AutoscalerProgram | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsView:
    """What AWS says of the cluster."""

    name: str
    region: str
    account: str
    status: str
    version: str
    ours: bool
    groups: tuple[SeenGroup, ...]
    control_plane_usd_per_hour: float
    price_dates: PriceDates = field(default_factory=PriceDates)


def cluster_status(
    aws: AwsView,
    kube: KubernetesView,
    *,
    price: Price,
    now_s: float,
    at: str,
    resolved: ResolvedCluster | None = None,
) -> ClusterStatus:
    """Return the picture.

    Args:
        aws: what AWS says.
        kube: what Kubernetes says.
        price: of an instance.
        now_s: seconds since the epoch, from which ages count.
        at: the same as text.
        resolved: the cluster by its file, for what only that says of costs; None without one.
    """
    nodes = {_instance_of(one): one for one in kube.nodes}
    held = _held_by_node(kube.pods)
    rows = tuple(
        _node_row(group, one, nodes.get(one.id), held, price=price, now_s=now_s)
        for group in aws.groups
        for one in group.instances
    )
    return ClusterStatus(
        name=aws.name,
        region=aws.region,
        account=aws.account,
        status=aws.status,
        version=aws.version,
        ours=aws.ours,
        at=at,
        groups=tuple(_group_row(one, rows) for one in aws.groups),
        nodes=rows,
        gpus=_gpus(kube, nodes.values()),
        waiting=_waiting(kube, now_s),
        pods_running=sum(1 for one in kube.pods if one["status"].get("phase") == "Running"),
        cost=_cost(aws, rows, resolved),
        price_dates=aws.price_dates,
        autoscaler=kube.autoscaler,
        program=kube.program,
        kubernetes=kube.refused,
    )


def _node_row(
    group: SeenGroup,
    one: SeenInstance,
    node: Object | None,
    held: Mapping[str, int],
    *,
    price: Price,
    now_s: float,
) -> NodeRow:
    name = "" if node is None else node["metadata"]["name"]
    age_s = None if one.launched_at is None else max(0.0, now_s - one.launched_at.timestamp())
    return NodeRow(
        name=name,
        group=group.name,
        instance_id=one.id,
        instance_type=one.instance_type,
        zone=one.zone,
        spot=one.spot,
        state=_state(one, node),
        gpus=0 if node is None else _offered(node),
        gpus_used=held.get(name, 0) if name else 0,
        age_s=age_s,
        usd_per_hour=price(one.instance_type, one.zone, one.spot),
    )


def _state(one: SeenInstance, node: Object | None) -> str:
    if node is None or one.state != _IN_SERVICE:
        return one.state
    return "ready" if _is_ready(node) else "not ready"


def _group_row(group: SeenGroup, rows: Iterable[NodeRow]) -> GroupRow:
    mine = [one for one in rows if one.group == group.name]
    on_demand, spot = group.bought(max(group.max_size, 1))
    bought = ON_DEMAND if not spot else SPOT if not on_demand else "mixed"
    return GroupRow(
        name=group.name,
        types=group.types,
        zones=group.zones,
        bought=bought,
        min_size=group.min_size,
        max_size=group.max_size,
        desired=group.desired,
        in_service=sum(1 for one in group.instances if one.state == _IN_SERVICE),
        ready=sum(1 for one in mine if one.state == "ready"),
        gpus=sum(one.gpus for one in mine),
        lost=group.lost,
        trouble=group.trouble if group.desired > len(group.instances) else "",
        usd_per_hour=math.fsum(one.usd_per_hour or 0.0 for one in mine),
    )


def _gpus(kube: KubernetesView, nodes: Iterable[Object]) -> GpuCount:
    wanting = [one for one in kube.pods if one["status"].get("phase") not in _FINISHED]
    return GpuCount(
        asked=sum(map(_gpus_of, wanting)),
        held=sum(_gpus_of(one) for one in wanting if one["spec"].get("nodeName")),
        offered=sum(_offered(one) for one in nodes if _is_ready(one)),
    )


def _held_by_node(pods: Iterable[Object]) -> dict[str, int]:
    held: dict[str, int] = {}
    for one in pods:
        node = one["spec"].get("nodeName")
        if node and one["status"].get("phase") not in _FINISHED:
            held[node] = held.get(node, 0) + _gpus_of(one)
    return held


def _waiting(kube: KubernetesView, now_s: float) -> tuple[WaitingPods, ...]:
    """Return pods that wait, those of one owner and one reason together, the longest wait first."""
    from lowtide.kube.reading import milliseconds  # noqa: PLC0415 - loads the readers of manifests

    told = _autoscaler_words(kube.events)
    found: dict[tuple[str, str], list[Object]] = {}
    for one in kube.pods:
        if one["status"].get("phase") == "Pending":
            found.setdefault((_owner(one), _reason(one, told)), []).append(one)
    rows = []
    for (owner, reason), pods in found.items():
        since_ms = min(milliseconds(one["metadata"].get("creationTimestamp")) for one in pods)
        rows.append(
            WaitingPods(
                owner=owner,
                pods=tuple(
                    f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in pods
                ),
                gpus=sum(map(_gpus_of, pods)),
                reason=reason,
                since_s=max(0.0, now_s - since_ms / 1000),
            )
        )
    return tuple(sorted(rows, key=lambda one: (-one.since_s, one.owner)))


def _reason(pod: Object, told: Mapping[str, str]) -> str:
    """Return the first reason: what the kubelet says of a container, else the scheduler, with the autoscaler's word behind it."""
    status = pod["status"]
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = one.get("state", {}).get("waiting") or {}
        if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            return ": ".join(filter(None, (waiting["reason"], waiting.get("message", ""))))
    for one in status.get("conditions", ()):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            said = one.get("message") or one.get("reason", "")
            more = told.get(pod["metadata"].get("uid", ""), "")
            return f"{said} ({more})" if more else str(said)
    return (
        "its containers start" if pod["spec"].get("nodeName") else "the scheduler has not seen it"
    )


def _autoscaler_words(events: Iterable[Object]) -> dict[str, str]:
    """Return the newest event of the autoscaler by the pod's uid: that a node comes, or why none does."""
    found: dict[str, tuple[str, str]] = {}
    for one in events:
        if one.get("reason") not in {"TriggeredScaleUp", "NotTriggerScaleUp"}:
            continue
        when = str(
            one.get("lastTimestamp") or one.get("eventTime") or one["metadata"]["creationTimestamp"]
        )
        uid = one.get("involvedObject", {}).get("uid", "")
        found[uid] = max(found.get(uid, ("", "")), (when, str(one.get("message", ""))))
    return {uid: message for uid, (_, message) in found.items()}


def _owner(pod: Object) -> str:
    metadata = pod["metadata"]
    namespace = metadata.get("namespace", "default")
    for one in metadata.get("ownerReferences") or ():
        if one.get("controller"):
            name = one["name"]
            hashed = metadata.get("labels", {}).get("pod-template-hash", "")
            if one["kind"] == "ReplicaSet" and hashed:
                return f"Deployment {namespace}/{name.removesuffix('-' + hashed)}"
            return f"{one['kind']} {namespace}/{name}"
    return f"Pod {namespace}/{metadata['name']}"


def _gpus_of(pod: Object) -> int:
    """Return the GPUs that a pod asks for: of its containers together, or of one init container if that is more."""
    spec = pod["spec"]
    together = sum(map(_container_gpus, spec.get("containers", ())))
    return max([together, *map(_container_gpus, spec.get("initContainers") or ())])


def _container_gpus(container: Object) -> int:
    resources = container.get("resources") or {}
    both = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    return amount_of(NVIDIA_GPU, both[NVIDIA_GPU]) if NVIDIA_GPU in both else 0


def _offered(node: Object) -> int:
    allocatable = node.get("status", {}).get("allocatable") or {}
    return amount_of(NVIDIA_GPU, allocatable[NVIDIA_GPU]) if NVIDIA_GPU in allocatable else 0


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _instance_of(node: Object) -> str:
    return str(node.get("spec", {}).get("providerID", "")).rpartition("/")[2]


def _cost(aws: AwsView, rows: tuple[NodeRow, ...], resolved: ResolvedCluster | None) -> CostNow:
    nodes = math.fsum(one.usd_per_hour or 0.0 for one in rows)
    unpriced = tuple(sorted({one.instance_type for one in rows if one.usd_per_hour is None}))
    if resolved is None:
        return CostNow(
            nodes=nodes,
            fixed=aws.control_plane_usd_per_hour,
            around=0.0,
            without=("NAT gateways", "volumes", "public addresses"),
            unpriced=unpriced,
        )
    groups = {one.name: around_usd_per_hour(one, resolved.network) for one in resolved.node_groups}
    return CostNow(
        nodes=nodes,
        fixed=fixed_usd_per_hour(resolved),
        around=math.fsum(groups.get(one.group, 0.0) for one in rows),
        unpriced=unpriced,
    )
