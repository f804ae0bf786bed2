"""The page with plots: whether it can be drawn here, and writing it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lowtide.model.errors import LowtideError
from lowtide.model.simulation import Simulation
from lowtide.report.html import simulation_html

#: How the extra is installed: from a checkout today, from an index once lowtide is in one.
INSTALL = (
    "in a checkout of lowtide: pip install -e '.[report]' (`make demo` does it); "
    "elsewhere: pip install 'lowtide[report]'"
)


def can_write_html() -> bool:
    """Whether the extra ``lowtide[report]`` is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def write_html(simulation: Simulation, path: str) -> None:
    """Write one self-contained page.

    Raises:
        LowtideError: the file cannot be written.
    """
    text = simulation_html(simulation)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LowtideError(
            f"{path} cannot be written",
            where=path,
            why=error.strerror or str(error),
            fix="name a file in a folder that exists and is yours",
        ) from error
