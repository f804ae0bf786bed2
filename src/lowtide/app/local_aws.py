"""The embedded AWS as commands: serve it, run one command against it.

Why it exists: the command line shows words; how long a box lives, and what ends it, is decided here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lowtide.app.local_home import Wanted, check_extra, home
from lowtide.model.errors import InputError

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

_FOLDER = "aws-"


@contextmanager
def serving(wanted: Wanted) -> Iterator[Serving]:
    """Serve a box until the block ends.

    Raises:
        InputError: the extra is not installed, or the state file cannot be used.
        LowtideError: the port cannot be used.
    """
    check_extra()
    # Only a command that serves pays for moto and uvicorn.
    from lowtide.local.box_folder import locked, one_at_a_time, sweep  # noqa: PLC0415
    from lowtide.local.serve import Serving  # noqa: PLC0415

    boxes = home()
    state = wanted.state_file
    with ExitStack() as stack:
        with one_at_a_time(boxes):  # a folder that is not locked yet looks like one of a killed box
            for left in boxes.glob(f"{_FOLDER}*"):
                sweep(left)
            made = Path(stack.enter_context(_temporary(boxes)))
            if state is not None:
                stack.enter_context(locked(made))
            # With a state file the clusters' data must be there at the next start too: it lies beside that file.
            folder = made if state is None else state.with_name(f"{state.name}.d")
            served = Serving(wanted.settings(folder), port=wanted.port, planes="real")
        stack.enter_context(served)
        if state is not None:
            served.door.write(made)
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


def _temporary(boxes: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=_FOLDER, dir=boxes, ignore_cleanup_errors=True)


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
