"""Blocks to text, with rich. Import it late: it is the one module here that loads rich.

It must not know what the blocks say.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import assert_never

from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from lowtide.report.blocks import COLUMN_GAP, Beside, Block, Column, Line, Table, Words
from lowtide.report.wording import printable


def draw(blocks: Iterable[Block], *, width: int, color: bool) -> str:
    """Return blocks below each other, at most that wide, without blanks at line ends."""
    stream = io.StringIO()
    console = _console(stream, width=width, color=color)
    for block in blocks:
        console.print(_renderable(block, width))
    return "\n".join(row.rstrip() for row in stream.getvalue().splitlines())


def _console(stream: io.StringIO, *, width: int, color: bool) -> Console:
    """Return a console that no environment variable can change."""
    return Console(
        file=stream,
        width=width,
        height=100,
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _renderable(block: Block, width: int) -> RenderableType:
    match block:
        case Line():
            return Text.assemble(*(_text(words) for words in block.words))
        case Table():
            return _table(block, width)
        case Beside():
            grid = RichTable.grid(padding=(0, 5, 0, 0))
            grid.add_row(_table(block.left, width), _table(block.right, width))
            return grid
    assert_never(block)


def _table(block: Table, width: int) -> RichTable:
    table = RichTable(
        box=None,
        padding=(0, COLUMN_GAP, 0, 0),
        pad_edge=False,
        header_style="bold",
        show_header=any(column.title for column in block.columns),
    )
    for column, wide in zip(block.columns, _widths(block, width), strict=True):
        table.add_column(
            _text(column.title),
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=not _wraps(column),
            width=wide,
            overflow="ellipsis" if column.cut else "fold",
        )
    for row in block.rows:
        table.add_row(*map(_text, row))
    return table


def _wraps(column: Column) -> bool:
    return not (column.cut or column.keep or column.right)


def _widths(block: Table, width: int) -> list[int | None]:
    """Return each column's width; None leaves a wrapping one to rich.

    Rich takes from every column that may not wrap alike, also from times and numbers, so what there is
    is shared out here: whole columns first, then those that may be cut, the shortest first.
    """
    longest = [
        max(_text(cell).cell_len for cell in (column.title, *(row[place] for row in block.rows)))
        for place, column in enumerate(block.columns)
    ]
    left = width - COLUMN_GAP * (len(longest) - 1)
    widths: list[int | None] = [None if _wraps(column) else 0 for column in block.columns]
    places = [place for place, wide in enumerate(widths) if wide is not None]
    places.sort(key=lambda place: (block.columns[place].cut, longest[place]))
    for done, place in enumerate(places):
        column = block.columns[place]
        weights = sum(block.columns[other].weight for other in places[done:])
        share = left * column.weight // weights if column.cut else left
        widths[place] = max(1, min(longest[place], share))
        left -= widths[place] or 0
    return widths


def _text(cell: Words | str) -> Text:
    if isinstance(cell, str):
        return Text(printable(cell))
    return Text(printable(cell.text), style=cell.style)
