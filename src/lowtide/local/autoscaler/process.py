"""The autoscaler as a process: the upstream's command line, our engine behind it.

Why it exists: the box starts it with the arguments of the Deployment that the user applied, a kubeconfig and a cloud
configuration, exactly as it would start the upstream binary.
"""

from __future__ import annotations

import configparser
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lowtide.aws.live.groups import LiveGroups
from lowtide.aws.live.session import client
from lowtide.engine.events import pod_events
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.options import AutoscalerOptions
from lowtide.engine.status import status
from lowtide.kube.flags import autoscaler_options, not_modelled, parse_flags
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, Object
from lowtide.local.autoscaler.clock import RealClock
from lowtide.local.autoscaler.cluster import LiveCluster
from lowtide.local.autoscaler.status_map import StatusMap
from lowtide.model.decision import Decision, Event
from lowtide.model.errors import KubernetesError, LowtideError
from lowtide.model.policy import Timings
from lowtide.model.snapshot import DeletionResult, Snapshot
from lowtide.twin.autoscaler_loop import AutoscalerLoop
from lowtide.twin.rules import WorldRules

_log = logging.getLogger(__name__)

_WARNINGS = frozenset(
    {
        "ClusterUnhealthy",
        "DeleteUnregisteredFailed",
        "FailedToRevertScaleUp",
        "FailedToScaleUpGroup",
        "MaxNodesTotalReached",
        "ScaleUpFailed",
        "ScaleUpTimedOut",
    }
)
_SERVICES = ("autoscaling", "ec2", "eks")


class Autoscaler:
    """One running autoscaler over a cluster and an account."""

    def __init__(
        self, cluster: Cluster, groups: LiveGroups, options: AutoscalerOptions, minor: str
    ) -> None:
        self._options = options
        self._minor = minor
        self._clock = RealClock()
        self._world = LiveCluster(cluster, groups, options.discovery_tags, self._on_pod)
        self._status = StatusMap(cluster)
        # The loop takes the time that it takes: nothing is added to it.
        rules = WorldRules(timings=Timings(autoscaler_loop_s=0.0))
        self._loop = AutoscalerLoop(self._world, self._clock, options, rules, self._watch)
        # The upstream provider asks AWS once a minute and after deletions, and so does this.
        self._world.asks_aws = self._loop.asks_aws
        self._refused: set[str] = set()

    def run(self) -> None:
        """Run until ``stop``.

        Raises:
            KubernetesError: the cluster cannot be followed.
        """
        self._world.start()
        self._status.initialize(self._clock.now_ms)
        self._loop.start(self._clock.now_ms)
        self._clock.run()
        self._world.stop()

    def stop(self) -> None:
        """End the run after the callback that runs now."""
        self._clock.stop()

    def _on_pod(self, change: str, pod: Object) -> None:
        """Wake the loop for a pod that just became unschedulable (loop/trigger.go)."""
        uid = pod["metadata"]["uid"]
        conditions = pod.get("status", {}).get("conditions") or ()
        refused = any(
            one["type"] == "PodScheduled" and one.get("reason") == "Unschedulable"
            for one in conditions
        )
        if change == "DELETED" or not refused:
            self._refused.discard(uid)
        elif uid not in self._refused:
            self._refused.add(uid)
            self._clock.post(lambda: self._loop.pods_became_unschedulable(1))

    def _watch(self, snapshot: Snapshot, decision: Decision, memory: AutoscalerMemory) -> None:
        for event in (*pod_events(decision, minor=self._minor), *decision.events):
            # Upstream is silent about pods that it could not help in a loop that grew a group (eventing_scale_up_processor.go).
            if not (event.reason == "NotTriggerScaleUp" and decision.scaled_up):
                self._record(event)
        for result in snapshot.deletion_results:
            if result.ok:
                self._record(_removed(result))
        try:
            self._status.write(status(snapshot, memory, self._options), snapshot.now_ms)
        except KubernetesError as error:
            _log.error("status ConfigMap not written: %s", error.why)

    def _record(self, event: Event) -> None:
        kind, _, key = event.subject.partition("/")
        about = self._world.object(kinds.POD, key) if kind == "Pod" else self._status.object
        if about is not None:
            warning = event.reason in _WARNINGS
            self._world.recorder.record(about, event.reason, event.message, warning=warning)


def _removed(result: DeletionResult) -> Event:
    """Say that a node is gone (core/scaledown/actuation/delete_in_batch.go)."""
    reason = "ScaleDown" if result.drain else "ScaleDownEmpty"
    said = (
        f"Scale-down: node {result.node} removed with drain"
        if result.drain
        else f"Scale-down: empty node {result.node} removed"
    )
    return Event(reason=reason, subject="ConfigMap", message=said)


def main(arguments: Sequence[str]) -> int:
    """Run as an autoscaler of a minor (the first argument) with the upstream's flags until SIGTERM.

    Returns:
        The exit code.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        autoscaler = _make(arguments)
    except (LowtideError, ValueError, OSError) as error:
        _log.critical("%s", getattr(error, "why", "") or error)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: autoscaler.stop())
    try:
        autoscaler.run()
    except LowtideError as error:
        _log.critical("%s: %s", error.what, error.why)
        return 1
    return 0


def _make(arguments: Sequence[str]) -> Autoscaler:
    minor, *given = arguments
    options, problems = autoscaler_options(("./cluster-autoscaler",), given, minor=minor)
    if problems:
        raise ValueError("; ".join(problems))
    for flag in not_modelled(("./cluster-autoscaler",), given, minor=minor):
        _log.warning("lowtide's engine does not model %s", flag)
    flags = parse_flags(given, minor=minor)
    for needed in ("kubeconfig", "cloud-config"):
        if needed not in flags:
            raise ValueError(f"flag needed here: --{needed}")
    ends = endpoints(Path(flags["cloud-config"][-1]).read_text("utf-8"))
    clients = (client(one, region=ends[one][0], endpoint=ends[one][1]) for one in _SERVICES)
    cluster = Cluster.connect(Path(flags["kubeconfig"][-1]))
    return Autoscaler(cluster, LiveGroups(*clients), options, minor)


def endpoints(cloud_config: str) -> Mapping[str, tuple[str, str]]:
    """Return region and URL of each service, from the upstream's ``[ServiceOverride "n"]`` sections.

    Raises:
        ValueError: a service that is needed has none.
    """
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way to keep case
    parser.read_string(cloud_config)
    found = {
        parser[one]["Service"].lower(): (parser[one]["Region"], parser[one]["URL"])
        for one in parser.sections()
        if one.startswith("ServiceOverride")
    }
    missing = [one for one in _SERVICES if one not in found]
    if missing:
        raise ValueError(f"the cloud configuration has no ServiceOverride for {missing[0]}")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
