"""Whole commands as a person starts them: a new process each time, until it has ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.figure import Figure, measured

ROOT = Path(__file__).resolve().parent.parent
LOWTIDE = str(Path(sys.executable).with_name("lowtide"))
EXAMPLE = "examples/noble-gpu"
CLUSTER = ("-f", f"{EXAMPLE}/cluster.yaml")

#: Arguments and the target in seconds (DESIGN: "Numbers to reach").
COMMANDS: tuple[tuple[tuple[str, ...], float | None], ...] = (
    (("--help",), 0.150),
    (("check", *CLUSTER), 0.400),
    (("simulate", *CLUSTER, "-w", f"{EXAMPLE}/scenario.yaml", "-o", "json"), 1.0),
)


def figures() -> Iterator[Figure]:
    for arguments, target_s in COMMANDS:
        name = " ".join(["lowtide", *arguments]).replace(f"{EXAMPLE}/", "")
        try:
            seconds = measured(partial(_run, arguments))
        except (OSError, subprocess.SubprocessError) as error:
            yield Figure(name=name, failure=_why(error))
        else:
            yield Figure(name=name, seconds=seconds, target_s=target_s)


def _run(arguments: tuple[str, ...]) -> None:
    subprocess.run(
        [LOWTIDE, *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )


def _why(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        first = (error.stderr or "").strip().partition("\n")[0]
        return f"exit code {error.returncode} {first}".strip()
    return str(error)
