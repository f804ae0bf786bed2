"""Prints every figure that is promised: `make bench`. With --strict, exits 1 when one misses its target.

Each group of figures is a module of its own that yields them; here they are only printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path

# Run as a script, Python looks for modules beside it and not in the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import commands, engine, local, local_load, local_plane, records
from benchmarks.figure import HEADER, Figure

GROUPS = (
    commands.figures,
    engine.figures,
    records.figures,
    local.figures,
    local_plane.figures,
    local_load.figures,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--strict", action="store_true", help="exit 1 when a figure misses its target"
    )
    strict = parser.parse_args().strict
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(HEADER, flush=True)
    missed: list[Figure] = []
    for figures in GROUPS:
        for figure in figures():
            print(figure.line(), flush=True)
            missed += [] if figure.is_met else [figure]
    print(f"{len(missed)} over target" if missed else "all within target")
    return 1 if strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
