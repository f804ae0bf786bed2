"""The events on pods that follow from a decision, in the autoscaler's words.

Made only for whoever shows them: a decision about thousands of pods is carried out without them.
"""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.model.decision import Decision, Event, SetDesired


def pod_events(decision: Decision) -> tuple[Event, ...]:
    """Return TriggeredScaleUp and NotTriggerScaleUp for each pod that the decision is about."""
    return (*_triggered(decision), *_not_triggered(decision))


def _triggered(decision: Decision) -> Iterator[Event]:
    grown = [one for one in decision.commands if isinstance(one, SetDesired) and one.pods]
    plan = " ".join(f"{{{one.group} {one.old}->{one.new} (max: {one.max_size})}}" for one in grown)
    for pod in dict.fromkeys(pod for one in grown for pod in one.pods):
        yield Event(
            reason="TriggeredScaleUp",
            subject=f"Pod/{pod}",
            message=f"pod triggered scale-up: [{plan}]",
        )


def _not_triggered(decision: Decision) -> Iterator[Event]:
    counts: dict[tuple[str, ...], dict[str, int]] = {}
    for refusal in decision.refusals:
        of_pods = counts.setdefault(refusal.pods, {})
        for reason in refusal.reasons:
            of_pods[reason] = of_pods.get(reason, 0) + 1
    for pods, of_pods in counts.items():
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(of_pods.items()))
        for pod in pods:
            yield Event(
                reason="NotTriggerScaleUp",
                subject=f"Pod/{pod}",
                message=f"pod didn't trigger scale-up: {said}",
            )
