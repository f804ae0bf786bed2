"""What a new node of a group would look like: the autoscaler's template.

Sources in upstream's order (processors/nodeinfosprovider at 1.36.1): a real node that has been ready
for a minute, else the cached template of an earlier one, else the group's type and tags. The last one
knows nothing reserved and 110 pods; that difference makes most "works only the first time" trouble.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lowtide.engine.filters import node_affinity_matches, tolerates
from lowtide.engine.options import MINUTE
from lowtide.engine.provider import KnownGroup
from lowtide.model import names
from lowtide.model.kube import Node, Owner, Pod, PodSpec, Taint, Toleration
from lowtide.model.quantity import CPU, MEMORY, MIB, NVIDIA_GPU, PODS, Resources, amount_of
from lowtide.model.workload import DaemonSet

STABLE_MS = MINUTE
"""A node becomes a template once it has been Ready for longer than this."""

TEMPLATE_PODS = 110
TEMPLATE_LABEL = "cluster-autoscaler.kubernetes.io/template-node"

_TAINT_VALUE = re.compile(r"^(.*):(NoSchedule|NoExecute|PreferNoSchedule)$")
# Set by the kubelet or the node controller and gone from a healthy fresh node
# (utils/taints, NodeConditionTaints and the autoscaler's own).
_PASSING_TAINTS = frozenset(
    {
        names.TAINT_NOT_READY,
        names.TAINT_UNREACHABLE,
        names.TAINT_UNSCHEDULABLE,
        "node.kubernetes.io/memory-pressure",
        "node.kubernetes.io/disk-pressure",
        "node.kubernetes.io/pid-pressure",
        "node.kubernetes.io/network-unavailable",
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.cloudprovider.kubernetes.io/shutdown",
        names.TAINT_TO_BE_DELETED,
        names.TAINT_DELETION_CANDIDATE,
    }
)
_STARTUP_PREFIXES = (
    "startup-taint.cluster-autoscaler.kubernetes.io/",
    "ignore-taint.cluster-autoscaler.kubernetes.io/",
    "status-taint.cluster-autoscaler.kubernetes.io/",
)
_DEPRECATED = {
    names.ZONE: "failure-domain.beta.kubernetes.io/zone",
    names.REGION: "failure-domain.beta.kubernetes.io/region",
    names.INSTANCE_TYPE: "beta.kubernetes.io/instance-type",
    names.ARCH: "beta.kubernetes.io/arch",
    names.OS: "beta.kubernetes.io/os",
}
# The DaemonSet controller adds these to every daemon pod (pkg/controller/daemon/util).
DAEMON_TOLERATIONS = (
    Toleration(key=names.TAINT_NOT_READY, operator="Exists", effect="NoExecute"),
    Toleration(key=names.TAINT_UNREACHABLE, operator="Exists", effect="NoExecute"),
    Toleration(key="node.kubernetes.io/disk-pressure", operator="Exists", effect="NoSchedule"),
    Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists", effect="NoSchedule"),
    Toleration(key="node.kubernetes.io/pid-pressure", operator="Exists", effect="NoSchedule"),
    Toleration(key=names.TAINT_UNSCHEDULABLE, operator="Exists", effect="NoSchedule"),
)
# The provider adds a static kube-proxy pod to every template of its own (BuildKubeProxy).
_STATIC_KUBE_PROXY = PodSpec(requests={CPU: 100})


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A new node of a group: the node, the daemon pods on it, and what the scheduler counts as allocatable.

    ``node.allocatable`` may name more than ``allocatable``: the provider copies missing resources from the tags
    into the Node object only, which balancing reads and the scheduler's filters do not.
    """

    node: Node
    daemons: tuple[Pod, ...]
    allocatable: Resources


def from_group(group: KnownGroup, daemon_sets: Iterable[DaemonSet]) -> Template | None:
    """Return the template made from the group's type and tags; None when its type is unknown."""
    shape = group.shape
    if shape is None:
        return None
    capacity: dict[str, int] = {
        PODS: TEMPLATE_PODS,
        CPU: shape.vcpu * 1000,
        MEMORY: shape.memory_mib * MIB,
        NVIDIA_GPU: shape.gpu,
    }
    capacity.update(_tag_resources(group.tags))
    zone = group.zones[0]
    name = f"template-node-for-{group.name}"
    labels = {
        names.ARCH: shape.arch,
        names.OS: "linux",
        names.INSTANCE_TYPE: shape.name,
        names.REGION: zone[:-1],
        names.ZONE: zone,
        names.EBS_CSI_ZONE: zone,
        **_tag_labels(group.tags),
        names.HOSTNAME: name,
        TEMPLATE_LABEL: "true",
    }
    labels.update({old: labels[new] for new, old in _DEPRECATED.items()})
    node = Node(
        name=name,
        labels=labels,
        taints=_tag_taints(group.tags),
        capacity=capacity,
        allocatable=capacity,
    )
    static = Pod(
        name=f"kube-proxy-{group.name}",
        namespace=names.SYSTEM_NAMESPACE,
        uid=f"static-{group.name}",
        spec=_STATIC_KUBE_PROXY,
    )
    daemons = (static, *daemon_pods(node, daemon_sets))
    return Template(node=node, daemons=daemons, allocatable=capacity)


def from_node(
    node: Node,
    group: KnownGroup,
    pods: Iterable[Pod],
    daemon_sets: Iterable[DaemonSet],
    *,
    force: bool = False,
) -> Template:
    """Return the template made from a real node: its daemon pods stay, everything else goes.

    ``force`` expects the pod of every DaemonSet that suits, there or not (--force-ds).
    """
    name = f"template-node-for-{group.name}"
    fresh = replace(
        node,
        name=name,
        labels={**node.labels, names.HOSTNAME: name, TEMPLATE_LABEL: "true"},
        taints=tuple(one for one in node.taints if not _is_passing(one)),
        instance_id="",
    )
    kept = tuple(pod for pod in pods if pod.is_daemon and pod.deleting_ms is None)
    running = {(pod.namespace, pod.owner.name) for pod in kept if pod.owner}
    # A daemon pod that is not there yet is expected only if it may preempt its way in.
    awaited = (
        one
        for one in daemon_sets
        if (one.meta.namespace, one.meta.name) not in running
        and (force or one.template.priority_class == "system-node-critical")
    )
    return Template(
        node=fresh,
        daemons=(*kept, *daemon_pods(fresh, awaited)),
        allocatable=node.allocatable,
    )


def overlaid(template: Template, group: KnownGroup) -> Template:
    """Return a real node's template with resources that it lacks copied from type and tags."""
    shape = group.shape
    if shape is None:
        return template
    known = {PODS: TEMPLATE_PODS, NVIDIA_GPU: shape.gpu, **_tag_resources(group.tags)}
    node = template.node
    if all(name in node.capacity and name in node.allocatable for name in known):
        return template
    return replace(
        template,
        node=replace(
            node,
            capacity={**known, **node.capacity},
            allocatable={**known, **node.allocatable},
        ),
    )


def is_good_source(node: Node, *, ready: bool, now_ms: int) -> bool:
    """Return whether a real node may stand for its group."""
    return (
        ready
        and node.ready_since_ms + STABLE_MS < now_ms
        and not node.unschedulable
        and all(one.key != names.TAINT_TO_BE_DELETED for one in node.taints)
    )


def daemon_pods(node: Node, daemon_sets: Iterable[DaemonSet]) -> tuple[Pod, ...]:
    """Return the daemon pods that would run on a node, by selector, affinity and taints."""
    return tuple(
        Pod(
            name=f"{one.meta.name}-on-{node.name}",
            namespace=one.meta.namespace,
            uid=f"{one.meta}-on-{node.name}",
            spec=one.template,
            owner=Owner(kind="DaemonSet", name=one.meta.name, uid=str(one.meta)),
        )
        for one in daemon_sets
        if runs_daemon(node, one)
    )


def runs_daemon(node: Node, daemon_set: DaemonSet) -> bool:
    """Return whether the DaemonSet controller puts a pod on the node."""
    spec = daemon_set.template
    if not node_affinity_matches(spec, node):
        return False
    tolerant = replace(spec, tolerations=(*spec.tolerations, *DAEMON_TOLERATIONS))
    return tolerates(tolerant, node.taints)


def _is_passing(taint: Taint) -> bool:
    return taint.key in _PASSING_TAINTS or taint.key.startswith(_STARTUP_PREFIXES)


def _tagged(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key[len(prefix) :]: value for key, value in tags.items() if key.startswith(prefix)}


def _tag_labels(tags: Mapping[str, str]) -> dict[str, str]:
    return _tagged(tags, names.TAG_LABEL_PREFIX)


def _tag_taints(tags: Mapping[str, str]) -> tuple[Taint, ...]:
    """Taints are honoured only as VALUE:EFFECT; anything else is ignored in silence."""
    taints = []
    for key, text in sorted(_tagged(tags, names.TAG_TAINT_PREFIX).items()):
        found = _TAINT_VALUE.match(text)
        if found:
            taints.append(Taint(key=key, value=found[1], effect=found[2]))
    return tuple(taints)


def _tag_resources(tags: Mapping[str, str]) -> dict[str, int]:
    amounts = {}
    for key, text in _tagged(tags, names.TAG_RESOURCE_PREFIX).items():
        try:
            amounts[key] = amount_of(key, text)
        except ValueError:
            continue  # upstream drops what it cannot parse
    return amounts
