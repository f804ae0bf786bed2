"""Asks a running box at its admin door, and finds the box that is meant.

Why it exists: status, logs, faults and the end of a box all go through that door.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lowtide.app.local_home import home
from lowtide.model.errors import InputError, LowtideError

if TYPE_CHECKING:
    from lowtide.local.box_folder import Door

#: Beside it runs a box whose folder is found by the port of its door.
_ENDPOINT = "AWS_ENDPOINT_URL"
ASK_TIME_S = 30.0


def ask_door(
    method: str, path: str, document: Mapping[str, Any] | None = None, *, port: int = 0
) -> Any:
    """Ask the admin door of the box that is meant and return its answer.

    Raises:
        InputError: no box, or several boxes, are running; or the door refused.
        LowtideError: it does not answer.
    """
    return ask(_door(port), method, path, document)


def ask(
    door: Door,
    method: str,
    path: str,
    document: Mapping[str, Any] | None = None,
    *,
    within_s: float = ASK_TIME_S,
) -> Any:
    """Ask one door and return its answer.

    Raises:
        InputError: the door refused.
        LowtideError: it does not answer.
    """
    address = urlsplit(door.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=within_s)
    try:
        body = None if document is None else json.dumps(document)
        connection.request(
            method, f"/_lowtide{path}", body, {"Authorization": f"Bearer {door.token}"}
        )
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise LowtideError(
            "The box does not answer",
            where=door.url,
            why=str(error),
            fix="lowtide local status",
        ) from None
    finally:
        connection.close()
    if answer.status >= 300:
        raise InputError(
            "The box refused",
            where=f"{door.url} {method} {path}",
            why=str(said.get("error", answer.status)),
            fix="lowtide local fault --help",
        )
    return said


def _door(port: int) -> Door:
    running = {urlsplit(one.url).port: one for one in _doors()}
    wanted = port or urlsplit(os.environ.get(_ENDPOINT, "")).port
    if wanted in running:
        return running[wanted]
    if wanted is None and len(running) == 1:
        return next(iter(running.values()))
    ports = ", ".join(str(one) for one in sorted(port for port in running if port))
    raise InputError(
        "No such box is running" if wanted or not running else "Several boxes are running",
        where=f"--port {wanted}" if wanted else str(home()),
        why=f"boxes run on the ports {ports}" if running else "no box is running",
        fix="lowtide local fault list --port PORT"
        if running
        else "lowtide local up, or lowtide local aws",
    )


def _doors() -> Iterator[Door]:
    from lowtide.local.box_folder import DOOR_FILE, read_door  # noqa: PLC0415 - not for --help

    for path in sorted(home().glob(f"*/{DOOR_FILE}")):
        door = read_door(path.parent)
        if door is not None and _lives(door.pid):  # else left over from a box that was killed
            yield door


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
