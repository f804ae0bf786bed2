"""Why a pod did not get a node, in one sentence.

Why it exists: six different faults share the scheduler's words "Insufficient nvidia.com/gpu"; the
autoscaler's answer for each group and the facts of the file tell them apart.

What it must not know: how the reasons were found, and how the sentence is shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lowtide.model.quantity import CPU, GIB, MEMORY, NVIDIA_GPU, Resources, format_amount

#: Last reasons by subject: ``node/NAME``, ``group/NAME``, ``cluster`` or ``scheduler``.
Reasons = Mapping[str, tuple[str, ...]]

# The field's words: Cluster Autoscaler 1.36 core/scaleup/orchestrator/skippedreasons.go, kube-scheduler's
# filter plugins (1.36 no longer names the taint: "untolerated taint(s)"), and the twin's own.
SCHEDULER: Final = "scheduler"
NO_AUTOSCALER: Final = "no autoscaler is running"
UNDISCOVERED: Final = "not discovered by the autoscaler"
AT_MAXIMUM: Final = "max node group size reached"
IN_BACKOFF: Final = "in backoff after failed scale-up"
NOT_READY: Final = "not ready for scale-up"
TAINT: Final = "untolerated taint"
SELECTOR: Final = "node affinity/selector"
INSUFFICIENT: Final = "Insufficient "

_TAINT_NAME = re.compile(r"untolerated taint (\{[^}]*\})")
_RESOURCE = re.compile(r"Insufficient ([\w./-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Facts of the file and the run that the reasons do not hold.

    ``groups`` could matter to the pod: those with GPUs when it asks for GPUs, else all. ``silent_groups`` had nodes
    that joined and never offered their GPUs. ``asked`` is what the pod requests, ``offered`` per resource the most
    that a node of the groups has allocatable.
    """

    groups: tuple[str, ...] = ()
    silent_groups: tuple[str, ...] = ()
    asked: Resources = field(default_factory=dict)
    offered: Resources = field(default_factory=dict)


NOTHING_KNOWN: Final = Surroundings()


def cause_sentence(reasons: Reasons, *, around: Surroundings = NOTHING_KNOWN) -> str:
    """Return the one cause that has to go first, as a sentence for a person.

    What no node of the file can give comes first, then what keeps the autoscaler from acting, then groups that
    could have taken the pod but may not grow, then groups that could never take it.
    """
    answers = _answers_of_groups(reasons, around)
    return (
        _no_scheduler(reasons)
        or _too_large(reasons, around)
        or _no_device_plugin(answers, around)
        or _no_autoscaler(reasons)
        or _unknown_groups(reasons, answers, around)
        or _cannot_grow(answers)
        or _not_admitted(answers)
        or _too_small(answers)
        or _as_recorded(reasons)
    )


def _answers_of_groups(reasons: Reasons, around: Surroundings) -> dict[str, str]:
    """Return the reasons of each group that could matter as one text."""
    answers = {}
    for subject, words in reasons.items():
        scope, _, name = subject.partition("/")
        if scope == "group" and (name in around.groups or not around.groups):
            answers[name] = ", ".join(words)
    return answers


def _no_scheduler(reasons: Reasons) -> str:
    said = reasons.get(SCHEDULER, ())
    return f"Its schedulerName asks for another scheduler: {said[0]}." if said else ""


def _too_large(reasons: Reasons, around: Surroundings) -> str:
    said = {
        found for words in reasons.values() for one in words for found in _RESOURCE.findall(one)
    }
    for resource in (NVIDIA_GPU, CPU, MEMORY):
        asked, offered = around.asked.get(resource, 0), around.offered.get(resource, 0)
        if asked > offered and resource in said:
            if not offered:
                return f"It asks for {_amount(resource, asked)}, and no node group of the file has any."
            return (
                f"It asks for {_amount(resource, asked)}, "
                f"and the largest node of its groups offers {_amount(resource, offered)}."
            )
    return ""


def _no_device_plugin(answers: Mapping[str, str], around: Surroundings) -> str:
    # A group that the pod may not use at all is not what it waits for.
    silent = [
        name
        for name in around.silent_groups
        if TAINT not in answers.get(name, "") and SELECTOR not in answers.get(name, "")
    ]
    if not silent:
        return ""
    return (
        f"Nodes of {_listed(silent)} joined but never offered {NVIDIA_GPU}: "
        "no device plugin pod runs on them (is it applied, and does it tolerate their taints?)."
    )


def _no_autoscaler(reasons: Reasons) -> str:
    said = reasons.get("cluster", ())
    for one in said:
        if NO_AUTOSCALER in one:
            problem = one.partition(NO_AUTOSCALER)[2].strip(" :")
            why = f" ({problem})" if problem else ""
            return f"No autoscaler is running{why}, so no node is added for it."
    return f"The autoscaler adds no node anywhere: {', '.join(said)}." if said else ""


def _unknown_groups(reasons: Reasons, answers: Mapping[str, str], around: Surroundings) -> str:
    unseen = _saying(UNDISCOVERED, answers)
    if unseen and len(unseen) == len(answers):
        problems = {answers[name].partition(UNDISCOVERED)[2].strip(" :") for name in unseen}
        why = f": {' and '.join(sorted(problems))}" if any(problems) else ""
        return f"The autoscaler does not know {_listed(unseen)}{why}."
    if answers or not around.groups:
        return ""
    if any(subject.startswith("group/") for subject in reasons):
        return (
            f"The autoscaler knows other node groups but not {_listed(around.groups)}: "
            "do its discovery tags match theirs?"
        )
    return ""


def _cannot_grow(answers: Mapping[str, str]) -> str:
    if full := _saying(AT_MAXIMUM, answers):
        return f"Every node group that could be tried is at its maximum size (maxSize): {_listed(full)}."
    if failed := _saying(IN_BACKOFF, answers):
        return (
            f"AWS did not deliver nodes for {_listed(failed)}, "
            "and the autoscaler waits before it tries again."
        )
    if unhealthy := _saying(NOT_READY, answers):
        return (
            f"The autoscaler adds no node to {_listed(unhealthy)}: "
            "nodes there are unhealthy, or it does not know the instance type."
        )
    return ""


def _not_admitted(answers: Mapping[str, str]) -> str:
    if tainted := _saying(TAINT, answers):
        names = sorted({found for one in answers.values() for found in _TAINT_NAME.findall(one)})
        taints = f"the taint {' and '.join(names)}" if names else "a taint"
        return f"It does not tolerate {taints} of {_listed(tainted)}."
    if others := _saying(SELECTOR, answers):
        return (
            f"As the autoscaler sees them, nodes of {_listed(others)} "
            "do not have the labels that its node selector or affinity asks for."
        )
    return ""


def _too_small(answers: Mapping[str, str]) -> str:
    small = _saying(INSUFFICIENT, answers)
    if not small:
        return ""
    lacking = sorted({found for name in small for found in _RESOURCE.findall(answers[name])})
    return f"A new node of {_listed(small)} would not have enough {' and '.join(lacking)} for it."


def _as_recorded(reasons: Reasons) -> str:
    """Quote the reasons with their counts, as the scheduler's and the autoscaler's events do."""
    counts = Counter(one for words in reasons.values() for one in words)
    if not counts:
        return "Nothing had looked at it when the run ended."
    said = ", ".join(
        f"{count} {one}" for one, count in sorted(counts.items(), key=lambda item: (-item[1], item))
    )
    return f"No node and no node group took it: {said}."


def _saying(words: str, answers: Mapping[str, str]) -> list[str]:
    return [name for name, answer in answers.items() if words in answer]


def _listed(names: Iterable[str]) -> str:
    ordered: Sequence[str] = sorted(names)
    if len(ordered) > 4:
        return f"{', '.join(ordered[:3])} and {len(ordered) - 3} more"
    return " and ".join(filter(None, (", ".join(ordered[:-1]), ordered[-1])))


def _amount(resource: str, amount: int) -> str:
    if resource == MEMORY:
        return f"{amount / GIB:.2f} GiB of memory"
    return f"{format_amount(resource, amount)} {resource}"
