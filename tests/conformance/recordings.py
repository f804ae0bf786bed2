"""Where the recordings are: the committed ones, or the whole set beside the checkout."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import find_shared

COMMITTED = Path(__file__).parent / "autoscaler-recordings"


def folder() -> Path:
    """Return the folder with ``scenarios/`` and ``recordings/``: all of them when they are at hand."""
    return find_shared("autoscaler-recordings") or COMMITTED
