"""Turns the rows of a table into jobs, the first one at time 0.

Why it exists: a trace format is its columns and one function from a row to a job; names that repeat, and submit times of two
clocks, are wrong in every format.

What it must not know: how a file is read, and the columns of any format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lowtide.model.scenario import TraceJob
from lowtide.spec.trace_table import (
    BAD_VALUE,
    DUPLICATE_NAME,
    EMPTY_TRACE,
    LONGEST_DAYS,
    BadCell,
    Row,
    Rows,
    Wrong,
    check_header,
    checked_rows,
    read_csv,
    read_parquet,
)
from lowtide.spec.words import quoted


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A trace format: the columns that must be there, those that may, and what a row means.

    ``submitted`` is the column that says when a job came.
    """

    submitted: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    job: Callable[[Row], Job]

    @property
    def known(self) -> tuple[str, ...]:
        """All columns."""
        return self.required + self.optional


def read_jobs(path: str | Path, form: Format, *, is_parquet: bool = False) -> tuple[TraceJob, ...]:
    """Return the jobs of a table by submit time, the first one at time 0.

    Raises:
        InputError: with a finding per bad row, the first 20 and the number of the rest.
    """
    read = read_parquet if is_parquet else read_csv
    return read(path, lambda columns, rows: _jobs(str(path), columns, rows, form))


class _Span:
    """The first and the last job of a table."""

    def __init__(self) -> None:
        self._first: tuple[int, int] | None = None
        self._last: tuple[int, int] | None = None

    def take(self, submit_ms: int, line: int) -> None:
        """Look at one job."""
        if self._first is None or submit_ms < self._first[0]:
            self._first = (submit_ms, line)
        if self._last is None or submit_ms > self._last[0]:
            self._last = (submit_ms, line)

    def check(self, wrong: Wrong, column: str) -> None:
        """Add a finding at the last job when it is too long after the first."""
        if self._first is None or self._last is None:
            return
        (first_ms, first_line), (last_ms, last_line) = self._first, self._last
        days = (last_ms - first_ms) / (24 * 3600 * 1000)
        if days > LONGEST_DAYS:
            message = (
                f"{column}: this is {days:,.0f} days after the job on line {first_line}; "
                f"a trace spans at most {LONGEST_DAYS} days"
            )
            fix = "count all submit times from one moment, in seconds, or cut the trace"
            wrong.add(BAD_VALUE, message, last_line, path=column, fix=fix)


def _jobs(file: str, columns: Sequence[str], rows: Rows, form: Format) -> tuple[TraceJob, ...]:
    """Convert every row, or raise with everything that is wrong with the table."""
    check_header(file, columns, required=form.required, known=form.known)
    wrong, span = Wrong(file), _Span()
    jobs: dict[str, Job] = {}
    for row in checked_rows(file, columns, rows, wrong):
        try:
            job = form.job(row)
            if jobs.setdefault(job.name, job) is not job:
                why = f"{quoted(job.name)} is an earlier job's name too"
                raise BadCell("name", why, DUPLICATE_NAME)  # noqa: TRY301 - as every other bad cell
        except BadCell as error:
            wrong.add_cell(row, error)
            continue
        span.take(job.submit_ms, row.line)
    if not jobs and not wrong:
        wrong.add(EMPTY_TRACE, "there is a header and no job below it", 1)
    span.check(wrong, form.submitted)
    if wrong:
        raise wrong.refusal()
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
