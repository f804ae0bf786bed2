"""The admin door: faults, interruptions, counts, stop. Only for whoever holds the box's token.

Why it exists: what goes wrong in the box is decided from outside, by a test or by ``lowtide local fault``.
"""

from __future__ import annotations

import asyncio
import difflib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lowtide import __version__
from lowtide.local.aws import faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.app import body_of
from lowtide.local.aws.front.models import SERVED, model_of, operation_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Handler = Callable[[Box, Request, Any], Mapping[str, Any]]
#: Under this name EKS puts into ``box.ports`` who answers TokenReviews: (region, cluster, secret, review) -> review.
#: It raises AwsError when the secret is not the cluster's.
TOKEN_REVIEW_PORT = "eks.token-review"  # noqa: S105 - a name
#: Under this name the box puts a function that returns its status as JSON values.
STATUS_PORT = "status"


def admin_door(box: Box, *, token: str, stop: Callable[[], None]) -> ASGIApp:
    """Return the admin door; ``stop`` is called to end the box."""

    def stopped(_box: Box, _request: Request, _body: Any) -> Mapping[str, Any]:
        asyncio.get_running_loop().call_soon(stop)
        return {"stopping": True}

    def route(path: str, method: str, handler: Handler, *, in_loop: bool = False) -> Route:
        return Route(
            f"/_lowtide{path}", _guarded(box, token, handler, in_loop=in_loop), methods=[method]
        )

    return Starlette(
        routes=[
            route("/health", "GET", _health),
            route("/state", "GET", _state),
            route("/status", "GET", _status),
            route("/stop", "POST", stopped, in_loop=True),
            route("/faults", "GET", _list_faults),
            route("/faults", "POST", _add_fault),
            route("/faults", "DELETE", _remove_faults),
            route("/faults/{id}", "DELETE", _remove_faults),
            route("/interruptions", "POST", _interrupt),
            Route(
                "/_lowtide/token-review/{region}/{cluster}/{secret}",
                _answering(box, _review_token),
                methods=["POST"],
            ),
        ],
        exception_handlers={404: _no_such_path, 405: _no_such_path},
    )


def _guarded(
    box: Box, token: str, handler: Handler, *, in_loop: bool
) -> Callable[[Request], Awaitable[Response]]:
    answer = _answering(box, handler, in_loop=in_loop)

    async def handle(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            return _refused(
                401, "the admin door needs the box's token: Authorization: Bearer TOKEN"
            )
        return await answer(request)

    return handle


def _answering(
    box: Box, handler: Handler, *, in_loop: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            body = await body_of(request)
            document = json.loads(body) if body else None
            # Half a character, which JSON can spell, can be written into no answer.
            json.dumps(document, ensure_ascii=False).encode()
            if in_loop:
                return JSONResponse(handler(box, request, document))
            return JSONResponse(await run_in_threadpool(handler, box, request, document))
        except AwsError as failed:
            return _refused(failed.status, failed.message)
        except (ValueError, RecursionError) as error:
            return _refused(400, str(error))
        except ClientDisconnect:
            return Response(status_code=400)

    return handle


async def _no_such_path(request: Request, _error: Exception) -> Response:
    return _refused(404, f"the admin door has no {request.method} at this path")


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status)


def _health(_box: Box, _request: Request, _body: Any) -> Mapping[str, Any]:
    return {"ready": True, "version": __version__}


def _state(box: Box, _request: Request, _body: Any) -> Mapping[str, Any]:
    with box.lock:
        return {
            "services": sorted(box.services),
            "timers": len(box.due),
            "faults": len(faults.listed(box)),
            "region": box.settings.region,
            "account": box.settings.account,
            "speed": box.settings.speed,
        }


def _status(box: Box, _request: Request, _body: Any) -> Mapping[str, Any]:
    status = box.ports.get(STATUS_PORT)
    if status is None:
        raise AwsError("NotServed", "this box has no status", status=404)
    answer: Mapping[str, Any] = status()
    return answer


def _list_faults(box: Box, _request: Request, _body: Any) -> Mapping[str, Any]:
    return {"faults": [fault.document() for fault in faults.listed(box)]}


def _add_fault(box: Box, _request: Request, body: Any) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        _check_target(body.get("service"), body.get("operation"))
    return faults.add(box, body).document()


def _check_target(service: object, operation: object) -> None:
    """Refuse a service or an operation that is misspelt: its fault would never meet a call.

    Raises:
        ValueError: which one, and what was meant.
    """
    if not isinstance(service, str) or not service:
        return
    if service not in SERVED:
        raise ValueError(f"the box has no service {service!r}; it has {', '.join(sorted(SERVED))}")
    if isinstance(operation, str) and operation and operation_of(service, operation) is None:
        near = difflib.get_close_matches(operation, model_of(service).operation_names, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{service} has no operation {operation!r}{meant}")


def _remove_faults(box: Box, request: Request, _body: Any) -> Mapping[str, Any]:
    wanted = request.path_params.get("id", "")
    gone = faults.remove(box, wanted)
    if wanted and not gone:
        raise AwsError("NoSuchFault", f"there is no fault {wanted}", status=404)
    return {"removed": [fault.id for fault in gone]}


def _interrupt(box: Box, _request: Request, body: Any) -> Mapping[str, Any]:
    instance = body.get("instance_id") if isinstance(body, dict) else None
    if not isinstance(instance, str):
        raise ValueError("an interruption is a JSON object with instance_id")  # noqa: TRY004
    region = body.get("region", box.settings.region)
    group = box.services.get("autoscaling")
    if group is None or "interrupt" not in group.timers:
        raise AwsError("NotServed", "this box has no Auto Scaling to interrupt", status=404)
    with box.lock:
        group.timers["interrupt"](box, region=region, instance_id=instance)
        box.note_change()
    return {"interrupted": instance}


def _review_token(box: Box, request: Request, body: Any) -> Mapping[str, Any]:
    review = box.ports.get(TOKEN_REVIEW_PORT)
    if review is None or not isinstance(body, dict):
        raise AwsError("NotServed", "no token is reviewed here", status=404)
    path = request.path_params
    answer: Mapping[str, Any] = review(path["region"], path["cluster"], path["secret"], body)
    return answer
