"""The embedded AWS as commands: serve it, run one command against it, put a fault into a running one.

Why it exists: the command line shows words; where a box lives and how a running one is found is decided here.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lowtide.model.errors import InputError, LowtideError

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

#: What the extra ``local`` brings, by the name under which it is imported.
EXTRA = ("boto3", "moto", "starlette", "uvicorn")
#: Beside it runs a box whose folder is found by the port of its door.
_ENDPOINT = "AWS_ENDPOINT_URL"
_ASK_TIME_S = 30.0
_FOLDER = "aws-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a box is wanted."""

    port: int = 0
    state_file: Path | None = None
    speed: float = 10.0
    region: str = "us-east-1"
    admission: Mapping[str, bool] = field(default_factory=dict)


@contextmanager
def serving(wanted: Wanted) -> Iterator[Serving]:
    """Serve a box until the block ends.

    Raises:
        InputError: the extra is not installed, or the state file cannot be used.
        LowtideError: the port cannot be used.
    """
    _check_extra()
    # Only a command that serves pays for moto and uvicorn.
    from lowtide.local.aws.settings import Settings  # noqa: PLC0415
    from lowtide.local.box_folder import sweep  # noqa: PLC0415
    from lowtide.local.serve import Serving  # noqa: PLC0415

    home = _home()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in home.glob(f"{_FOLDER}*"):
        sweep(left)
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=home, ignore_cleanup_errors=True) as made:
        # With a state file the clusters' data must be there at the next start too: it lies beside that file.
        state = wanted.state_file
        folder = Path(made) if state is None else state.with_name(f"{state.name}.d")
        settings = Settings(
            folder=folder,
            state_file=state,
            speed=wanted.speed,
            region=wanted.region,
            admission=wanted.admission,
        )
        with Serving(settings, port=wanted.port, planes="real") as served:
            if state is not None:
                served.door.write(Path(made))
            yield served


def run_beside(wanted: Wanted, command: Sequence[str]) -> int:
    """Run a command with a box of its own and return its exit code, as shells give it (128 + signal)."""
    with serving(wanted) as served:
        try:
            started = subprocess.Popen(  # noqa: S603 - the user's own command
                list(command), env={**os.environ, **served.environment()}
            )
        except OSError as error:
            raise InputError(
                f"{command[0]} cannot be run",
                where="lowtide local aws -- COMMAND",
                why=error.strerror or str(error),
                fix="lowtide local aws -- aws sts get-caller-identity",
            ) from None
        return _code_of(started)


@contextmanager
def ended_by_signals(served: Serving) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM ask the box to stop, as the admin door does, instead of breaking off what is under way."""
    wanted = [
        one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN
    ]
    before = {one: signal.signal(one, lambda *_: served.stop_asked.set()) for one in wanted}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def ask_door(
    method: str, path: str, document: Mapping[str, Any] | None = None, *, port: int = 0
) -> Any:
    """Ask the admin door of a running box and return its answer.

    Raises:
        InputError: no box, or several boxes, are running; or the door refused.
    """
    door = _door(port)
    address = urlsplit(door["url"])
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=_ASK_TIME_S
    )
    try:
        body = None if document is None else json.dumps(document)
        connection.request(
            method, f"/_lowtide{path}", body, {"Authorization": f"Bearer {door['token']}"}
        )
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise LowtideError(
            "The embedded AWS does not answer",
            where=door["url"],
            why=str(error),
            fix="lowtide local aws",
        ) from None
    finally:
        connection.close()
    if answer.status >= 300:
        raise InputError(
            "The embedded AWS refused",
            where=f"{door['url']} {method} {path}",
            why=str(said.get("error", answer.status)),
            fix="lowtide local fault --help",
        )
    return said


def _code_of(started: subprocess.Popen[bytes]) -> int:
    before = signal.signal(signal.SIGTERM, lambda *_: started.terminate())
    try:
        while True:
            try:
                code = started.wait()
            except KeyboardInterrupt:
                continue  # the command has it too, and decides
            return code if code >= 0 else 128 - code
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_extra() -> None:
    import importlib.util  # noqa: PLC0415

    for name in EXTRA:
        if importlib.util.find_spec(name) is None:
            raise InputError(
                "The embedded AWS needs the extra `local`",
                where="lowtide local",
                why=f"{name} is not installed",
                fix="pip install 'lowtide[local]'",
            )


def _home() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "lowtide" / "local"


def _door(port: int) -> dict[str, Any]:
    running = {urlsplit(one["url"]).port: one for one in _doors()}
    wanted = port or urlsplit(os.environ.get(_ENDPOINT, "")).port
    if wanted in running:
        return running[wanted]
    if wanted is None and len(running) == 1:
        return next(iter(running.values()))
    ports = ", ".join(str(one) for one in sorted(port for port in running if port))
    raise InputError(
        "No such box is running" if wanted or not running else "Several boxes are running",
        where=f"--port {wanted}" if wanted else str(_home()),
        why=f"boxes run on the ports {ports}" if running else "no box is running",
        fix="lowtide local fault list --port PORT" if running else "lowtide local aws",
    )


def _doors() -> Iterator[dict[str, Any]]:
    for path in sorted(_home().glob("*/door.json")):
        try:
            found = json.loads(path.read_text())
            os.kill(found["pid"], 0)
            yield found
        except (OSError, ValueError, KeyError, TypeError):
            continue  # left over from a box that was killed
