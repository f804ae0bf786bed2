"""Free loopback ports for one control plane, kept over restarts where they are still free.

Why it exists: a kubeconfig names the port, so a cluster that was stopped should come back on it.
"""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from lowtide.local.controlplane.private_files import write_private


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of one control plane; all on 127.0.0.1."""

    etcd: int
    etcd_peer: int
    api_server: int
    controller_manager: int
    scheduler: int


_NAMES = ("etcd", "etcd_peer", "api_server", "controller_manager", "scheduler")


def choose_ports(file: Path, *, fresh: bool = False) -> Ports:
    """Return the ports in the file while they are free (and not ``fresh``), or new ones, which are written there."""
    kept = None if fresh else _read(file)
    if kept is not None and all(is_free(port) for port in asdict(kept).values()):
        return kept
    ports = _new_ports()
    write_private(file, json.dumps(asdict(ports)))
    return ports


def _read(file: Path) -> Ports | None:
    try:
        return Ports(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _new_ports() -> Ports:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in _NAMES]  # held together: distinct
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return Ports(
            **{name: one.getsockname()[1] for name, one in zip(_NAMES, sockets, strict=True)}
        )


def is_free(port: int) -> bool:
    """Return whether a program could listen on a port of 127.0.0.1 now."""
    with socket.socket() as one:
        # As Go's listeners do: connections that have just ended do not count.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
