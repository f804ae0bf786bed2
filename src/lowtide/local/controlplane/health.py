"""Asks a part of the control plane whether it is well, over TLS that is checked.

Why it exists: a process that runs does not yet serve.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path

from lowtide.local.controlplane.certificates import Pair

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A URL path on a loopback port, and how to enter."""

    port: int
    path: str
    authority: Path
    client: Pair | None = None
    token: str = ""

    def passes(self) -> bool:
        """Return whether the answer is 200."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if self.client is not None:
            context.load_cert_chain(self.client.certificate, self.client.key)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=_TIMEOUT_S, context=context
        )
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            connection.request("GET", self.path, headers=headers)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
