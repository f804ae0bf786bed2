"""Connections that can be closed while other threads use them.

Why it exists: closing a socket under a thread that reads from it is not safe. The number of the closed file is given to the next
file or connection that is opened, and the thread goes on reading what belongs to that. So connections are closed when the
last thread has left; those that only wait, in watches, are woken by shutting their sockets down.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import httpx2


class ClosingTransport(httpx2.BaseTransport):
    """HTTP over TLS. Requests are made inside ``using``, watches are read inside ``watching``; ``end`` ends it all."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._inner = httpx2.HTTPTransport(verify=context, trust_env=False)
        self._lock = threading.Lock()
        self._users = 0
        self._watched: dict[int, socket.socket | None] = {}
        self._ended = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether ``end`` was called."""
        return self._ended.is_set()

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Keep the connections open until this thread has its answer."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                is_last = self._ended.is_set() and not self._users
            if is_last:
                self._inner.close()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Let ``end`` wake this thread, which reads answers without an end."""
        me = threading.get_ident()
        with self._lock:
            self._watched[me] = None
        try:
            yield
        finally:
            with self._lock:
                del self._watched[me]

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; httpx calls this."""
        if self._ended.is_set():
            raise httpx2.ConnectError("the connection was closed", request=request)
        response = self._inner.handle_request(request)
        stream = response.extensions.get("network_stream")
        with self._lock:
            me = threading.get_ident()
            if stream is not None and me in self._watched:
                self._watched[me] = stream.get_extra_info("socket")
                if self._ended.is_set():
                    _shut_down(self._watched[me])
        return response

    def end(self) -> None:
        """Refuse new requests, end the watches, and close the connections when nobody uses them any more."""
        with self._lock:
            self._ended.set()
            for one in self._watched.values():
                _shut_down(one)
            is_idle = not self._users
        if is_idle:
            self._inner.close()

    def close(self) -> None:
        """End; httpx calls this."""
        self.end()


def _shut_down(one: socket.socket | None) -> None:
    if one is not None:
        with contextlib.suppress(OSError):
            # Not SSLSocket.shutdown, which first takes the TLS layer from under the reader.
            socket.socket.shutdown(one, socket.SHUT_RDWR)
