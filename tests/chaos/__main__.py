"""``make chaos``: SIGKILL at every call of ``up`` and ``down`` that changes something, and at the first of each kind that reads; run again.

It prints ``N kill points, N converged, 0 orphans`` last and exits 1 where that is not so. Points that are done are kept for the sources that
they were done with: broken off, it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.chaos.kills import Outcome, kill_at, points_in, proved, undisturbed
from tests.chaos.points import sample
from tests.chaos.progress import Progress, commit

#: So many boxes side by side: each waits half of the time.
_AT_ONCE = 2


def kills(size: int | None, wanted: str, *, at_once: int) -> int:
    """Kill at all points, or at a sample, or at those whose name has a text in it; return the exit code."""
    of = commit()
    progress = Progress(of)
    began_s = time.monotonic()
    life = undisturbed(progress)
    every = [one for one in points_in(life) if wanted in one.name]
    chosen = sample(every, size, of.partition("-")[0])
    done = proved(chosen, progress)
    print(f"{len(every)} points; {len(chosen)} to try, {len(done)} of them done before", flush=True)
    bad: list[Outcome] = []
    for number, one in enumerate(
        kill_at(chosen, life["held"], progress, at_once=at_once), len(done) + 1
    ):
        word = f"NOT CONVERGED: {one.problem}" if one.problem else "converged"
        print(f"{number}/{len(chosen)} {one.point.name}: {word}", flush=True)
        bad += [one] if one.problem else []
    orphans = {one for outcome in bad for one in outcome.orphans}
    if len(every) > len(chosen):
        print(f"{len(every) - len(chosen)} points left out of the sample")
    print(f"in {time.monotonic() - began_s:.0f} s")
    print(
        f"{len(chosen)} kill points, {len(chosen) - len(bad)} converged, {len(orphans)} orphans",
        flush=True,
    )
    return 1 if bad else 0


def main() -> int:
    """Do what the module's docstring says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--sample", type=int, help="so many points, drawn by the commit")
    parser.add_argument("--only", default="", help="points whose name has this in it")
    parser.add_argument("--at-once", type=int, default=_AT_ONCE, help="boxes side by side")
    given = parser.parse_args()
    return kills(given.sample, given.only, at_once=given.at_once)


if __name__ == "__main__":
    sys.exit(main())
