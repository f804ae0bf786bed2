"""Where output goes: data on stdout, words on stderr.

Why it exists: ``lowtide … -o json | jq`` must never meet a sentence, and a reader that closes the pipe early
(``| head``) is no error.

What it must not know: what is being printed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from lowtide.cli.settings import HUMAN, current
from lowtide.model.errors import LowtideError

Document = Mapping[str, Any]


def show(text: str) -> None:
    """Print data for people on stdout.

    Raises:
        LowtideError: the data has nowhere to go, such as a full disk.
    """
    try:
        _write(text, sys.stdout)
    except BrokenPipeError:
        _silence(sys.stdout)  # the reader has what it wanted
    except OSError as error:
        _silence(sys.stdout)
        raise LowtideError(
            "The result cannot be written",
            where="standard output",
            why=error.strerror or str(error),
            fix="send it to a place with room",
        ) from error


def say(text: str) -> None:
    """Print words on stderr; words that nobody can hear are no error."""
    try:
        _write(text, sys.stderr)
    except OSError:
        _silence(sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:  # closed by the shell: `>&-`
        return
    stream.write(text if text.endswith("\n") else text + "\n")
    stream.flush()


def _silence(stream: TextIO) -> None:
    """Point a broken stream at nothing, since Python flushes it once more at exit and would complain then.

    See "Note on SIGPIPE" in docs.python.org, library/signal.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say_next(*commands: str) -> None:
    """Print the next useful commands, ready to copy; only people need them."""
    if current().output == HUMAN:
        say("\n".join(["", "Next:", *(f"  {command}" for command in commands)]))


def document_text(document: Document, output: str) -> str:
    """Return a document as JSON or YAML text."""
    if output == "yaml":
        from lowtide.app.documents import yaml_text

        return yaml_text(document)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    if _can_be_said(text):
        return text
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)


def _can_be_said(text: str) -> bool:
    """Whether stdout has every character; a file name's byte that is not UTF-8 has none (PEP 383)."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def emit(document: Document) -> None:
    """Print a document on stdout in the wanted format."""
    show(document_text(document, current().output))


def is_for_people() -> bool:
    """Whether the running command prints words rather than a document."""
    return current().output == HUMAN


def has_color(stream: TextIO) -> bool:
    """Whether colours are wanted there: a terminal that can, and no NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int | None:
    """Return the columns of a terminal, None for a pipe or a file, which has no width."""
    if not stream.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns
