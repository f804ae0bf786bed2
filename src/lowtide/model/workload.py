"""Objects a user applies: controllers, bare pods and the few others the twin must know.

These are the values that ``spec`` makes from manifests and that the twin's controllers act on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lowtide.model.kube import LabelSelector, PodSpec
from lowtide.model.meta import Meta as Meta  # noqa: PLC0414 - whoever has objects finds it here, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicated:
    """A Deployment, ReplicaSet, StatefulSet or ReplicationController with identical pods.

    ``volume_claims`` names a StatefulSet's volumeClaimTemplates, which the twin makes no volumes of.
    """

    meta: Meta
    replicas: int
    template: PodSpec
    volume_claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A Job; ``completions`` None means one success ends it when parallelism is 1."""

    meta: Meta
    parallelism: int
    completions: int | None
    backoff_limit: int
    template: PodSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSet:
    """A pod on every node that the template's selector, affinity and tolerations admit."""

    meta: Meta
    template: PodSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class BarePod:
    """A pod without a controller."""

    meta: Meta
    template: PodSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget; exactly one bound is set, an int or a percentage such as ``"50%"``."""

    meta: Meta
    selector: LabelSelector
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityClass:
    """A priority by name."""

    meta: Meta
    value: int
    is_default: bool = False
    preemption_policy: str = "PreemptLowerPriority"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMap:
    """A ConfigMap's data (the autoscaler's priority expander reads one)."""

    meta: Meta
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherObject:
    """An object that is accepted and has no effect in the twin (RBAC, Service, Namespace, ...)."""

    meta: Meta


KubeObject = (
    Replicated | Job | DaemonSet | BarePod | Budget | PriorityClass | ConfigMap | OtherObject
)
