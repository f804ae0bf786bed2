"""The page with plots: whether it can be drawn here, and writing it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lowtide.app.whole_file import refuse_unwritable, write_whole
from lowtide.model.errors import InputError, LowtideError
from lowtide.model.simulation import Simulation
from lowtide.report.html import simulation_html

#: How the extra is installed: from a checkout today, from an index once lowtide is in one.
INSTALL = (
    "in a checkout of lowtide: pip install -e '.[report]' (`make demo` does it); "
    "elsewhere: pip install 'lowtide[report]'"
)

_OPTION = "--html"

#: What every report says of itself near its top (report/page.html).
_MARK = b'<meta name="generator" content="lowtide">'
_TOP_BYTES = 4096


def can_write_html() -> bool:
    """Whether the extra ``lowtide[report]`` is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def refuse_html(path: str) -> None:
    """Say before the run, not after it, that its report cannot be written or would replace what is no report.

    Raises:
        LowtideError: the extra ``lowtide[report]`` is not installed.
        InputError: nothing can be written there, or a file stands there that lowtide did not write.
    """
    if not can_write_html():
        raise LowtideError(
            "The report with plots cannot be written",
            where=_OPTION,
            why="it needs vl-convert-python, which is not installed",
            fix=f"{INSTALL}; or leave {_OPTION} out",
        )
    if path == "-":
        raise InputError(
            "The report with plots goes to a file",
            where=_OPTION,
            why="standard output has the figures",
            fix=f"{_OPTION} report.html",
        )
    refuse_unwritable(path, option=_OPTION)
    if not _is_free(Path(path)):
        raise InputError(
            f"{path} exists and is left as it is",
            where=_OPTION,
            why="it is no report of lowtide",
            fix=f"{_OPTION} another-name.html, or remove the file first",
        )


def _is_free(place: Path) -> bool:
    """Whether nothing is lost when a report is written there: no file, an empty one, or an earlier report."""
    try:
        with place.open("rb") as opened:
            top = opened.read(_TOP_BYTES)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not top or _MARK in top


def write_html(simulation: Simulation, path: str) -> None:
    """Write one self-contained page.

    Raises:
        LowtideError: the file cannot be written.
    """
    write_whole(path, simulation_html(simulation))
