"""Runs a cluster's autoscaler beside the box: started, changed and stopped with its pod.

Why it exists: kwok's pods are names without processes, and this one pod has to act.

One thread per cluster looks at the pods, at the process and at the time, and does what follows; nothing here is called
under the box's lock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, Object
from lowtide.kube.live.informer import Informer, key_of
from lowtide.local.autoscaler.crash_loop import (
    Restarts,
    back_off_event,
    running_status,
    waiting_status,
)
from lowtide.local.autoscaler.deployed import Deployed, is_candidate, leader, start_problem
from lowtide.local.autoscaler.events import Recorder
from lowtide.local.autoscaler.hand_over import (
    aws_environment,
    write_cloud_config,
    write_kubeconfig,
)
from lowtide.local.autoscaler.leftovers import FOLDER
from lowtide.local.autoscaler.program import NAME, Program
from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.planes_port import Key
from lowtide.local.aws.errors import AwsError
from lowtide.local.controlplane.ownership import forget_record, write_record
from lowtide.local.controlplane.planes import Plane
from lowtide.local.controlplane.private_files import private_folder
from lowtide.local.controlplane.processes import Child, Starter
from lowtide.model.errors import LowtideError

_log = logging.getLogger(__name__)

_LOOK_S = 0.5
_IDLE_S = 30.0
#: After a start that failed for a reason outside the program.
_RETRY_S = 2.0
_STOP_WITHIN_S = 5.0
#: What a container that cannot start exits with (OCI runtimes).
_CANNOT_START = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A cluster's autoscaler as it is now; ``said`` are the last words of one that ended."""

    program: Program
    pod: str
    state: str
    pid: int | None = None
    restarts: int = 0
    said: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        is_ours = self.program.which == "engine"
        return {
            "kind": "lowtide" if is_ours else "upstream",
            "program": "lowtide's engine" if is_ours else str(self.program.path),
            "state": self.state,
            "pid": self.pid,
            "pod": self.pod,
            "restarts": self.restarts,
            "said": self.said,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a launcher works: its box, the cluster's key and plane, and the URL of the embedded AWS."""

    box: Box
    key: Key
    plane: Plane
    url: str


class Launcher:
    """The autoscaler of one cluster."""

    def __init__(self, place: Place, program: Program, starter: Starter) -> None:
        self._place = place
        self._program = program
        self._starter = starter
        self._folder = private_folder(place.plane.folder / FOLDER)
        self._logs = private_folder(place.plane.folder / "logs")
        self._cluster = Cluster.connect(place.plane.bridge_kubeconfig)
        self._pods = Informer(self._cluster, kinds.POD, self._on_pod)
        self._recorder = Recorder(self._cluster, time.time, component="kubelet")
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._candidates: dict[str, Object] = {}
        self._stopping = False
        self._one: Deployed | None = None
        self._child: Child | None = None
        self._restarts = Restarts()
        self._due_s = 0.0
        self._environment: Mapping[str, str] = {}
        self._running: Running | None = None
        self._thread = threading.Thread(target=self._run, name=f"autoscaler-{place.key[1]}")

    @property
    def running(self) -> Running | None:
        """The autoscaler as it is now, None where none is deployed."""
        return self._running

    def start(self) -> None:
        """Begin to follow the cluster."""
        self._pods.start()
        self._thread.start()

    def stop(self) -> None:
        """End the process and stop following."""
        self._stopping = True
        self._changed.set()
        self._thread.join()
        self._pods.stop()
        self._cluster.close()

    def _on_pod(self, change: str, pod: Object) -> None:
        """Keep the few pods that matter, in the informer's thread."""
        if is_candidate(pod):
            with self._lock:
                if change == "DELETED":
                    self._candidates.pop(key_of(pod), None)
                else:
                    self._candidates[key_of(pod)] = pod
            self._changed.set()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._look()
            except (LowtideError, AwsError, OSError) as error:
                why = getattr(error, "why", "") or str(error)
                _log.warning("the autoscaler of %s: %s", self._place.key[1], why)
                self._due_s = time.monotonic() + _RETRY_S
                if self._child is None:
                    self._tell("cannot start", said=why)
            except Exception:  # noqa: BLE001
                # The next look may go well; a thread that ended would leave the cluster without one.
                _log.exception("the autoscaler of %s", self._place.key[1])
            self._changed.wait(_IDLE_S if self._one is None else _LOOK_S)
            self._changed.clear()
        self._end()

    def _look(self) -> None:
        if not self._pods.synced:
            return
        with self._lock:
            pods = list(self._candidates.values())
        wanted = leader(pods, self._one.uid if self._one else "")
        if wanted != self._one:
            self._end()
            self._one, self._restarts, self._due_s = wanted, Restarts(), 0.0
            self._environment = {}
        if wanted is None:
            return
        if self._child is not None and (code := self._child.exit_code) is not None:
            self._note_end(wanted, code, self._child.said(), self._child.lived_s)
        elif self._child is None and time.monotonic() >= self._due_s:
            self._begin(wanted)

    def _begin(self, one: Deployed) -> None:
        problem = start_problem(one)
        if problem:
            self._note_end(one, _CANNOT_START, problem, 0.0)
            return
        place = self._place
        region, name = place.key
        if not self._environment:
            self._environment = aws_environment(
                place.box, region=region, cluster_name=name, cluster=self._cluster, one=one
            )
        environment = {**self._environment, **one.environment}
        command = self._program.command(
            one,
            kubeconfig=write_kubeconfig(
                self._folder / "kubeconfig",
                admin=place.plane.admin_kubeconfig,
                cluster=self._cluster,
                one=one,
            ),
            cloud_config=write_cloud_config(
                self._folder / "cloud.conf", region=environment["AWS_REGION"], url=place.url
            ),
            environment=environment,
            speed=place.box.settings.speed,
        )
        log = self._logs / f"{NAME}.log"
        self._child = self._starter.start(command, folder=self._folder, log=log)
        write_record(self._folder, [self._child.identity])
        self._tell("running")
        if self._restarts.count:
            self._patch(one, running_status(one, self._restarts))

    def _note_end(self, one: Deployed, code: int, said: str, lived_s: float) -> None:
        self._child = None
        forget_record(self._folder)
        speed = self._place.box.settings.speed
        self._restarts = self._restarts.after_end(lived_s, speed)
        self._due_s = time.monotonic() + self._restarts.wait_s / speed
        _log.warning("the autoscaler of %s ended with %d: %s", self._place.key[1], code, said)
        self._tell("CrashLoopBackOff", said=said)
        status = waiting_status(one, self._restarts, code=code, said=said, lived_s=lived_s)
        self._patch(one, status)
        about = self._pods.get(f"{one.namespace}/{one.pod}")
        if about is not None:
            event = back_off_event(one)
            about = {"apiVersion": "v1", "kind": "Pod", **about}
            self._recorder.record(about, event["reason"], event["message"], warning=True)

    def _patch(self, one: Deployed, status: Mapping[str, Any]) -> None:
        patch = {"status": dict(status)}
        self._cluster.patch(kinds.POD, one.pod, patch, namespace=one.namespace, status=True)

    def _end(self) -> None:
        if self._child is not None:
            self._child.terminate()
            self._child.end(_STOP_WITHIN_S)
            self._child = None
            forget_record(self._folder)
        self._running = None

    def _tell(self, state: str, *, said: str = "") -> None:
        if self._one is None:
            self._running = None
            return
        known = self._running or Running(program=self._program, pod=self._one.pod, state=state)
        self._running = replace(
            known,
            pod=f"{self._one.namespace}/{self._one.pod}",
            state=state,
            pid=self._child.pid if self._child else None,
            restarts=self._restarts.count,
            said=said,
        )
