"""The Cluster Autoscaler's pod: its loop runs exactly while the pod does.

Why it exists: an autoscaler that was never applied, that does not fit anywhere, or that exits over a misspelt flag is a
common reason for pods that wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lowtide.engine.options import AutoscalerOptions
from lowtide.kube.flag_table import NEWEST_MINOR
from lowtide.kube.flags import (
    autoscaler_container,
    image_minor,
    is_autoscaler,
    not_modelled,
    template_options,
)
from lowtide.model.decision import Refusal
from lowtide.model.kube import Phase, Pod, PodSpec
from lowtide.twin.rules import Warn
from lowtide.twin.store import Store


class Loop(Protocol):
    """What the world needs of an autoscaler's loop."""

    refusals: dict[str, tuple[Refusal, ...]]
    """For each pod that no group could help in the last loop: why, group by group."""

    @property
    def quiet_after_ms(self) -> int:
        """When the last timer or back-off that is known now has run out."""

    def start(self, at_ms: int) -> None:
        """Begin to loop, with an empty memory."""

    def stop(self) -> None:
        """End; memory is lost."""

    def pods_became_unschedulable(self, count: int) -> None:
        """Hear that the scheduler found no node for pods it had not refused before."""


Tell = Callable[[str, str, str, str], None]


class AutoscalerPods:
    """Watches for autoscaler pods. Of several replicas the first to run leads (leader election).

    ``tell`` takes actor, action, subject and why of a decision, ``warn`` what the run has to say loudly.
    """

    def __init__(
        self,
        store: Store,
        make_loop: Callable[[AutoscalerOptions], Loop] | None,
        tell: Tell,
        warn: Warn,
    ) -> None:
        self._store = store
        self._make_loop = make_loop
        self._tell = tell
        self._warn = warn
        self._leader: str | None = None
        self.loop: Loop | None = None
        """The loop that runs now; a test may put its own here."""
        self.options: AutoscalerOptions | None = None
        """Options of the autoscaler that ran last."""
        self.problem = ""
        """Why the last autoscaler pod does not run, empty when it does."""
        store.signals.pod_running.append(self._on_running)
        store.signals.pod_deleting.append(self._on_end)
        store.signals.pod_ended.append(self._on_end)

    def _on_running(self, pod: Pod) -> None:
        if self._leader is not None or self._make_loop is None or not is_autoscaler(pod.spec):
            return
        options, problems = template_options(pod.spec)
        if problems:
            if self.problem != problems[0]:
                self.problem = problems[0]
                self._tell(
                    "kubelet",
                    "restarts in a loop (CrashLoopBackOff)",
                    f"pod/{pod.key}",
                    self.problem,
                )
            return
        self.problem = ""
        self.options = options
        self._leader = pod.uid
        self._tell("cluster-autoscaler", "starts", f"pod/{pod.key}", "")
        for flag in _ignored_flags(pod.spec):
            self._warn(f"The autoscaler's flag {flag} is not simulated: the run ignores it.")
        self.loop = self._make_loop(options)
        self.loop.start(self._store.kernel.now_ms)

    def _on_end(self, pod: Pod, how: str) -> None:
        if pod.uid != self._leader:
            return
        if self.loop is not None:
            self.loop.stop()
        self.loop = self._leader = None
        self._tell("cluster-autoscaler", "stops", f"pod/{pod.key}", how)
        for other in list(self._store.pods.values()):
            if other.phase is Phase.RUNNING and other.deleting_ms is None and other.uid != pod.uid:
                self._on_running(other)


def _ignored_flags(spec: PodSpec) -> tuple[str, ...]:
    container = autoscaler_container(spec)
    if container is None:
        return ()
    minor = image_minor(container.image) or NEWEST_MINOR
    return not_modelled(container.command, container.args, minor=minor)
