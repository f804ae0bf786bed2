"""Where output goes: data on stdout, words on stderr.

Why it exists: ``lowtide … -o json | jq`` must never meet a sentence, and a reader that closes the pipe early
(``| head``) is no error.

What it must not know: what is being printed.
"""

# ruff: noqa: PLC0415 - a verb loads what it needs when it is called, so that --help stays quick

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from lowtide.cli.settings import HUMAN, current

Document = Mapping[str, Any]


def _write(text: str, stream: TextIO) -> None:
    ending = "" if text.endswith("\n") else "\n"
    try:
        stream.write(text + ending)
        stream.flush()
    except BrokenPipeError:
        # The reader has what it wanted. Python would complain again when it flushes at exit
        # (docs.python.org, library/signal, "Note on SIGPIPE"), so the descriptor is pointed elsewhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def show(text: str) -> None:
    """Print data for people on stdout."""
    _write(text, sys.stdout)


def say(text: str) -> None:
    """Print words on stderr."""
    _write(text, sys.stderr)


def say_next(*commands: str) -> None:
    """Print the next useful commands, ready to copy; only people need them."""
    if current().output == HUMAN:
        say("\n".join(["", "Next:", *(f"  {command}" for command in commands)]))


def document_text(document: Document, output: str) -> str:
    """Return a document as JSON or YAML text."""
    if output == "yaml":
        from lowtide.app.documents import yaml_text

        return yaml_text(document)
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


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
    return shutil.get_terminal_size().columns if stream.isatty() else None
