"""A local control plane: cold start to Ready, how long it takes to stop, and what it takes while idle.

Needs the programs (`lowtide local build`); without them nothing is printed but that. Run by itself:
`python benchmarks/local_plane.py`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# Run as a script, Python looks for modules beside it and not in the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.figure import HEADER, Figure
from benchmarks.processes import print_usage
from lowtide.local.controlplane.binaries import Binaries, find_binaries
from lowtide.local.controlplane.planes import Planes, PlaneSpec
from lowtide.local.controlplane.releases import DEFAULT_MINOR
from lowtide.model.errors import LowtideError

#: Starts that count; each is cold: new keys and an empty etcd.
STARTS = 3
#: After a start, controllers settle; then the idle CPU of this long is measured.
SETTLE_S = 10.0
IDLE_S = 20.0
#: Measured on two quiet cores: 3.9 s to everything healthy.
TARGET_READY_S = 10.0
SPEC = PlaneSpec(name="bench", region="us-east-1", minor=DEFAULT_MINOR)


def figures() -> Iterator[Figure]:
    try:
        binaries = find_binaries(DEFAULT_MINOR)
    except LowtideError as missing:
        print(f"control plane: {missing.what} (lowtide local build)")
        return
    yield Figure(
        name="control plane: cold start to Ready",
        seconds=tuple(_cold_start_s(binaries) for _ in range(STARTS)),
        target_s=TARGET_READY_S,
    )
    _print_idle(binaries)


def _cold_start_s(binaries: Binaries) -> float:
    with tempfile.TemporaryDirectory() as folder:
        planes = Planes(Path(folder), binaries=lambda _: binaries)
        try:
            started = time.perf_counter()
            planes.start(SPEC)
            return time.perf_counter() - started
        finally:
            planes.stop_all()


def _print_idle(binaries: Binaries) -> None:
    """Print memory and idle CPU of each process, which are no seconds of a run."""
    with tempfile.TemporaryDirectory() as folder:
        planes = Planes(Path(folder), binaries=lambda _: binaries)
        try:
            pids = planes.start(SPEC).pids
            time.sleep(SETTLE_S)
            print_usage(pids, over_s=IDLE_S, label="idle")
        finally:
            planes.stop_all()


if __name__ == "__main__":
    print(HEADER)
    for one in figures():
        print(one.line())
