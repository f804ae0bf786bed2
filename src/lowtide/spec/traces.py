"""Reads traces, a job a row: our own columns in CSV or Parquet, and the Philly and openb formats.

Why it exists: a cluster is best judged on the jobs that its owner really ran. Our own form has the columns
``submit_s, run_s, gpus, cpu, memory_mib`` and, where wanted, ``name, group, zone, gang``: seconds, whole GPUs,
vCPU and MiB of one pod; ``gang`` is the number of identical pods of the job. Submit times may count from any
moment: the first job becomes time 0.

What it must not know: clusters and prices.

| code  | name             | what is wrong                                         |
|-------|------------------|-------------------------------------------------------|
| LT401 | unreadable-trace | not a file, not text, not gzip, not a table, too long |
| LT402 | unknown-column   | a column that the format does not have, or has once   |
| LT403 | missing-column   | a column that every row needs                         |
| LT404 | bad-value        | a cell that is not what its column holds              |
| LT405 | row-length       | a row with more or fewer cells than the header        |
| LT406 | duplicate-name   | two jobs of one name                                  |
| LT407 | empty-trace      | no job at all                                         |
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
from pathlib import Path

from lowtide.model.quantity import MIB
from lowtide.model.scenario import TraceJob
from lowtide.spec.trace_jobs import Format, Job, read_jobs
from lowtide.spec.trace_table import LONGEST_DAYS, LONGEST_S, MOST, BadCell, Row
from lowtide.spec.words import quoted

#: No EC2 instance has more GPUs, so a larger Philly job becomes a gang of pods.
LARGEST_POD_GPUS = 8
#: GPUs or pods of one job. Kubernetes is made for 5,000 nodes
#: (kubernetes.io/docs/setup/best-practices/cluster-large), so more of them are a mistake.
MOST_PIECES = 10_000

# A job's name becomes its pods' names, with a number behind (DNS-1123 label, 63 characters at most).
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", re.ASCII)


def read_trace(path: str | Path) -> tuple[TraceJob, ...]:
    """Return the jobs of a table in our own columns (.csv, .csv.gz or .parquet), by submit time.

    Raises:
        InputError: with a finding per bad row, the first 20 and the number of the rest.
    """
    return read_jobs(path, _OWN, is_parquet=str(path).lower().endswith(".parquet"))


def read_philly(path: str | Path) -> tuple[TraceJob, ...]:
    """Return the jobs of a Philly table (timestamp, duration, num_gpus, gpu_time, cluster), by submit time.

    The table has neither CPU nor memory, so the jobs request GPUs alone. A job of more than 8 GPUs
    becomes a gang of the fewest equal pods that have at most 8 each.

    Raises:
        InputError: as read_trace.
    """
    return read_jobs(path, _PHILLY)


def read_openb(path: str | Path) -> tuple[TraceJob, ...]:
    """Return the pods of an openb table as jobs that run from being scheduled to their deletion.

    A pod that was never scheduled wanted to run from creation to deletion. A pod that shared a GPU
    takes a whole one: an EKS node offers whole GPUs.

    Raises:
        InputError: as read_trace.
    """
    return read_jobs(path, _OPENB)


def _own_job(row: Row) -> Job:
    name = row.text("name", f"job-{row.line}")
    if not _NAME.fullmatch(name):
        form = "lower-case letters, digits and '-', at most 52 characters"
        raise BadCell("name", f"{quoted(name)} cannot name pods: {form}")
    return Job(
        name=name,
        submit_ms=round(row.number("submit_s", least=-MOST) * 1000),
        run_ms=round(row.length_s("run_s") * 1000),
        gpus=row.whole("gpus", most=MOST_PIECES),
        cpu_milli=math.ceil(row.number("cpu") * 1000),
        memory_bytes=math.ceil(row.number("memory_mib") * MIB),
        group=row.text("group"),
        zone=row.text("zone"),
        gang=row.whole("gang", least=1, most=MOST_PIECES) if row.text("gang") else 1,
    )


def _philly_job(row: Row) -> Job:
    stamp = row.text("timestamp")
    try:
        moment = dt.datetime.fromisoformat(stamp)
    except ValueError:
        raise BadCell(
            "timestamp", f"{quoted(stamp)} is not a time like 2017-10-09 07:01:55"
        ) from None
    # The stamps have no zone; read as UTC, every difference stays.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    gpus = row.whole("num_gpus", least=1, most=MOST_PIECES)
    gang = _gang_of(gpus)
    return Job(
        name=f"philly-{row.line}",
        submit_ms=round(moment.timestamp() * 1000),
        run_ms=round(row.length_s("duration") * 1000),
        gpus=gpus // gang,
        cpu_milli=0,
        memory_bytes=0,
        gang=gang,
    )


@functools.cache
def _gang_of(gpus: int) -> int:
    """Return the fewest equal pods that share the GPUs of a job, none with more than fit on a node."""
    fewest = math.ceil(gpus / LARGEST_POD_GPUS)
    return next(pods for pods in range(fewest, gpus + 1) if gpus % pods == 0)


def _openb_job(row: Row) -> Job:
    created = row.number("creation_time")
    started = row.number("scheduled_time") if row.text("scheduled_time") else created
    ended = row.number("deletion_time")
    if ended < started:
        raise BadCell("deletion_time", f"{ended:g} is before the pod's start at {started:g}")
    if ended - started > LONGEST_S:
        why = f"{ended:.0f} is more than {LONGEST_DAYS} days after the pod's start at {started:.0f}"
        raise BadCell("deletion_time", why)
    return Job(
        name=row.text("name", f"openb-{row.line}"),
        submit_ms=round(created * 1000),
        run_ms=round((ended - started) * 1000),
        gpus=row.whole("num_gpu", most=MOST_PIECES),
        cpu_milli=row.whole("cpu_milli"),
        memory_bytes=row.whole("memory_mib") * MIB,
    )


_OWN = Format(
    submitted="submit_s",
    required=("submit_s", "run_s", "gpus", "cpu", "memory_mib"),
    optional=("name", "group", "zone", "gang"),
    job=_own_job,
)
_PHILLY = Format(
    submitted="timestamp",
    required=("timestamp", "duration", "num_gpus"),
    optional=("gpu_time", "cluster"),
    job=_philly_job,
)
_OPENB = Format(
    submitted="creation_time",
    required=("name", "cpu_milli", "memory_mib", "num_gpu", "creation_time", "deletion_time"),
    optional=("gpu_milli", "gpu_spec", "qos", "pod_phase", "scheduled_time"),
    job=_openb_job,
)
