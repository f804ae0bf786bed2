"""Reads a table row by row, whatever its columns mean, and says which rows and cells are wrong.

Why it exists: every trace format has the same rows, lines, bad cells and file troubles.

What it must not know: jobs, and the columns of any format. The codes are those of :mod:`lowtide.spec.traces`.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar

from lowtide.model.errors import InputError
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.spec.document import did_you_mean
from lowtide.spec.input_file import UnusableFileError, refuse_irregular
from lowtide.spec.words import quoted

Result = TypeVar("Result")
#: The number of each row's last line, with its cells, none for a blank line.
Rows = Iterable[tuple[int, Sequence[Any]]]
#: What is made of the columns and rows while the file is open.
Use = Callable[[Sequence[str], Rows], Result]

UNREADABLE_TRACE = ("LT401", "unreadable-trace")
UNKNOWN_COLUMN = ("LT402", "unknown-column")
MISSING_COLUMN = ("LT403", "missing-column")
BAD_VALUE = ("LT404", "bad-value")
ROW_LENGTH = ("LT405", "row-length")
DUPLICATE_NAME = ("LT406", "duplicate-name")
EMPTY_TRACE = ("LT407", "empty-trace")

#: Findings shown of one file; the rest is counted.
SHOWN = 20
#: More rows than this are another kind of file, or a compression bomb.
MOST_ROWS = 5_000_000
#: Characters of one row, with the line breaks in its cells; a real one has some hundreds.
MOST_CHARACTERS = 64 * 1024
#: A trace is replayed second by second from its first job: what is longer mixes two clocks, or seconds with milliseconds.
LONGEST_DAYS = 366
LONGEST_S = LONGEST_DAYS * 24 * 3600
#: Above this a number is a mistake: as seconds, thirty million years.
MOST = 1e15


class BadCell(Exception):  # noqa: N818 - never leaves this room
    """A cell that cannot be read: the column, and why."""

    def __init__(self, column: str, why: str, rule: tuple[str, str] = BAD_VALUE) -> None:
        super().__init__(why)
        self.column = column
        self.rule = rule


class Row:
    """One row under its header; one object moves along the table."""

    __slots__ = ("cells", "columns", "line")

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns: Mapping[str, int] = {name: index for index, name in enumerate(columns)}
        self.cells: Sequence[Any] = ()
        self.line = 0

    def text(self, column: str, default: str = "") -> str:
        """Return a cell as text, the default where it is empty or there is no such column."""
        index = self.columns.get(column)
        value = None if index is None else self.cells[index]
        return default if value is None or value == "" else str(value).strip()

    def number(self, column: str, *, least: float = 0.0, most: float = MOST) -> float:
        """Return a cell as a finite number.

        Raises:
            BadCell: it is none, or out of bounds.
        """
        raw = self.cells[self.columns[column]]
        try:
            value = float(raw)
        except (TypeError, ValueError):
            raise BadCell(column, f"{quoted(raw)} is not a number") from None
        if math.isnan(value):
            raise BadCell(column, f"{quoted(raw)} is not a number")
        if not least <= value <= most:
            bound = f"below {least:g}" if value < least else f"above {most:g}"
            raise BadCell(column, f"{quoted(raw)} is {bound}")
        return value

    def length_s(self, column: str) -> float:
        """Return a cell as the seconds that a run takes.

        Raises:
            BadCell: it is no number, or no run is that long.
        """
        seconds = self.number(column, most=math.inf)
        if seconds > LONGEST_S:
            why = f"{quoted(self.text(column))} seconds are more than {LONGEST_DAYS} days"
            raise BadCell(column, why)
        return seconds

    def whole(self, column: str, *, least: int = 0, most: float = MOST) -> int:
        """Return a cell as a whole number.

        Raises:
            BadCell: it is none, or out of bounds.
        """
        value = self.number(column, least=least, most=most)
        if value != int(value):
            raise BadCell(column, f"{value:g} is not a whole number")
        return int(value)


def read_csv(path: str | Path, use: Use[Result]) -> Result:
    """Return what is made of a CSV file, compressed where its name ends in .gz.

    Raises:
        InputError: it is no such file, or ``use`` says so.
    """
    opener = gzip.open if str(path).lower().endswith(".gz") else open
    try:
        refuse_irregular(path)
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = _rows(file)
            columns = [name.strip() for name in next(rows, (0, []))[1]]
            return use(columns, rows)
    except UnusableFileError as error:
        raise _unreadable(path, error, error.fix) from error
    except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
        raise _unreadable(path, error) from error


class _Lines:
    """The lines of a text; none is read to its end once the row that it belongs to is too long."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.of_row = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MOST_CHARACTERS + 1 - self.of_row)
        if not line:
            raise StopIteration
        self.of_row += len(line)
        if self.of_row > MOST_CHARACTERS:
            raise ValueError(f"a row has more than {MOST_CHARACTERS // 1024} KiB; this is no trace")
        return line


def _rows(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the last line of each row and its cells, none for a blank line."""
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True)
    for cells in reader:
        lines.of_row = 0
        yield reader.line_num, cells


def read_parquet(path: str | Path, use: Use[Result]) -> Result:
    """Return what is made of a Parquet file; lines are row numbers from 1.

    Raises:
        InputError: as read_csv, and when the package pyarrow is missing.
    """
    try:
        arrow, parquet = (importlib.import_module(f"pyarrow{part}") for part in ("", ".parquet"))
    except ImportError as error:
        raise InputError(
            f"cannot read the trace {path}",
            where=str(path),
            why="Parquet needs the package pyarrow, which is not installed",
            fix="pip install 'lowtide[parquet]', or write the table as CSV",
        ) from error
    try:
        refuse_irregular(path)
        with parquet.ParquetFile(path) as file:
            columns = list(file.schema_arrow.names)
            batches = [batch.to_pydict() for batch in file.iter_batches()]
    except UnusableFileError as error:
        raise _unreadable(path, error, error.fix) from error
    except (OSError, arrow.ArrowException) as error:
        raise _unreadable(path, error) from error
    rows = (row for batch in batches for row in zip(*batch.values(), strict=True))
    return use(columns, enumerate(rows, start=1))


def _unreadable(path: str | Path, error: Exception, fix: str = "") -> InputError:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    fix = fix or "give a CSV file (.csv, .csv.gz) or a Parquet file (.parquet)"
    wrong = Wrong(str(path))
    wrong.add(UNREADABLE_TRACE, why, 0, 0, fix=fix)
    return wrong.refusal()


class Wrong:
    """What is wrong with a table: the first findings, and how many there are beside them."""

    def __init__(self, file: str, things: str = "rows") -> None:
        self._file = file
        self._things = things
        self._shown: list[Finding] = []
        self._more = 0
        self._last = Mark(file=file)

    def __bool__(self) -> bool:
        return bool(self._shown)

    @property
    def is_full(self) -> bool:
        """Whether further findings are counted alone."""
        return len(self._shown) >= SHOWN

    def add(
        self,
        rule: tuple[str, str],
        message: str,
        line: int,
        column: int = 1,
        *,
        path: str = "",
        fix: str = "",
    ) -> None:
        """Add a finding; after the first ones it is counted alone."""
        if self.is_full:
            self.count(line)
            return
        mark = Mark(file=self._file, line=line, column=column)
        self._shown.append(_finding(rule, message, mark, path=path, fix=fix))

    def add_cell(self, row: Row, error: BadCell) -> None:
        """Add what is wrong with a cell of a row."""
        if self.is_full:
            self.count(row.line)
            return
        column = _column_of(row.cells, row.columns.get(error.column, 0))
        message = f"{error.column}: {error}"
        self.add(error.rule, message, row.line, column, path=error.column)

    def count(self, line: int) -> None:
        """Count a finding that nobody is shown."""
        self._more += 1
        self._last = Mark(file=self._file, line=line, column=1)

    def refusal(self) -> InputError:
        """Return the error with the first findings and, last, the number of the others."""
        first = self._shown[0]
        shown = list(self._shown)
        if self._more:
            message = f"{self._more} more {self._things} are wrong, the last of them here"
            shown.append(_finding((first.code, first.name), message, self._last))
        return InputError(
            f"cannot read the trace {self._file}",
            where=str(first.mark),
            why=first.message,
            fix=first.fix,
            findings=tuple(shown),
        )


def checked_rows(file: str, columns: Sequence[str], rows: Rows, wrong: Wrong) -> Iterator[Row]:
    """Yield one row after the other, always in the same object, but for blank ones and those of another length.

    Raises:
        InputError: there are too many of them.
    """
    row = Row(columns)
    for row.line, row.cells in rows:
        if row.line > MOST_ROWS:
            raise _unreadable(file, ValueError(f"it has more than {MOST_ROWS} rows"))
        if len(row.cells) == len(columns):
            yield row
        elif row.cells:
            message = f"{len(row.cells)} cells under {len(columns)} columns"
            wrong.add(ROW_LENGTH, message, row.line)


def check_header(
    file: str, columns: Sequence[str], *, required: Sequence[str], known: Sequence[str]
) -> None:
    """Let a header pass that has every required column, and none twice or besides the known ones.

    Raises:
        InputError: with a finding per wrong or missing column.
    """
    wrong = Wrong(file, "columns")
    seen: set[str] = set()
    at = 1
    for name in columns:
        if name not in known:
            # Looking for the nearest name takes longer than all the rest.
            fix = "" if wrong.is_full else did_you_mean(name, known)
            wrong.add(UNKNOWN_COLUMN, f"unknown column {quoted(name)}", 1, at, fix=fix)
        elif name in seen:
            message = f"the column {quoted(name)} is there twice"
            wrong.add(UNKNOWN_COLUMN, message, 1, at, fix="remove one of the two")
        seen.add(name)
        at += len(name) + 1
    for name in required:
        if name not in seen:
            fix = f"the columns are {', '.join(required)}"
            wrong.add(MISSING_COLUMN, f"the column {name} is missing", 1, fix=fix)
    if wrong:
        raise wrong.refusal()


def _column_of(cells: Sequence[Any], index: int) -> int:
    """Return the text column of a cell; exact where no cell before it is quoted."""
    return 1 + sum(len(str(one)) + 1 for one in cells[:index])


def _finding(
    rule: tuple[str, str], message: str, mark: Mark, *, path: str = "", fix: str = ""
) -> Finding:
    code, name = rule
    return Finding(
        code=code,
        name=name,
        severity=Severity.ERROR,
        message=message,
        mark=mark,
        path=path,
        fix=fix,
    )
