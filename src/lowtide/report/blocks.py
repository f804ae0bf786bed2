"""What a terminal report is made of, as values: lines, tables and tables side by side.

They are drawn by ``screen``. It must not know rich, which costs 60 ms to import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Blanks between two columns.
COLUMN_GAP = 2


@dataclass(frozen=True, slots=True)
class Words:
    """Text in one style; a style is a rich style such as ``bold red``. The text may be a user's."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Words after each other; wrapped where the terminal ends."""

    words: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    ``right`` is for numbers. Where the width is too small, cells wrap; ``cut`` cuts them instead, and
    ``keep`` (and ``right``) leaves them whole while other columns give way. ``weight`` says how much of the room
    a cut column gets beside other cut ones. ``spare`` says how early the column is left out where a
    table offers that; 0 is never.
    """

    title: str = ""
    right: bool = False
    cut: bool = False
    keep: bool = False
    weight: int = 1
    style: str = ""
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below their columns' titles; without any title there is no head."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Words | str]]


@dataclass(frozen=True, slots=True)
class Beside:
    """Two tables next to each other."""

    left: Table
    right: Table


Block = Line | Table | Beside


def line(text: str = "", style: str = "") -> Line:
    """Return a line in one style; without text an empty one."""
    return Line((Words(text, style),))
