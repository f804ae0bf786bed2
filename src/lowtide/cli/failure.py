"""Every failure in four lines: what failed, where, why, and what to do next.

Why it exists: an error is read by somebody who wants to go on working; a traceback helps only whoever debugs
lowtide itself, who says ``--debug``. With ``-o json`` the same facts come as one document.

What it must not know: any verb.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lowtide.cli.interrupts import is_interrupt, told
from lowtide.cli.output import document_text, has_color, say, show
from lowtide.cli.settings import HUMAN, Settings
from lowtide.model.errors import InputError, LowtideError

OUR_BUG = 70

#: What no program can help, wherever it wrote or read: a full or read-only disk, a folder that is a file or another's, no more handles.
_OF_THE_MACHINE = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EACCES,
        errno.EMFILE,
        errno.ENFILE,
    }
)

#: How click names what is left over once every option has its value.
_STRAY = re.compile(r"unexpected extra arguments? \((.+)\)")
#: Commands that may have changed a cluster before they fail, and what is said then.
_CHANGES = ("lowtide up", "lowtide down", "lowtide scale")
_MAY_HAVE_BEGUN = "; what it had begun stays, and the same command goes on from there"
#: Verbs that take their files by ``-f`` and ``-w``.
_TAKES_FILES = ("check", "simulate")


def report_failure(error: Exception | KeyboardInterrupt, settings: Settings) -> int:
    """Print an error as wanted and return the exit code that belongs to it."""
    if isinstance(error, KeyboardInterrupt) or _is_broken_off(error):
        word, code = told(error)
        say(f"\n{word}")
        return code
    if settings.debug:
        say("".join(traceback.format_exception(error)))
    failure, code = _explained(error, settings.command)
    failure.where = failure.where or settings.command
    if settings.output != HUMAN:
        show(document_text(_document(failure, code), settings.output))
    from lowtide.report.problems import error_text

    say(error_text(failure, color=has_color(sys.stderr)))
    return code


@contextlib.contextmanager
def goes_on_with(command: str) -> Iterator[None]:
    """Where Ctrl-C or SIGTERM ends what is done inside, say so in one line with the command that goes on.

    Raises:
        Exit: with the exit code of how it was ended.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if not _is_broken_off(error):
            raise
        word, code = told(error)
        say(f"\n{word} What AWS has begun goes on there; go on with: {command}")
        raise click.exceptions.Exit(code) from None


def _is_broken_off(error: BaseException) -> bool:
    """Return whether it is Ctrl-C or SIGTERM; click makes an error of its own of one at a question."""
    return isinstance(error, click.exceptions.Abort) or is_interrupt(error)


def _explained(error: Exception, command: str) -> tuple[LowtideError, int]:
    if isinstance(error, LowtideError):
        return error, error.exit_code
    if isinstance(error, click.ClickException):
        return _from_click(error), InputError.exit_code
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return _from_machine(error, command), LowtideError.exit_code
    return _from_bug(error, command), OUR_BUG


def _from_machine(error: OSError, command: str) -> LowtideError:
    return LowtideError(
        f"This machine did not let lowtide go on{_MAY_HAVE_BEGUN if command in _CHANGES else ''}",
        where=str(error.filename or command),
        why=error.strerror or str(error),
        fix="make room, or set XDG_STATE_HOME, XDG_CACHE_HOME or TMPDIR to a folder that is yours, and run it again",
    )


def _from_click(error: click.ClickException) -> InputError:
    ctx = getattr(error, "ctx", None)
    command = ctx.command_path if ctx is not None else "lowtide"
    fix = f"{command} --help"
    possibilities = getattr(error, "possibilities", None)
    if isinstance(error, click.NoSuchOption):
        fix = _with_nearest_option(error, command)
    elif possibilities:
        fix = f"did you mean: {command} {min(possibilities)}"
    elif stray := _STRAY.search(error.format_message()):
        fix = _with_its_option(command, stray[1].split()[0])
    return InputError(
        "The command line is not understood", where=command, why=error.format_message(), fix=fix
    )


def _with_nearest_option(error: click.NoSuchOption, command: str) -> str:
    """Return the command with the option that was meant: one that begins as what was typed, else the most alike."""
    options = error.possibilities or []
    if not options:
        return f"{command} --help"
    begun = sorted(one for one in options if one.startswith(error.option_name))
    return f"did you mean: {command} {(begun or options)[0]}"


def _with_its_option(command: str, stray: str) -> str:
    """Return the command line with the option that a lone file was meant for."""
    from lowtide.app.beside import is_cluster_file

    verb = command.rpartition(" ")[2]
    if verb not in _TAKES_FILES:
        return f"{command} --help"
    meant_cluster = is_cluster_file(stray) or (verb == "check" and not Path(stray).exists())
    return f"{command} {'-f' if meant_cluster else '-w'} {shlex.quote(stray)}"


def _from_bug(error: Exception, command: str) -> LowtideError:
    frames = traceback.extract_tb(error.__traceback__)
    where = (
        f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}"
        if frames
        else ""
    )
    return LowtideError(
        f"lowtide hit a bug of its own{_MAY_HAVE_BEGUN if command in _CHANGES else ''}",
        where=where,
        why=f"{type(error).__name__}: {error}",
        fix="run it again with --debug and report the output, with `lowtide version` and the files",
    )


def _document(failure: LowtideError, code: int) -> dict[str, Any]:
    from lowtide.report.machine import findings_json

    return {
        "schema": "lowtide.error/v1",
        "exit_code": code,
        "what": failure.what,
        "where": failure.where,
        "why": failure.why,
        "fix": failure.fix,
        "findings": findings_json(getattr(failure, "findings", ()))["findings"],
    }
