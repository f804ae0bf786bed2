"""Pods of one shape get one answer.

What makes two pods equal for the filters, whoever owns them; a pass over many pods asks once per shape.
"""

from __future__ import annotations

from collections.abc import Hashable

from lowtide.engine.ledger import Ledger
from lowtide.model.kube import Pod, PodSpec


class Shapes:
    """Shape keys of pods, remembered by spec while this object lives."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        # The spec is kept beside its key: an id is only good while its object lives.
        self._known: dict[int, tuple[PodSpec, Hashable]] = {}

    def of(self, pod: Pod, ledger: Ledger) -> Hashable:
        """Return the pod's shape; where placed pods repel others, labels and namespace are part of it."""
        spec = pod.spec
        found = self._known.get(id(spec))
        if found is None:
            found = self._known[id(spec)] = (spec, _key(spec))
        if ledger.anti_affine or spec.affinity.anti_required or spec.spread:
            return (found[1], pod.namespace, tuple(sorted(spec.labels.items())))
        return found[1]


def is_monotone(spec: PodSpec) -> bool:
    """Return whether placing other pods can never make such a pod fit: it wants no company and no balance."""
    return not spec.spread and not spec.affinity.pod_required


def _key(spec: PodSpec) -> Hashable:
    return (
        tuple(sorted(spec.requests.items())),
        spec.tolerations,
        tuple(sorted(spec.node_selector.items())),
        spec.affinity,
        spec.spread,
        spec.host_ports,
    )
