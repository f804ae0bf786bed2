"""Every call of a process to AWS and to Kubernetes, seen by botocore's events and httpx's transport.

Why it exists: a process is to be killed at its calls, so somebody has to see them come; and the product must know nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import botocore.session
import httpx2

from lowtide.local.aws.box import READS

AWS, KUBERNETES = "aws", "kubernetes"
#: Parameters that say what a call is about, as botocore's models name them; ids of a moment and long texts are left out.
_NAMES = re.compile(r"(\w*[Nn]ames?|\w*[Aa]rns?|\w*Ids?|path|Path)\Z")
_NOT_NAMES = frozenset({"ClientRequestToken", "ClientToken"})
_OF_THE_MOMENT = re.compile(
    r"arn:[\w:/.-]*?stack/|[-/]?[0-9a-f]{8}-[0-9a-f-]{27}|\b(i|vol|eni|sg|subnet|vpc|snap)-[0-9a-f]+|(?<=lease/)\d+|-[0-9a-f]{8}\b"
)
_OBJECT = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<part>[^/]+))?\Z"
)
#: Pods, ReplicaSets and others that a controller names.
_GENERATED = re.compile(r"(-[bcdfghjklmnpqrstvwxz2456789]{5,10}){1,2}\Z")
#: They are sent by POST and change nothing.
_REVIEWS = frozenset({"selfsubjectaccessreviews", "selfsubjectreviews", "tokenreviews"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call. ``kind`` is an operation or a verb with a kind of object, ``changes`` whether it changes something.

    ``target`` is what it is about, the same in every life; ``exact`` the same with ids and names that are drawn.
    """

    channel: str
    kind: str
    target: str = ""
    exact: str = ""
    changes: bool = False

    @property
    def key(self) -> str:
        """What tells it from other calls, the same in every run."""
        return f"{self.kind} {self.target}".strip()


#: Told of a call before its request is sent, or after its answer came.
Listener = Callable[[Call], None]


def aws_call(service: str, operation: str, params: Mapping[str, Any]) -> Call:
    """Return a call of boto3 by the operation's name and its parameters."""
    exact = [
        one
        for name, value in params.items()
        if _NAMES.match(name) and name not in _NOT_NAMES
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, str)
    ]
    found = filter(None, (_OF_THE_MOMENT.sub("", one).strip("/") for one in exact))
    return Call(
        channel=AWS,
        kind=f"{service}:{operation}",
        target=",".join(found),
        exact=",".join(exact),
        changes=not operation.startswith(READS),
    )


def kubernetes_call(method: str, path: str, query: str) -> Call:
    """Return a call of a Kubernetes client by its method, path and query."""
    asked = parse_qs(query)
    found = _OBJECT.match(path)
    verb = method
    if "dryRun" in asked:
        verb = f"dry-run {method}"
    elif "watch" in asked:
        verb = "WATCH"
    elif method == "GET" and found and not found["name"]:
        verb = "LIST"
    if found is None:
        return Call(channel=KUBERNETES, kind=f"{verb} {path}", changes=method != "GET")
    kind = "/".join(filter(None, (found["plural"], found["part"])))
    name = found["name"] or ""
    if found["plural"] in {"pods", "replicasets", "events", "nodes"}:
        name = "*" if found["plural"] == "nodes" and name else _GENERATED.sub("-*", name)
    changes = verb in {"POST", "PUT", "PATCH", "DELETE"} and found["plural"] not in _REVIEWS
    target = "/".join(filter(None, (found["namespace"], name)))
    return Call(
        channel=KUBERNETES, kind=f"{verb} {kind}", target=target, exact=path, changes=changes
    )


def watch(before: Listener, after: Listener) -> None:
    """Tell of every call that this process makes from now on."""
    _watch_aws(before, after)
    _watch_kubernetes(before, after)


def _watch_aws(before: Listener, after: Listener) -> None:
    begin = botocore.session.Session.__init__

    def named(**event: Any) -> None:
        model = event["model"]
        service = model.service_model.service_name
        event["context"]["chaos"] = aws_call(service, model.name, event["params"])

    def sent(**event: Any) -> None:
        before(event["context"]["chaos"])

    def answered(**event: Any) -> None:
        after(event["context"]["chaos"])

    def begin_watched(self: botocore.session.Session, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self.register("provide-client-params", named)
        self.register("before-call", sent)
        self.register("after-call", answered)

    botocore.session.Session.__init__ = begin_watched  # type: ignore[method-assign]


def _watch_kubernetes(before: Listener, after: Listener) -> None:
    send = httpx2.HTTPTransport.handle_request

    def send_watched(self: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        call = kubernetes_call(request.method, url.path, url.query.decode())
        before(call)
        response = send(self, request)
        try:
            after(call)
        except httpx2.TransportError:  # the answer is lost on its way
            response.close()
            raise
        return response

    httpx2.HTTPTransport.handle_request = send_watched  # type: ignore[method-assign]
