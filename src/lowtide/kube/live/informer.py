"""A copy of all objects of a kind that follows the API server.

Why it exists: whoever reacts to a cluster needs its state now and every change after it, through broken connections and
watches that have grown too old (Kubernetes documentation, "Efficient detection of changes").
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from lowtide.kube.live.client import Cluster, Object, WatchExpired
from lowtide.kube.live.kinds import Kind
from lowtide.model.errors import KubernetesError

_log = logging.getLogger(__name__)

_RETRY_S = 0.5
#: A watch is asked to end after this long; it goes on from where it was.
_WATCH_S = 240

#: Called with ``ADDED``, ``MODIFIED`` or ``DELETED`` and the object, in the informer's thread.
Listener = Callable[[str, Object], None]


class Informer:
    """Lists and watches one kind, in all namespaces or in one, in a thread of its own.

    Objects are keyed by ``namespace/name`` or name.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        listener: Listener | None = None,
        *,
        namespace: str | None = None,
    ) -> None:
        self._cluster = cluster
        self._kind = kind
        self._namespace = namespace
        self._listener = listener
        self._lock = threading.Lock()
        self._objects: dict[str, Object] = {}
        self._synced = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"informer-{kind.plural}", daemon=True
        )

    def start(self) -> None:
        """Begin to list and watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; the thread ends with the next change, or when its cluster is closed."""
        self._stopping.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the first full list and return whether it came."""
        return self._synced.wait(timeout_s)

    @property
    def synced(self) -> bool:
        """Whether the first full list is here."""
        return self._synced.is_set()

    def objects(self) -> list[Object]:
        """Return all objects as last seen. They are shared: do not change them."""
        with self._lock:
            return list(self._objects.values())

    def get(self, key: str) -> Object | None:
        """Return one object by ``namespace/name`` or, without a namespace, by name."""
        with self._lock:
            return self._objects.get(key)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except WatchExpired:
                continue
            except KubernetesError as error:
                _log.debug("%s: %s (%s)", self._kind.plural, error.what, error.why)
                self._stopping.wait(_RETRY_S)

    def _follow(self) -> None:
        listing = self._cluster.list(self._kind, namespace=self._namespace)
        self._replace({key_of(one): one for one in listing.items})
        self._synced.set()
        for change in self._cluster.watch(
            self._kind, listing.version, namespace=self._namespace, timeout_s=_WATCH_S
        ):
            if self._stopping.is_set():
                return
            if change.type != "BOOKMARK":
                self._take(change.type, change.object)

    def _replace(self, fresh: dict[str, Object]) -> None:
        with self._lock:
            before, self._objects = self._objects, fresh
        for key, obj in before.items():
            if key not in fresh:
                self._tell("DELETED", obj)
        for key, obj in fresh.items():
            known = before.get(key)
            if known is None:
                self._tell("ADDED", obj)
            elif _version(known) != _version(obj):
                self._tell("MODIFIED", obj)

    def _take(self, change: str, obj: Object) -> None:
        with self._lock:
            if change == "DELETED":
                self._objects.pop(key_of(obj), None)
            else:
                self._objects[key_of(obj)] = obj
        self._tell(change, obj)

    def _tell(self, change: str, obj: Object) -> None:
        if self._listener is None:
            return
        try:
            self._listener(change, obj)
        except Exception:  # noqa: BLE001
            # A listener's defect must not end the copy that others read.
            _log.exception("a listener of %s failed", self._kind.plural)


def key_of(obj: Object) -> str:
    """Return ``namespace/name``, or the name of an object without a namespace."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def _version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))
