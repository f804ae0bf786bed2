"""Admission: what the API server changes in a pod before anybody sees it.

Why it exists: on EKS a pod that asks for ``nvidia.com/gpu`` gets the toleration for a taint of that key by itself, so
a workload without toleration runs there and fails elsewhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from lowtide.model.kube import PodSpec, Toleration
from lowtide.model.workload import PriorityClass

#: Built into every cluster (kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption).
SYSTEM_PRIORITIES = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The API server refuses to create the pod."""

    message: str


def admit(
    spec: PodSpec, classes: Iterable[PriorityClass], *, extended_resource_toleration: bool
) -> PodSpec | Denied:
    """Return the pod as stored, with its priority and, where the plugin is on, its tolerations."""
    outcome = _with_priority(spec, classes)
    if isinstance(outcome, Denied) or not extended_resource_toleration:
        return outcome
    return _with_tolerations(outcome)


def _with_priority(spec: PodSpec, classes: Iterable[PriorityClass]) -> PodSpec | Denied:
    known = {one.meta.name: one for one in classes}
    name = spec.priority_class
    if name in known:
        found = known[name]
        return dataclasses.replace(
            spec, priority=found.value, preemption_policy=found.preemption_policy
        )
    if name in SYSTEM_PRIORITIES:
        return dataclasses.replace(spec, priority=SYSTEM_PRIORITIES[name])
    if name:
        return Denied(message=f"no PriorityClass with name {name} was found")
    defaults = [one for one in known.values() if one.is_default]
    if defaults and spec.priority == 0:
        return dataclasses.replace(spec, priority=min(one.value for one in defaults))
    return spec


def _with_tolerations(spec: PodSpec) -> PodSpec:
    """Tolerate each requested extended resource (plugin/pkg/admission/extendedresourcetoleration)."""
    missing = tuple(
        Toleration(key=name, operator="Exists")
        for name, amount in sorted(spec.requests.items())
        if amount and _is_extended(name) and not _tolerates_key(spec, name)
    )
    if not missing:
        return spec
    return dataclasses.replace(spec, tolerations=(*spec.tolerations, *missing))


def _is_extended(resource: str) -> bool:
    """Extended resources carry a domain that is not Kubernetes's own."""
    domain = resource.rpartition("/")[0]
    return bool(domain) and not (domain == "kubernetes.io" or domain.endswith(".kubernetes.io"))


def _tolerates_key(spec: PodSpec, key: str) -> bool:
    return any(
        one.key == key and one.operator == "Exists" and not one.effect for one in spec.tolerations
    )
