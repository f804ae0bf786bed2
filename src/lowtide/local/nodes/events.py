"""Writes events in a cluster, in a thread of its own.

Why it exists: events are for people; a cluster must not become slower, or a node appear later, because some are still to be written.
"""

from __future__ import annotations

import datetime as dt
import logging
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.kube.live.client import Cluster, Object
from lowtide.model.errors import KubernetesError

_log = logging.getLogger(__name__)

KUBELET = "kubelet"
CLOUD_NODE = "cloud-node-controller"
CLOUD_NODE_LIFECYCLE = "cloud-node-lifecycle-controller"
#: What is not written yet when a cluster goes down is lost; this many wait at most.
_MOST_WAITING = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An event. ``about`` is an object reference; ``host`` the node's name where a kubelet speaks."""

    about: Mapping[str, Any]
    reason: str
    message: str
    component: str = KUBELET
    host: str = ""
    at: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


class EventWriter:
    """Takes notes at once and writes them in their order; what the server refuses is dropped, as client-go does."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._waiting: queue.Queue[Note | None] = queue.Queue(_MOST_WAITING)
        self._last_ns = 0
        self._thread = threading.Thread(target=self._run, name="node-events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Stop with the event that is being written."""
        try:
            while True:
                self._waiting.get_nowait()
        except queue.Empty:
            self._waiting.put(None)

    def write(self, *notes: Note) -> None:
        """Take notes; with too many waiting they are dropped."""
        try:
            for one in notes:
                self._waiting.put_nowait(one)
        except queue.Full:
            _log.warning("events are dropped: the API server does not keep up")

    def _run(self) -> None:
        while (note := self._waiting.get()) is not None:
            try:
                # Named by the moment, as client-go does, so that events of one second are listed in their order.
                self._last_ns = max(time.time_ns(), self._last_ns + 1)
                self._cluster.create(_event(note, f"{note.about['name']}.{self._last_ns:x}"))
            except KubernetesError as error:
                _log.debug("event %s: %s", note.reason, error.why)


def pod_reference(pod: Object, container: str, *, init: bool = False) -> dict[str, Any]:
    """Return what a kubelet's event on a container is about (kubelet, container.GenerateContainerRef)."""
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
        "fieldPath": f"spec.{'initContainers' if init else 'containers'}{{{container}}}",
    }


def node_reference(name: str) -> dict[str, Any]:
    """Return what an event on a node is about: kubelets give its name for its uid."""
    return {"kind": "Node", "name": name, "uid": name}


def _event(note: Note, name: str) -> Object:
    namespace = note.about.get("namespace", "default")
    at = note.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    source = {"component": note.component, **({"host": note.host} if note.host else {})}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": dict(note.about),
        "reason": note.reason,
        "message": note.message,
        "type": "Normal",
        "source": source,
        "reportingComponent": note.component,
        "reportingInstance": note.host,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
