"""Kubernetes objects as the scheduler and the autoscaler see them.

Times are whole milliseconds of the run's clock. A ``PodSpec`` is shared by all pods of one
controller, so identity comparison is a cheap first test of "same shape".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from lowtide.model import names
from lowtide.model.quantity import NVIDIA_GPU, Resources
from lowtide.model.taints import Taint as Taint  # noqa: PLC0414 - whoever has nodes and pods finds it here, too
from lowtide.model.taints import Toleration as Toleration  # noqa: PLC0414 - as above

EMPTY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One expression over labels: In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the labels satisfy the expression (labels.Requirement.Matches)."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return self._compares(value)
            case _:
                return False

    def _compares(self, value: str | None) -> bool:
        try:
            have, bound = int(value or ""), int(self.values[0])
        except (ValueError, IndexError):
            return False
        return have > bound if self.operator == "Gt" else have < bound


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """All requirements must hold; no requirement matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the labels satisfy every requirement."""
        return all(one.matches(labels) for one in self.requirements)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSelectorTerm:
    """Node affinity term: expressions over labels and fields (``metadata.name``), all must hold."""

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferredTerm:
    """A node affinity term with a weight of 1 to 100."""

    weight: int
    term: NodeSelectorTerm


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAffinityTerm:
    """Pods matching the selector in these namespaces, in one topology domain.

    ``namespaces`` empty means the pod's own namespace; ``weight`` 0 marks a required term.
    """

    selector: LabelSelector
    topology_key: str
    namespaces: tuple[str, ...] = ()
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologySpread:
    """A topology spread constraint; hard when ``when_unsatisfiable`` is DoNotSchedule."""

    max_skew: int
    topology_key: str
    selector: LabelSelector
    when_unsatisfiable: str = "DoNotSchedule"
    min_domains: int = 1
    node_affinity_policy: str = "Honor"
    node_taints_policy: str = "Ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Affinity:
    """Node affinity, pod affinity and pod anti-affinity of a pod."""

    node_required: tuple[NodeSelectorTerm, ...] = ()
    node_preferred: tuple[PreferredTerm, ...] = ()
    pod_required: tuple[PodAffinityTerm, ...] = ()
    pod_preferred: tuple[PodAffinityTerm, ...] = ()
    anti_required: tuple[PodAffinityTerm, ...] = ()
    anti_preferred: tuple[PodAffinityTerm, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container, as far as anything here depends on it."""

    name: str = "main"
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


class LocalVolume(enum.StrEnum):
    """Volumes that live on the node; all but memory block scale-down."""

    EMPTY_DIR = "emptyDir"
    EMPTY_DIR_MEMORY = "emptyDirMemory"
    HOST_PATH = "hostPath"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec:
    """Everything about a pod that all pods of its controller share.

    ``requests`` is what the scheduler counts: containers summed, init containers by maximum.
    ``run_seconds`` is how long a simulated container runs before it exits 0; None is until deleted.
    ``local_volumes`` holds (name, kind) pairs; ``host_ports`` (protocol, port) pairs.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    requests: Resources = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Affinity = Affinity()
    spread: tuple[TopologySpread, ...] = ()
    priority: int = 0
    priority_class: str = ""
    preemption_policy: str = "PreemptLowerPriority"
    host_ports: tuple[tuple[str, int], ...] = ()
    local_volumes: tuple[tuple[str, LocalVolume], ...] = ()
    containers: tuple[Container, ...] = ()
    run_seconds: float | None = None
    restart_policy: str = "Always"
    scheduler_name: str = "default-scheduler"
    grace_seconds: int = 30

    @property
    def gpus(self) -> int:
        """Number of NVIDIA GPUs requested."""
        return self.requests.get(NVIDIA_GPU, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The controller of a pod (Deployment pods are owned by a ReplicaSet)."""

    kind: str
    name: str
    uid: str


class Phase(enum.StrEnum):
    """Pod phases."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod at one moment.

    ``unschedulable_ms`` is the time of the PodScheduled=False/Unschedulable condition, None while
    the scheduler has not refused it. ``deleting_ms`` is set while it terminates.
    """

    name: str
    namespace: str = "default"
    uid: str
    spec: PodSpec
    owner: Owner | None = None
    node_name: str | None = None
    phase: Phase = Phase.PENDING
    created_ms: int = 0
    unschedulable_ms: int | None = None
    deleting_ms: int | None = None

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def is_daemon(self) -> bool:
        """Whether a DaemonSet owns it."""
        return self.owner is not None and self.owner.kind == "DaemonSet"

    @property
    def is_finished(self) -> bool:
        """Whether it has ended by itself."""
        return self.phase in {Phase.SUCCEEDED, Phase.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node at one moment; ``ready_since_ms`` is the last transition of the kubelet's Ready."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    capacity: Resources = field(default_factory=dict)
    allocatable: Resources = field(default_factory=dict)
    ready: bool = True
    ready_since_ms: int = 0
    created_ms: int = 0
    unschedulable: bool = False
    instance_id: str = ""

    @property
    def zone(self) -> str:
        """The node's zone label, empty when unknown."""
        return self.labels.get(names.ZONE, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDisruptionBudget:
    """How many pods matching the selector may be evicted now."""

    name: str
    namespace: str
    selector: LabelSelector
    disruptions_allowed: int
