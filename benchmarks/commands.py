"""Whole commands as a person starts them: a new process each time, until it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.figure import Figure, measured

ROOT = Path(__file__).resolve().parent.parent
LOWTIDE = str(Path(sys.executable).with_name("lowtide"))
EXAMPLE = "examples/noble-gpu"
CLUSTER = ("-f", f"{EXAMPLE}/cluster.yaml")

#: Outside the checkout, and empty at the first of several runs.
RENDERED = str(Path(tempfile.gettempdir()) / f"lowtide-bench-{os.getpid()}")

#: Arguments and the target in seconds (DESIGN: "Numbers to reach").
COMMANDS: tuple[tuple[tuple[str, ...], float | None], ...] = (
    (("--help",), 0.150),
    (("check", *CLUSTER), 0.400),
    (("simulate", *CLUSTER, "-w", f"{EXAMPLE}/scenario.yaml", "-o", "json"), 1.0),
    (("plan", *CLUSTER), 0.7),
    (("render", *CLUSTER, RENDERED, "--force"), 0.7),
)


def figures() -> Iterator[Figure]:
    for arguments, target_s in COMMANDS:
        name = " ".join(["lowtide", *arguments]).replace(f"{EXAMPLE}/", "").replace(RENDERED, "DIR")
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
