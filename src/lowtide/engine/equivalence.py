"""Pods that are alike are decided about once (core/scaleup/equivalence at 1.36.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lowtide.model.kube import Pod, PodSpec

MAX_SHAPES_PER_CONTROLLER = 10


@dataclass(slots=True)
class PodGroup:
    """Equivalent pods; ``refused`` says for each node group why its template does not take them."""

    pods: list[Pod]
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    schedulable: bool = False

    @property
    def exemplar(self) -> Pod:
        """The pod that stands for all."""
        return self.pods[0]


def pod_groups(pods: Iterable[Pod]) -> list[PodGroup]:
    """Group pods of the same controller and the same spec; pods without a controller stay alone.

    After ten different shapes of one controller every further odd pod is a group of its own.
    """
    groups: list[PodGroup] = []
    by_owner: dict[str, list[PodGroup]] = {}
    for pod in pods:
        if pod.owner is None or pod.is_daemon:
            groups.append(PodGroup([pod]))
            continue
        known = by_owner.setdefault(pod.owner.uid, [])
        match = next((one for one in known if same_shape(one.exemplar.spec, pod.spec)), None)
        if match is not None:
            match.pods.append(pod)
            continue
        group = PodGroup([pod])
        groups.append(group)
        if len(known) < MAX_SHAPES_PER_CONTROLLER:
            known.append(group)
    return groups


def same_shape(first: PodSpec, second: PodSpec) -> bool:
    """Return whether two specs are equal; pods of one controller usually share the very object."""
    return first is second or first == second
