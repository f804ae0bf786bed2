"""Which groups are alike, and how new nodes are split over them (processors/nodegroupset at 1.36.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lowtide.engine.options import AutoscalerOptions
from lowtide.engine.provider import KnownGroup
from lowtide.engine.template import Template
from lowtide.model import names
from lowtide.model.quantity import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, Resources

# Labels that may differ between similar groups: upstream's basic set and the AWS provider's.
IGNORED_LABELS = frozenset(
    {
        names.HOSTNAME,
        names.ZONE,
        names.REGION,
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "beta.kubernetes.io/fluentd-ds-ready",
        "kops.k8s.io/instancegroup",
        "alpha.eksctl.io/instance-id",
        names.EKSCTL_NODEGROUP,
        "eks.amazonaws.com/nodegroup",
        "k8s.amazonaws.com/eniConfig",
        "lifecycle",
        names.EBS_CSI_ZONE,
        "topology.k8s.aws/zone-id",
    }
)

_ALWAYS_COMPARED = (CPU, MEMORY, EPHEMERAL_STORAGE, PODS)


def are_similar(first: Template, second: Template, options: AutoscalerOptions) -> bool:
    """Return whether scale-ups may be split between the two groups.

    ``--balancing-label`` compares nothing but those labels.
    """
    labels, others = first.node.labels, second.node.labels
    if options.balancing_labels:
        return all(
            key in labels and key in others and labels[key] == others[key]
            for key in options.balancing_labels
        )
    if not _same_capacity(first, second, options):
        return False
    if not _within(
        first.node.allocatable, second.node.allocatable, options.max_allocatable_difference_ratio
    ):
        return False
    if not _within(_free(first), _free(second), options.max_free_difference_ratio):
        return False
    ignored = IGNORED_LABELS | set(options.balancing_ignore_labels)
    return all(
        labels.get(key) == others.get(key) for key in (labels.keys() | others.keys()) - ignored
    )


def _same_capacity(first: Template, second: Template, options: AutoscalerOptions) -> bool:
    one, other = first.node.capacity, second.node.capacity
    if one.keys() != other.keys():
        return False
    for name, amount in one.items():
        if name == MEMORY:
            if not _close(amount, other[name], options.memory_difference_ratio):
                return False
        elif amount != other[name]:
            return False
    return True


def _free(template: Template) -> dict[str, int]:
    """Return allocatable less what daemon pods request; the number of pods is not counted."""
    free = {name: template.node.allocatable.get(name, 0) for name in _ALWAYS_COMPARED}
    for pod in template.daemons:
        for name, amount in pod.spec.requests.items():
            free[name] = free.get(name, template.node.allocatable.get(name, 0)) - amount
    return free


def _within(first: Resources, second: Resources, ratio: float) -> bool:
    return first.keys() == second.keys() and all(
        _close(amount, second[name], ratio) for name, amount in first.items()
    )


def _close(first: int, second: int, ratio: float) -> bool:
    return abs(first - second) <= max(first, second) * ratio


def split(groups: Sequence[KnownGroup], nodes: int) -> list[tuple[KnownGroup, int]]:
    """Return (group, new target) after adding nodes one by one to the smallest group with room.

    Groups of equal size are served in the given order; what exceeds the room of all is dropped.
    """
    order = sorted((one for one in groups if one.target < one.max_size), key=lambda one: one.target)
    targets: dict[str, int] = {one.name: one.target for one in order}
    room = sum(one.max_size - one.target for one in order)
    for _ in range(min(nodes, room)):
        smallest = min(
            (one for one in order if targets[one.name] < one.max_size),
            key=lambda one: targets[one.name],
        )
        targets[smallest.name] += 1
    return [(one, targets[one.name]) for one in order if targets[one.name] != one.target]


def similar_groups(
    group: str, templates: Mapping[str, Template], options: AutoscalerOptions
) -> list[str]:
    """Return the other groups similar to this one."""
    if not options.balance_similar_node_groups or group not in templates:
        return []
    own = templates[group]
    return [
        name
        for name, template in templates.items()
        if name != group and are_similar(own, template, options)
    ]
