"""Connections that can be closed while another thread reads from them.

Why it exists: a watch blocks its thread in a read. Closing the socket under it would neither wake it nor be safe: the number of
the closed file is given to the next connection, and the thread goes on reading what belongs to that. So the
sockets of watches are shut down, which wakes their readers, and all are closed when the last reader has left.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import httpx2


class ClosingTransport(httpx2.BaseTransport):
    """HTTP over TLS; ``end`` refuses new requests and ends the ones that are read inside ``reading``."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._inner = httpx2.HTTPTransport(verify=context, trust_env=False)
        self._lock = threading.Lock()
        self._readers: dict[int, socket.socket | None] = {}
        self._ended = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether ``end`` was called."""
        return self._ended.is_set()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the connections open until this thread has read its watch to the end."""
        me = threading.get_ident()
        with self._lock:
            self._readers[me] = None
        try:
            yield
        finally:
            with self._lock:
                del self._readers[me]
                is_last = self._ended.is_set() and not self._readers
            if is_last:
                self._inner.close()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; httpx calls this."""
        if self._ended.is_set():
            raise httpx2.ConnectError("the connection was closed", request=request)
        response = self._inner.handle_request(request)
        stream = response.extensions.get("network_stream")
        with self._lock:
            me = threading.get_ident()
            if stream is not None and me in self._readers:
                self._readers[me] = stream.get_extra_info("socket")
                if self._ended.is_set():
                    _shut_down(self._readers[me])
        return response

    def end(self) -> None:
        """Refuse new requests, end the watches, and close the connections when nobody reads any more."""
        with self._lock:
            self._ended.set()
            for one in self._readers.values():
                _shut_down(one)
            is_idle = not self._readers
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
