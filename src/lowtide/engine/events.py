"""The events on pods that follow from a decision, in the autoscaler's words.

Made only for whoever shows them: a decision about thousands of pods is carried out without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lowtide.model.decision import Decision, Event, SetDesired

#: Since 1.36 the scheduler's filter, which the autoscaler calls, says that there is a taint and no longer which
#: (recorded for 1.36.3; before, kubernetes pkg/scheduler/framework/plugins/tainttoleration).
_NAMED_TAINT = re.compile(r"untolerated taint \{.*\}")
_TAINTS_UNNAMED_SINCE = (1, 36)


def pod_events(decision: Decision, *, minor: str = "1.36") -> tuple[Event, ...]:
    """Return TriggeredScaleUp and NotTriggerScaleUp for each pod that the decision is about, in the words of a minor."""
    names_taints = tuple(int(word) for word in minor.split(".")) < _TAINTS_UNNAMED_SINCE
    return (*_triggered(decision), *_not_triggered(decision, names_taints=names_taints))


def _triggered(decision: Decision) -> Iterator[Event]:
    grown = [one for one in decision.commands if isinstance(one, SetDesired) and one.pods]
    plan = " ".join(f"{{{one.group} {one.old}->{one.new} (max: {one.max_size})}}" for one in grown)
    for pod in dict.fromkeys(pod for one in grown for pod in one.pods):
        yield Event(
            reason="TriggeredScaleUp",
            subject=f"Pod/{pod}",
            message=f"pod triggered scale-up: [{plan}]",
        )


def _not_triggered(decision: Decision, *, names_taints: bool) -> Iterator[Event]:
    counts: dict[tuple[str, ...], dict[str, int]] = {}
    for refusal in decision.refusals:
        of_pods = counts.setdefault(refusal.pods, {})
        for whole in refusal.reasons:
            reason = whole if names_taints else _NAMED_TAINT.sub("untolerated taint(s)", whole)
            of_pods[reason] = of_pods.get(reason, 0) + 1
    for pods, of_pods in counts.items():
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(of_pods.items()))
        for pod in pods:
            yield Event(
                reason="NotTriggerScaleUp",
                subject=f"Pod/{pod}",
                message=f"pod didn't trigger scale-up: {said}",
            )
