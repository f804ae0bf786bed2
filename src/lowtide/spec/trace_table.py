"""Reads a table of jobs row by row, whatever its columns mean, and says which cells are wrong.

Why it exists: every trace format has the same rows, lines, bad cells and file troubles; a format adds its columns and one
function from a row to a job.

What it must not know: the columns of any format. The codes are those of :mod:`lowtide.spec.traces`.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lowtide.model.errors import InputError
from lowtide.model.findings import Finding, Mark, Severity
from lowtide.model.scenario import TraceJob
from lowtide.spec.document import did_you_mean

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
#: Above this a number is a mistake: as seconds, thirty million years.
MOST = 1e15


class Job(NamedTuple):
    """A job before the first one is known to be time 0; a tuple, because a table has 50,000 of them and more."""

    name: str
    submit_ms: int
    run_ms: int
    gpus: int
    cpu_milli: int
    memory_bytes: int
    group: str = ""
    zone: str = ""
    gang: int = 1


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
            raise BadCell(column, f"{raw!r} is not a number") from None
        if math.isnan(value):
            raise BadCell(column, f"{raw!r} is not a number")
        if not least <= value <= most:
            bound = f"below {least:g}" if value < least else f"above {most:g}"
            raise BadCell(column, f"{raw!r} is {bound}")
        return value

    def whole(self, column: str, *, least: int = 0, most: float = MOST) -> int:
        """Return a cell as a whole number.

        Raises:
            BadCell: it is none, or out of bounds.
        """
        value = self.number(column, least=least, most=most)
        if value != int(value):
            raise BadCell(column, f"{value:g} is not a whole number")
        return int(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A trace format: the columns that must be there, those that may, and what a row means."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    job: Callable[[Row], Job]

    @property
    def known(self) -> tuple[str, ...]:
        """All columns."""
        return self.required + self.optional


def read_csv(path: str | Path, form: Format) -> tuple[TraceJob, ...]:
    """Return the jobs of a CSV file, compressed where its name ends in .gz, the first one at time 0.

    Raises:
        InputError: with a finding per bad row, the first 20 and the number of the rest.
    """
    opener = gzip.open if str(path).endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            rows = ((reader.line_num, cells) for cells in reader if cells)
            return _jobs(str(path), columns, rows, form)
    except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
        raise _unreadable(path, error) from error


def read_parquet(path: str | Path, form: Format) -> tuple[TraceJob, ...]:
    """Return the jobs of a Parquet file; lines are row numbers from 1.

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
        with parquet.ParquetFile(path) as file:
            columns = list(file.schema_arrow.names)
            batches = [batch.to_pydict() for batch in file.iter_batches()]
    except (OSError, arrow.ArrowException) as error:
        raise _unreadable(path, error) from error
    rows = (row for batch in batches for row in zip(*batch.values(), strict=True))
    return _jobs(str(path), columns, enumerate(rows, start=1), form)


def _unreadable(path: str | Path, error: Exception) -> InputError:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    fix = "give a CSV file (.csv, .csv.gz) or a Parquet file (.parquet)"
    return _refusal(str(path), [_finding(UNREADABLE_TRACE, why, Mark(file=str(path)), fix=fix)])


def _jobs(
    file: str, columns: Sequence[str], rows: Iterable[tuple[int, Sequence[Any]]], form: Format
) -> tuple[TraceJob, ...]:
    """Convert every row, or raise with everything that is wrong with the table."""
    findings = list(_header_findings(file, columns, form))
    if findings:
        raise _refusal(file, findings)
    row = Row(columns)
    jobs: dict[str, Job] = {}
    for row.line, row.cells in rows:
        if row.line > MOST_ROWS:
            raise _unreadable(file, ValueError(f"it has more than {MOST_ROWS} rows"))
        if len(row.cells) != len(columns):
            message = f"{len(row.cells)} cells under {len(columns)} columns"
            place = Mark(file=file, line=row.line, column=1)
            findings.append(_finding(ROW_LENGTH, message, place))
            continue
        try:
            job = form.job(row)
        except BadCell as error:
            findings.append(_cell_finding(file, row, error))
            continue
        if jobs.setdefault(job.name, job) is not job:
            again = BadCell("name", f"{job.name!r} is an earlier job's name too", DUPLICATE_NAME)
            findings.append(_cell_finding(file, row, again))
    if not jobs and not findings:
        place = Mark(file=file, line=1, column=1)
        findings.append(_finding(EMPTY_TRACE, "there is a header and no job below it", place))
    if findings:
        raise _refusal(file, findings)
    return _from_zero(jobs.values())


def _from_zero(jobs: Iterable[Job]) -> tuple[TraceJob, ...]:
    """Return the jobs by submit time, ties in the table's order, the first one at 0."""
    ordered = sorted(jobs, key=lambda job: job.submit_ms)
    first = ordered[0].submit_ms
    return tuple(
        TraceJob(
            name=job.name,
            submit_ms=job.submit_ms - first,
            run_ms=job.run_ms,
            gpus=job.gpus,
            cpu_milli=job.cpu_milli,
            memory_bytes=job.memory_bytes,
            group=job.group,
            zone=job.zone,
            gang=job.gang,
        )
        for job in ordered
    )


def _header_findings(file: str, columns: Sequence[str], form: Format) -> Iterator[Finding]:
    for index, name in enumerate(columns):
        place = Mark(file=file, line=1, column=_column_of(columns, index))
        if name not in form.known:
            fix = did_you_mean(name, form.known)
            yield _finding(UNKNOWN_COLUMN, f"unknown column {name!r}", place, fix=fix)
        elif name in columns[:index]:
            message = f"the column {name!r} is there twice"
            yield _finding(UNKNOWN_COLUMN, message, place, fix="remove one of the two")
    for name in form.required:
        if name not in columns:
            message = f"the column {name} is missing"
            fix = f"the columns are {', '.join(form.required)}"
            yield _finding(MISSING_COLUMN, message, Mark(file=file, line=1, column=1), fix=fix)


def _cell_finding(file: str, row: Row, error: BadCell) -> Finding:
    column = _column_of(row.cells, row.columns.get(error.column, 0))
    mark = Mark(file=file, line=row.line, column=column)
    return _finding(error.rule, f"{error.column}: {error}", mark, path=error.column)


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


def _refusal(file: str, findings: Sequence[Finding]) -> InputError:
    shown = list(findings[:SHOWN])
    first = shown[0]
    if len(findings) > SHOWN:
        message = f"{len(findings) - SHOWN} more rows are wrong"
        shown.append(_finding((first.code, first.name), message, Mark(file=file)))
    return InputError(
        f"cannot read the trace {file}",
        where=str(first.mark),
        why=first.message,
        fix=first.fix,
        findings=tuple(shown),
    )
