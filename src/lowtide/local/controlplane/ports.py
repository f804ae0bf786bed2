"""Free loopback ports for one control plane, kept over restarts where they are still free.

Why it exists: a kubeconfig names the port, so a cluster that was stopped should come back on it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
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


_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: Below it are ports that people know by heart.
_FIRST = 20_000
_ATTEMPTS = 50
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
        sockets = [stack.enter_context(_bound()) for _ in _NAMES]  # held together: distinct
        return Ports(
            **{name: one.getsockname()[1] for name, one in zip(_NAMES, sockets, strict=True)}
        )


def unused_port() -> int:
    """Return a port of 127.0.0.1 that is free and that no outgoing connection will be given."""
    with _bound() as one:
        port: int = one.getsockname()[1]
        return port


def _bound() -> socket.socket:
    """Return a socket on a free port below those that the system gives to outgoing connections.

    Such a connection, of whichever program, may take a port between this look and the start of the program that wants it,
    or while a box is stopped.
    """
    made = socket.socket()
    lowest = _lowest_outgoing()
    for _ in range(_ATTEMPTS if lowest > _FIRST else 0):
        with contextlib.suppress(OSError):
            made.bind(("127.0.0.1", _FIRST + secrets.randbelow(lowest - _FIRST)))
            return made
    made.bind(("127.0.0.1", 0))
    return made


def _lowest_outgoing() -> int:
    """Return where the range of outgoing connections begins (ip(7), ip_local_port_range); RFC 6335's where it is not said."""
    try:
        return int(_OUTGOING.read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return 49_152


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
