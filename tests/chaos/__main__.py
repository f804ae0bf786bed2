"""``make chaos`` and ``make faults``: what a command goes through is killed, or goes wrong, at every call; the next run has to go on.

``kills`` sends SIGKILL at every call of ``up`` and ``down`` that changes something, and at the first of each kind that reads, one run per
point. ``faults`` lets every call meet every fault of the embedded AWS. After each the command is run again, and account and cluster are
compared with those of a life that nobody disturbed. What is done is kept for the sources that it was done with: broken off, it goes on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos import faults, kills
from tests.chaos.points import sample
from tests.chaos.progress import Progress, commit

#: So many boxes side by side: each waits half of the time.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class _Ended:
    name: str
    problem: str
    orphans: tuple[str, ...]


def _killed(chosen: Sequence[str], progress: Progress, at_once: int) -> Iterator[_Ended]:
    life = kills.undisturbed(progress)
    points = [one for one in kills.points_in(life) if one.name in set(chosen)]
    for one in kills.kill_at(points, life["held"], progress, at_once=at_once):
        yield _Ended(one.point.name, one.problem, one.orphans)


def _faulted(chosen: Sequence[str], progress: Progress, at_once: int) -> Iterator[_Ended]:
    life = kills.undisturbed(progress)
    met = [one for one in faults.faults_in(life) if one.name in set(chosen)]
    for one in faults.meet(met, life["held"], progress, at_once=at_once):
        yield _Ended(one.fault.name, one.problem, one.orphans if one.problem else ())


def _run(given: argparse.Namespace) -> int:
    of = commit()
    progress = Progress(of)
    began_s = time.monotonic()
    life = kills.undisturbed(progress)
    is_kills = given.what == "kills"
    names = [one.name for one in (kills.points_in if is_kills else faults.faults_in)(life)]
    every = [one for one in names if given.only in one]
    chosen = sample(every, given.sample, of.partition("-")[0])
    done = sum(progress.get(one) == "" for one in chosen)
    noun = "kill points" if is_kills else "faults"
    print(f"{len(every)} {noun}; {len(chosen)} to try, {done} of them done before", flush=True)
    bad: list[_Ended] = []
    ending = (_killed if is_kills else _faulted)(chosen, progress, given.at_once)
    for number, one in enumerate(ending, done + 1):
        word = f"NOT CONVERGED: {one.problem}" if one.problem else "converged"
        print(f"{number}/{len(chosen)} {one.name}: {word}", flush=True)
        bad += [one] if one.problem else []
    orphans = {orphan for one in bad for orphan in one.orphans}
    print(f"in {time.monotonic() - began_s:.0f} s")
    if len(every) > len(chosen):
        print(f"{len(every) - len(chosen)} {noun} left out of the sample")
    good = len(chosen) - len(bad)
    print(f"{len(chosen)} {noun}, {good} converged, {len(orphans)} orphans", flush=True)
    return 1 if bad else 0


def main() -> int:
    """Do what the module's docstring says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("kills", "faults"), default="kills")
    parser.add_argument("--sample", type=int, help="so many, drawn by the commit")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    parser.add_argument("--at-once", type=int, default=_AT_ONCE, help="boxes side by side")
    return _run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
