"""A connection to a cluster by its address, its certificate authority and tokens, without a kubeconfig.

Why it exists: EKS says where a cluster is, and a token can be signed here: nothing has to be installed, and no file has to be written or
trusted, before lowtide can work in a cluster.
"""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Callable

import httpx2
import lightkube

from lowtide.kube.live.client import MANAGER, TIMEOUT_S, Cluster
from lowtide.kube.live.transport import ClosingTransport

_UNAUTHORIZED = 401


def reach(
    name: str, endpoint: str, ca: str, token: Callable[[], str], *, dry_run: bool = False
) -> Cluster:
    """Connect to a cluster; nothing is sent yet.

    Args:
        name: of the cluster, for errors.
        endpoint: the API server's URL.
        ca: its certificate authority, PEM in base64, as EKS gives it.
        token: makes a token; called at first and when the server does not take the last one any more.
        dry_run: let the server answer as if, and keep nothing.
    """
    context = ssl.create_default_context(cadata=base64.b64decode(ca).decode())
    transport = _TokenTransport(context, token)
    config = lightkube.KubeConfig.from_dict(
        {
            "clusters": [{"name": name, "cluster": {"server": endpoint}}],
            "users": [{"name": name, "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )
    client = lightkube.Client(
        config=config.get(),
        field_manager=MANAGER,
        timeout=httpx2.Timeout(TIMEOUT_S),
        trust_env=False,
        dry_run=dry_run,
        transport=transport,
    )
    return Cluster(client, f"cluster {name}, {endpoint}", transport)


class _TokenTransport(ClosingTransport):
    """Adds a token to each request, a new one where the server refuses the last."""

    def __init__(self, context: ssl.SSLContext, token: Callable[[], str]) -> None:
        super().__init__(context)
        self._make = token
        self._token = ""
        self._token_lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; httpx calls this."""
        used = self._current("")
        response = self._with(request, used)
        if response.status_code != _UNAUTHORIZED:
            return response
        response.close()
        return self._with(request, self._current(used))

    def _with(self, request: httpx2.Request, token: str) -> httpx2.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        return super().handle_request(request)

    def _current(self, refused: str) -> str:
        with self._token_lock:
            if self._token == refused:
                self._token = self._make()
            return self._token
