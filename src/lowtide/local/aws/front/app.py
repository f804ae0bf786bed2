"""The two doors over HTTP: AWS's, and the admin's at ``/_lowtide/``.

Why it exists: sizes and times are limited here, and a web page that a browser was lured to is kept out: only a
loopback name is accepted as Host (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import functools
import re
from typing import TYPE_CHECKING

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front import writing
from lowtide.local.aws.front.dispatch import respond
from lowtide.local.aws.front.sigv4 import SignedRequest

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

#: The largest body, in bytes; CloudFormation's and IAM's largest documents are far below.
LARGEST_BODY = 10 * 1024 * 1024
#: How long a client may take to send a body.
BODY_TIME_S = 30.0
#: Requests that are worked on at the same time; the others wait for their turn.
THREADS = 64
ADMIN_PATH = "/_lowtide/"
#: Under this name the server hands out how to reach a request's connection.
TRANSPORT = "lowtide.transport"
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)


def application(box: Box, admin: ASGIApp) -> ASGIApp:
    """Return both doors as one application."""
    aws = AwsDoor(box)

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0].decode("latin-1")):
            failed = AwsError(
                "InvalidHost", "Only requests to a loopback name are answered.", status=403
            )
            await _send(writing.error("", "rest-json", failed, ""), scope, receive, send)
            return
        door = admin if scope["path"].startswith(ADMIN_PATH) else aws
        await door(scope, receive, send)

    return guarded


class AwsDoor:
    """Reads a request whole, lets the box answer it in a thread, and writes the answer."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._threads: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            body = await body_of(request)
        except AwsError as failed:
            answer = writing.error("", "rest-json", failed, "")
            await _send(answer, scope, receive, send, close=True)
            return
        except ClientDisconnect:
            return
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(THREADS)
        answered = functools.partial(respond, self._box, _signed(scope, body))
        reply = await anyio.to_thread.run_sync(answered, limiter=self._threads)
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.is_dropped:
            scope["state"][TRANSPORT]().abort()
            await receive()  # the connection's end, without which uvicorn would answer
            return
        await _send(reply.answer, scope, receive, send)


async def body_of(request: Request) -> bytes:
    """Return a request's body.

    Raises:
        AwsError: it is too large, or takes too long.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIME_S):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST_BODY:
                    raise AwsError(
                        "RequestEntityTooLarge",
                        f"The request's body is larger than {LARGEST_BODY} bytes.",
                        status=413,
                    )
                parts.append(part)
    except TimeoutError:
        raise AwsError(
            "RequestTimeout", "The request's body did not come in time.", status=408
        ) from None
    return b"".join(parts)


def _signed(scope: Scope, body: bytes) -> SignedRequest:
    raw = scope.get("raw_path") or scope["path"].encode()
    return SignedRequest(
        method=scope["method"],
        path=raw.decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in scope["headers"]
        ),
        body=body,
    )


async def _send(
    answer: writing.Answer, scope: Scope, receive: Receive, send: Send, *, close: bool = False
) -> None:
    headers = dict(answer.headers)
    if close:
        headers["Connection"] = "close"
    response = Response(answer.body, status_code=answer.status, headers=headers)
    await response(scope, receive, send)
