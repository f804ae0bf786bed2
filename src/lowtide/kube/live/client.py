"""One cluster's API as plain dicts in and out, over lightkube.

Why it exists: everything above works on the JSON form of objects, as manifests do. Connections, TLS, kubeconfig (with
its exec plug-ins) and watches are lightkube's.
"""

from __future__ import annotations

import functools
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx2
import lightkube
from lightkube.config.client_adapter import verify_cluster
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import PatchType

from lowtide.kube.live.decoding import prepared
from lowtide.kube.live.kinds import Kind, kind_of
from lowtide.kube.live.subresources import eviction, token_request
from lowtide.kube.live.transport import ClosingTransport
from lowtide.model.errors import KubernetesError
from lowtide.model.names import FIELD_MANAGER

if TYPE_CHECKING:
    from lightkube.config.kubeconfig import SingleConfig

Object = dict[str, Any]
JsonPatch = list[Object]

#: The field manager of everything that lowtide applies (server-side apply, Kubernetes documentation).
MANAGER = FIELD_MANAGER

#: Seconds that the API server has for a connection and for each part of an answer.
TIMEOUT_S = 15.0
_MAKING = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All objects of a kind, and the version from which a watch goes on."""

    items: tuple[Object, ...]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a watch: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, and the object."""

    type: str
    object: Object


class Cluster:
    """A connection to one API server. Thread-safe, as its HTTP client is.

    Every method raises KubernetesError with the server's own words when it says no or cannot be reached.
    """

    def __init__(self, client: lightkube.Client, where: str, transport: ClosingTransport) -> None:
        # lightkube's overloads tell global kinds from namespaced ones by type, which a table of kinds cannot.
        self._client: Any = client
        self._where = where
        self._transport = transport

    @classmethod
    def connect(cls, kubeconfig: Path, *, context: str | None = None) -> Self:
        """Connect by a kubeconfig file; nothing is sent yet."""
        where = f"{kubeconfig}, context {context}" if context else str(kubeconfig)
        try:
            config = lightkube.KubeConfig.from_file(kubeconfig).get(context)
        except (lightkube.ConfigError, OSError) as error:
            raise KubernetesError(
                "the kubeconfig cannot be used",
                where=where,
                why=str(error),
                fix="write it with: aws eks update-kubeconfig --name CLUSTER",
            ) from error
        if config is None:
            raise KubernetesError(
                "the kubeconfig has no such context",
                where=where,
                fix="kubectl config get-contexts lists them",
            )
        transport = ClosingTransport(_tls(config))
        client = lightkube.Client(
            config=config,
            field_manager=MANAGER,
            timeout=httpx2.Timeout(TIMEOUT_S),
            trust_env=False,
            transport=transport,
        )
        return cls(client, where, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; watches that other threads read end."""
        self._transport.end()
        self._client.close()

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, None where there is none of that name."""
        try:
            with self._asking(f"{kind.name} {name}"):
                return _plain(self._client.get(_resource(kind), name, **_in(kind, namespace)))
        except NotFound:
            return None

    def list(
        self, kind: Kind, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Listing:
        """Return all objects of a kind, of every namespace unless one is given.

        Each says its apiVersion and kind, which the API leaves out of lists.
        """
        scope = {"namespace": namespace or "*"} if kind.namespaced else {}
        with self._asking(kind.plural):
            found = self._client.list(_resource(kind), labels=dict(labels or {}) or None, **scope)
            typed = {"apiVersion": kind.api_version, "kind": kind.name}
            items = tuple({**typed, **_plain(one)} for one in found)
            return Listing(items=items, version=found.resourceVersion)

    def watch(
        self, kind: Kind, version: str, *, namespace: str | None = None, timeout_s: int = 300
    ) -> Iterator[Change]:
        """Yield what changes after a version, until the connections are closed.

        The server ends a watch after ``timeout_s``; lightkube then goes on from the last version that it saw.

        Raises:
            WatchExpired: the version is too old.
        """
        scope = {"namespace": namespace or "*"} if kind.namespaced else {}
        with self._asking(f"watch of {kind.plural}"), self._transport.watching():
            for change, obj in self._client.watch(
                _resource(kind), resource_version=version, server_timeout=timeout_s, **scope
            ):
                yield Change(type=change, object=_plain(obj))

    def create(self, obj: Object) -> Object:
        """Create an object and return it as the server keeps it."""
        kind = kind_of(obj)
        return self._send("create", obj, lambda: self._client.create(_of(kind, obj)))

    def apply(self, obj: Object, *, manager: str = MANAGER, force: bool = True) -> Object:
        """Apply an object by server-side apply and return it as the server keeps it."""
        kind = kind_of(obj)
        return self._send(
            "apply",
            obj,
            lambda: self._client.apply(_of(kind, obj), field_manager=manager, force=force),
        )

    def patch(
        self,
        kind: Kind,
        name: str,
        patch: Object | JsonPatch,
        *,
        namespace: str | None = None,
        status: bool = False,
    ) -> Object:
        """Patch an object, or its status: a dict is a strategic merge, a list a JSON patch."""
        cls = _status(kind) if status else _resource(kind)
        how = PatchType.JSON if isinstance(patch, list) else PatchType.STRATEGIC
        send = functools.partial(
            self._client.patch, cls, name, patch, patch_type=how, **_in(kind, namespace)
        )
        return self._send("patch", {"kind": kind.name, "metadata": {"name": name}}, send)

    def replace(self, obj: Object) -> Object:
        """Replace an object; its resourceVersion, where given, must still hold."""
        kind = kind_of(obj)
        return self._send("update", obj, lambda: self._client.replace(_of(kind, obj)))

    def replace_status(self, obj: Object) -> Object:
        """Replace the status of an object; its resourceVersion, where given, must still hold."""
        kind = kind_of(obj)
        status = _status(kind)(obj)
        return self._send("update", obj, lambda: self._client.replace(status))

    def delete(
        self, kind: Kind, name: str, *, namespace: str | None = None, grace_s: int | None = None
    ) -> bool:
        """Delete an object; False where it was not there."""
        where = _in(kind, namespace)
        try:
            with self._asking(f"{kind.name} {name}"):
                self._client.delete(_resource(kind), name, grace_period=grace_s, **where)
        except NotFound:
            return False
        return True

    def evict(self, namespace: str, name: str) -> bool:
        """Evict a pod (policy/v1 Eviction); False while a PodDisruptionBudget forbids it, True also when it is gone."""
        try:
            with self._asking(f"eviction of {namespace}/{name}"):
                self._client.create(eviction(namespace, name), name, namespace=namespace)
        except NotFound:
            return True
        except TooManyRequests:
            return False
        return True

    def log(self, namespace: str, name: str) -> str:
        """Return what a pod's only container has printed."""
        with self._asking(f"log of {namespace}/{name}"):
            return "\n".join(self._client.log(name, namespace=namespace, newlines=False))

    def token(
        self, namespace: str, account: str, *, lifetime_s: int, pod: Mapping[str, Any] | None = None
    ) -> str:
        """Return a token of a service account (TokenRequest); with a pod's metadata it dies with that pod."""
        subject = {"kind": "ServiceAccount", "metadata": {"name": account}}
        body = token_request(lifetime_s, pod)
        answer = self._send(
            "token of", subject, lambda: self._client.create(body, account, namespace=namespace)
        )
        return str(answer["status"]["token"])

    def _send(self, verb: str, obj: Mapping[str, Any], send: Any) -> Object:
        with self._asking(f"{verb} {obj.get('kind')} {obj.get('metadata', {}).get('name', '')}"):
            return _plain(send())

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Keep the connections open meanwhile, and turn what the client raises into errors of ours."""
        try:
            with self._transport.using():
                yield
        except ApiError as error:
            code = error.status.code or 0
            refused = _REFUSALS.get(code, KubernetesError)
            raise refused(
                f"Kubernetes refused: {what}",
                where=self._where,
                why=str(error),
                fix=_ACCESS if code in _NOT_ALLOWED else "",
            ) from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        except RuntimeError as error:
            if not self._transport.ended:
                raise
            # httpx's answer to a request after ``close``.
            raise Unreachable(
                "the API server is no longer asked",
                where=self._where,
                why="the connection was closed on this side",
            ) from error

    def _unreachable(self, error: httpx2.HTTPError) -> KubernetesError:
        if isinstance(error, httpx2.HTTPStatusError):
            why = f"it answered {error.response.status_code} {error.response.reason_phrase}"
        elif isinstance(error, httpx2.TimeoutException):
            why = f"it did not answer within {_waited_s(error):g} s"
        else:
            why = str(error) or type(error).__name__
        return Unreachable("the API server cannot be reached", where=self._where, why=why)


class NotFound(KubernetesError):  # noqa: N818 - the answer to it is often: good
    """There is no such object."""


class WatchExpired(KubernetesError):  # noqa: N818 - the answer to it is to list again, not to give up
    """The version to watch from is too old: list again."""


class TooManyRequests(KubernetesError):  # noqa: N818 - the answer to it is to try again
    """The server has too much to do, or a PodDisruptionBudget forbids an eviction now."""


class Conflict(KubernetesError):  # noqa: N818 - the answer to it is to read again
    """The object exists already, or has changed since it was read."""


class Unreachable(KubernetesError):  # noqa: N818 - the answer to it is to try again
    """No answer, or not one of the API's: the connection failed or the server is not ready."""


#: Unauthorized and Forbidden: on EKS, access entries decide.
_NOT_ALLOWED = frozenset({401, 403})
_ACCESS = "give this identity an access entry: accessConfig.accessEntries in the cluster file, or aws eks create-access-entry"

_REFUSALS: Mapping[int, type[KubernetesError]] = {
    404: NotFound,
    409: Conflict,
    410: WatchExpired,
    429: TooManyRequests,
}


def _waited_s(error: httpx2.TimeoutException) -> float:
    """Return the seconds after which a request was given up; the client's own words are those of the TLS library."""
    limits: Mapping[str, float] = error.request.extensions.get("timeout", {})
    part = type(error).__name__.removesuffix("Timeout").lower()
    return limits.get(part, TIMEOUT_S)


def _tls(config: SingleConfig) -> ssl.SSLContext:
    assert (
        config.user is not None
    )  # lightkube reads a context without user as one without credentials
    return verify_cluster(config.cluster, config.user, config.abs_file, trust_env=False)


def _resource(kind: Kind) -> Any:
    with _MAKING:  # lightkube takes one class for a kind: no second thread may make another
        return _made(kind)


@functools.cache
def _made(kind: Kind) -> Any:
    make = create_namespaced_resource if kind.namespaced else create_global_resource
    return prepared(make(kind.group, kind.version, kind.name, kind.plural))


def _status(kind: Kind) -> Any:
    return _resource(kind).Status


def _of(kind: Kind, obj: Object) -> Any:
    return _resource(kind)(obj)


def _in(kind: Kind, namespace: str | None) -> dict[str, str]:
    return {"namespace": namespace or "default"} if kind.namespaced else {}


def _plain(obj: Any) -> Object:
    plain: Object = obj.to_dict()
    return plain
