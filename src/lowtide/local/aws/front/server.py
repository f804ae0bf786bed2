"""The HTTP server of the box: one loopback port, in a thread of its own.

Why it exists: uvicorn waits for ever for a request line that does not come; here every phase has its time.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lowtide.local.aws.front.app import TRANSPORT
from lowtide.local.listeners import listener_on
from lowtide.model.errors import LowtideError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"
#: How long a client may take to send a request's head, and a connection may be idle.
HEAD_TIME_S = 15.0
#: The largest head: request line and headers, in bytes.
LARGEST_HEAD = 64 * 1024
#: More connections than this are answered 503.
MOST_CONNECTIONS = 1000
_START_TIME_S, _STOP_TIME_S = 10.0, 3


class Server:
    """Serves an application from ``start`` to ``stop``."""

    def __init__(self, port: int = 0) -> None:
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self, app: ASGIApp) -> None:
        """Serve, and return when the first request can come."""
        config = uvicorn.Config(
            app,
            http=TimedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_keep_alive=int(HEAD_TIME_S),
            timeout_graceful_shutdown=_STOP_TIME_S,
        )
        self._server = _Announced(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="box-door", daemon=True
        )
        self._thread.start()
        if not self._server.is_started.wait(_START_TIME_S):
            raise LowtideError("The embedded AWS did not start to serve", where=self.url)

    def stop(self) -> None:
        """Stop serving; requests that are being answered have a few seconds."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
        self._socket.close()


class _Announced(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_started = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_started.set()


class TimedProtocol(H11Protocol):
    """Closes a connection on which no request comes to its head's end in time, or whose answer was to be dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self.app_state = {**self.app_state, TRANSPORT: lambda: self.transport}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read, and go on waiting unless a request is being answered."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._unwatch()

    def _watch(self) -> None:
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy or self.transport.is_closing():
            self._unwatch()
        elif self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(HEAD_TIME_S, self._too_late)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
        made.listen(256)
    except OSError as error:
        made.close()
        raise LowtideError(
            f"Port {port} cannot be used",
            where=f"{LOOPBACK}:{port}",
            why=" ".join(filter(None, [error.strerror or str(error), listener_on(port)])),
            fix="leave --port out to take a free one",
        ) from None
    return made
