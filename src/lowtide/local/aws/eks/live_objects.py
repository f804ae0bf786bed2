"""Objects put into real clusters, by threads that may wait.

Why it exists: EKS's operations run under the box's lock and must not wait for an API server. One thread per cluster does what is
asked in its order, tries again what failed, and looks at the Deployments that somebody asked about.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.kube.live.client import Cluster
from lowtide.kube.live.kinds import kind_of
from lowtide.local.aws.eks.planes_port import Key
from lowtide.model.errors import KubernetesError

_log = logging.getLogger(__name__)

#: Between two tries, in seconds of real time: a namespace may not be there yet, or the API server not quite ready.
_RETRY_S = 2.0
_MANAGER = "eks"

Object = Mapping[str, Any]


@dataclass(slots=True)
class _Worker:
    """What is going on in one cluster. ``wanted`` are objects that are still to be applied."""

    thread: ThreadPoolExecutor
    gone: threading.Event = field(default_factory=threading.Event)
    seen: dict[str, bool] = field(default_factory=dict)
    looking: set[str] = field(default_factory=set)


class LiveObjects:
    """Implements ``planes_port.ClusterObjects`` over the clusters' API servers."""

    def __init__(self, kubeconfig: Callable[[Key], Path | None]) -> None:
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._workers: dict[Key, _Worker] = {}

    def apply(self, cluster: Key, objects: Sequence[Object]) -> None:
        """Apply objects, again and again until each is taken."""
        worker = self._worker(cluster)
        worker.thread.submit(self._apply, cluster, worker, tuple(objects))

    def delete(self, cluster: Key, objects: Sequence[Object]) -> None:
        """Delete objects."""
        worker = self._worker(cluster)
        worker.thread.submit(self._delete, cluster, worker, tuple(objects))

    def available(self, cluster: Key, objects: Sequence[Object]) -> bool:
        """Whether every Deployment among them had its replicas when last looked at; asking makes the next look."""
        worker = self._worker(cluster)
        deployments = [one for one in objects if one["kind"] == "Deployment"]
        for one in deployments:
            self._look_soon(cluster, worker, one)
        return all(worker.seen.get(one["metadata"]["name"], False) for one in deployments)

    def forget(self, cluster: Key) -> None:
        """Stop whatever is going on in a cluster."""
        with self._lock:
            worker = self._workers.pop(cluster, None)
        if worker is not None:
            worker.gone.set()
            worker.thread.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Stop whatever is going on anywhere."""
        for key in list(self._workers):
            self.forget(key)

    def _worker(self, cluster: Key) -> _Worker:
        with self._lock:
            if cluster not in self._workers:
                name = f"objects-{cluster[1]}"
                thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
                self._workers[cluster] = _Worker(thread)
            return self._workers[cluster]

    def _look_soon(self, cluster: Key, worker: _Worker, deployment: Object) -> None:
        name = deployment["metadata"]["name"]
        with self._lock:
            if name in worker.looking:
                return
            worker.looking.add(name)
        worker.thread.submit(self._look, cluster, worker, deployment)

    def _apply(self, cluster: Key, worker: _Worker, objects: tuple[Object, ...]) -> None:
        """Apply what can be; what the server refuses is put at the end of the line, after a while."""
        left = objects
        try:
            with self._connected(cluster) as api:
                left = tuple(one for one in objects if not _applied(api, one))
        except KubernetesError as error:
            _log.debug("%s: %s", cluster[1], error)
        if left and not worker.gone.wait(_RETRY_S):
            worker.thread.submit(self._apply, cluster, worker, left)

    def _delete(self, cluster: Key, worker: _Worker, objects: tuple[Object, ...]) -> None:
        try:
            with self._connected(cluster) as api:
                for one in objects:
                    metadata = one["metadata"]
                    namespace = metadata.get("namespace")
                    api.delete(kind_of(one), metadata["name"], namespace=namespace)
                    worker.seen.pop(metadata["name"], None)
        except KubernetesError as error:
            _log.warning("objects of %s stay: %s: %s", cluster[1], error, error.why)

    def _look(self, cluster: Key, worker: _Worker, deployment: Object) -> None:
        metadata = deployment["metadata"]
        try:
            with self._connected(cluster) as api:
                found = api.get(kind_of(deployment), metadata["name"], metadata.get("namespace"))
            worker.seen[metadata["name"]] = found is not None and _has_replicas(found)
        except KubernetesError as error:
            _log.debug("%s: %s", cluster[1], error)
        finally:
            with self._lock:
                worker.looking.discard(metadata["name"])

    def _connected(self, cluster: Key) -> Cluster:
        path = self._kubeconfig(cluster)
        if path is None:
            raise KubernetesError("the control plane is not there yet", where=cluster[1])
        return Cluster.connect(path)


def _applied(api: Cluster, obj: Object) -> bool:
    try:
        api.apply(dict(obj), manager=_MANAGER)
    except KubernetesError as error:
        _log.info("%s %s: %s", obj["kind"], obj["metadata"]["name"], error.why)
        return False
    return True


def _has_replicas(deployment: Object) -> bool:
    wanted: int = deployment["spec"].get("replicas", 1)
    available: int = deployment.get("status", {}).get("availableReplicas", 0)
    return bool(available >= wanted)
