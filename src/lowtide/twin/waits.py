"""Why pods never ran: the last reasons of scheduler and autoscaler, grouped by cause.

Why it exists: a run that ends with waiting pods must say what they wait for, node by node and group by group, and in
one sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from lowtide.engine.options import AutoscalerOptions
from lowtide.engine.scheduler import SCHEDULER_NAME
from lowtide.model.asg import missing_tags
from lowtide.model.decision import Placements, Refusal
from lowtide.model.kube import Pod
from lowtide.model.run import RefusedPods
from lowtide.twin.autoscaler_pod import AutoscalerPods
from lowtide.twin.capacity import Capacity
from lowtide.twin.recorder import PodHistory
from lowtide.twin.scheduling import Scheduling
from lowtide.twin.store import Store

Reasons = dict[str, tuple[str, ...]]

SCHEDULER_SUBJECT = "scheduler"
"""What the reason of a pod stands under that asks for a scheduler of its own."""


class Waits:
    """Remembers why pods could not be placed, also of pods that ended waiting."""

    def __init__(self, store: Store, scheduling: Scheduling, autoscalers: AutoscalerPods) -> None:
        self._store = store
        self._scheduling = scheduling
        self._autoscalers = autoscalers
        self._kept: dict[str, Reasons] = {}
        """By the uid of pods that ended waiting."""
        self._indexed = Placements()
        self._by_pod: dict[str, list[Refusal]] = {}
        self._answered: frozenset[str] = frozenset()
        self.answered_ms = 0
        """When the autoscaler last began or ceased to refuse a pod, as far as ``hear`` was called."""
        store.signals.pod_ended.append(self._on_pod_ended)

    def refused(
        self, histories: Iterable[PodHistory], capacity: Capacity
    ) -> tuple[RefusedPods, ...]:
        """Return the pods that were refused and never ran, grouped by controller and reasons."""
        never_ran = [one for one in histories if self._was_refused(one)]
        current = self._now([one.last for one in never_ran])
        unseen = _undiscovered(capacity, self._autoscalers.options)
        grouped: dict[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], list[PodHistory]] = {}
        for one in never_ran:
            found = self._kept.get(one.last.uid) or current.get(one.last.key, {})
            reasons = {**unseen, **found, **_foreign_scheduler(one.last)}
            grouped.setdefault((one.workload, tuple(sorted(reasons.items()))), []).append(one)
        return tuple(
            RefusedPods(
                pods=tuple(one.last.key for one in many),
                cause=self._cause(dict(reasons)),
                reasons=dict(reasons),
            )
            for (_, reasons), many in grouped.items()
        )

    def hear(self) -> None:
        """Take note of which pods the autoscaler refuses now: its answer is news although it changes nothing."""
        loop = self._autoscalers.loop
        refused = frozenset(loop.refusals) if loop is not None else frozenset()
        if refused != self._answered:
            self._answered = refused
            self.answered_ms = self._store.kernel.now_ms

    def _was_refused(self, history: PodHistory) -> bool:
        pod = self._store.current(history.last) or history.last
        return history.bound_ms is None and (
            pod.unschedulable_ms is not None or pod.spec.scheduler_name != SCHEDULER_NAME
        )

    def _on_pod_ended(self, pod: Pod, _how: str) -> None:
        if pod.node_name is None and pod.unschedulable_ms is not None:
            self._kept[pod.uid] = self._now([pod]).get(pod.key, {})

    def _now(self, pods: list[Pod]) -> dict[str, Reasons]:
        wanted: dict[str, Reasons] = {pod.key: {} for pod in pods}
        said = self._said_by_scheduler()
        loop = self._autoscalers.loop
        for key, reasons in wanted.items():
            told = loop.refusals.get(key, ()) if loop is not None else ()
            for one in (*said.get(key, ()), *told):
                if one.reasons:
                    reasons[f"{one.scope}/{one.subject}"] = one.reasons
        return wanted

    def _said_by_scheduler(self) -> dict[str, list[Refusal]]:
        """Return the scheduler's last refusals by pod; the index is kept while they are the last."""
        last = self._scheduling.last
        if last is not self._indexed:
            self._indexed = last
            self._by_pod = {}
            for one in last.refusals:
                for pod in one.pods:
                    self._by_pod.setdefault(pod, []).append(one)
        return self._by_pod

    def _cause(self, reasons: Mapping[str, tuple[str, ...]]) -> str:
        """Say in one sentence what the record alone can tell; ``explain`` knows the file as well."""
        if SCHEDULER_SUBJECT in reasons:
            return reasons[SCHEDULER_SUBJECT][0]
        if self._autoscalers.loop is None:
            problem = self._autoscalers.problem
            return "no autoscaler is running" + (f": {problem}" if problem else "")
        groups = [words for name, words in reasons.items() if name.startswith("group/")]
        return _commonest(groups or reasons.values())


def _undiscovered(capacity: Capacity, options: AutoscalerOptions | None) -> Reasons:
    """Return the groups that the autoscaler does not see because of their tags."""
    if options is None:
        return {}
    result: Reasons = {}
    for name, group in capacity.state.groups.items():
        missing = missing_tags(group.config.tags, options.discovery_tags)
        if missing or not options.discovery_tags:
            result[f"group/{name}"] = (
                f"not discovered by the autoscaler: tag {', '.join(missing)} is missing"
                if missing
                else "not discovered by the autoscaler: it has no --node-group-auto-discovery",
            )
    return result


def _commonest(reasons: Iterable[tuple[str, ...]]) -> str:
    counted = Counter(sentence for many in reasons for sentence in many)
    if not counted:
        return ""
    highest = max(counted.values())
    return min(sentence for sentence, count in counted.items() if count == highest)


def _foreign_scheduler(pod: Pod) -> dict[str, tuple[str, ...]]:
    name = pod.spec.scheduler_name
    if name == SCHEDULER_NAME:
        return {}
    return {SCHEDULER_SUBJECT: (f"no scheduler named {name} runs",)}
