"""``make conformance-local``: the recorded broken set-ups, set up in a box with our engine as the autoscaler.

Some of what the real parts said is a matter of chance, here as there: which group wins a tie, and whether a fresh node's taint
not-ready:NoExecute is still there when a pod is bound to it, which is decided by the moment at which the controller manager looks
(every five seconds). So a variant that is not equal is set up again; how many runs it took is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance_local.deciding import Deciding, of_index, of_run
from tests.conformance_local.recorded import Variant, folder, names, read

#: So many boxes run side by side on two cores, each with a control plane of its own.
_AT_ONCE = 3
_TRIES = 2
_TRIES_BY_CHANCE = 6
#: Comes where a pod is bound to a fresh node before the controller manager's next look, every five seconds, takes the
#: taint not-ready:NoExecute from it (kubernetes, pkg/controller/nodelifecycle and tainteviction).
_BY_CHANCE = "TaintManagerEviction"
_LONGEST_S = 900
#: Variants that may differ.
_MAY_DIFFER = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a variant came to."""

    variant: Variant
    seen: dict[str, Any]
    missing: frozenset[Deciding]
    surplus: frozenset[Deciding]
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.surplus or self.problem)

    @property
    def tries(self) -> int:
        """How often it is run at most: oftener where only the moment of the controller manager's look differs."""
        differing = {reason for reason, _, _ in self.missing | self.surplus}
        by_chance = not self.problem and differing == {_BY_CHANCE}
        return _TRIES_BY_CHANCE if by_chance else _TRIES

    def sizes(self) -> str:
        """Return the sizes at the end as INDEX.md writes them."""
        seen = self.seen
        if not seen:
            return "nothing was seen"
        return (
            f"Max GPU nodes {seen['max_gpu_nodes']}; end: gpu_nodes={seen['gpu_nodes']} "
            f"allocatable={seen['allocatable']} pods={seen['pods']} desired={seen['desired']}"
        )

    def differences(self) -> list[str]:
        """Return what was not said here (-) and what was said here alone (+)."""
        return [
            *([self.problem] if self.problem else ()),
            *(f"- {' | '.join(one)}" for one in sorted(self.missing)),
            *(f"+ {' | '.join(one)}" for one in sorted(self.surplus)),
        ]


def lines(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what is printed of a variant's runs: the last one, and how those before it differed."""
    last = outcomes[-1]
    word = "equal" if last.is_equal else "different"
    again = f" (run {len(outcomes)})" if len(outcomes) > 1 else ""
    found = [
        f"{word:<9}  {last.variant.name}{again}",
        f"           recorded: {last.variant.end}",
        f"           here:     {last.sizes()}",
        *(f"           {one}" for one in last.differences()),
    ]
    for number, before in enumerate(outcomes[:-1], start=1):
        found += [f"           run {number}: {one}" for one in before.differences()]
    return found


def outcome(place: Path, kept: Path | None, name: str) -> Outcome:
    """Run a variant in a process of its own and compare it."""
    variant = read(place, name)
    wanted = of_index(variant.lines)
    with tempfile.TemporaryDirectory(prefix="lowtide-conformance-") as work:
        file = Path(work) / f"{name}.json"
        command = [sys.executable, "-m", "tests.conformance_local.world", name, str(file)]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=_LONGEST_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome(variant, {}, wanted, frozenset(), f"not over after {_LONGEST_S} s")
        if kept is not None:
            (kept / f"{name}.err").write_text(ended.stderr, encoding="utf-8")
        if ended.returncode or not file.exists():
            last = next(reversed(ended.stderr.splitlines()), f"ended with {ended.returncode}")
            return Outcome(variant, {}, wanted, frozenset(), last)
        text = file.read_text("utf-8")
    if kept is not None:
        (kept / f"{name}.json").write_text(text, encoding="utf-8")
    result = json.loads(text)
    found = of_run(result["events"])
    who = result["seen"]["autoscaler"]
    problem = "" if who == "lowtide" else f"another autoscaler than lowtide's engine ran: {who}"
    return Outcome(variant, result["seen"], wanted - found, found - wanted, problem)


def settled(place: Path, kept: Path | None, name: str) -> list[Outcome]:
    """Run a variant until it is equal or was tried often enough; return what every run came to."""
    found: list[Outcome] = []
    while not found or not (found[-1].is_equal or len(found) >= found[-1].tries):
        found.append(outcome(place, kept, name))
    return found


def compare(place: Path, chosen: Sequence[str], *, kept: Path | None) -> tuple[int, int]:
    """Run variants, the long ones first, and print what they came to; return how many are equal, and in their first run."""
    variants = [read(place, name) for name in chosen]
    variants.sort(key=lambda one: (not one.in_steps, -one.watched_s))
    equal, at_once = 0, 0
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        running = [pool.submit(settled, place, kept, one.name) for one in variants]
        for one in as_completed(running):
            outcomes = one.result()
            equal += outcomes[-1].is_equal
            at_once += outcomes[0].is_equal
            print("\n".join(lines(outcomes)), flush=True)
    return equal, at_once


def main() -> int:
    """Compare all variants, or those that are named; exit 1 when more than one differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance_local")
    parser.add_argument("variants", nargs="*", help="names of variants [default: all]")
    parser.add_argument("--keep", type=Path, help="a folder for what each run saw, as JSON")
    given = parser.parse_args()
    place = folder()
    if place is None:
        print("the recordings (live-recordings/broken) are not on this machine; set LOWTIDE_DATA")
        return 2
    known = names(place)
    unknown = sorted(set(given.variants) - set(known))
    if unknown:
        print(f"no such variant: {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    chosen = given.variants or known
    equal, at_once = compare(place, chosen, kept=given.keep)
    print(f"in their first run: {at_once} of {len(chosen)}")
    print(f"{len(chosen)} variants, {equal} equal")
    return 0 if equal >= max(1, len(chosen) - _MAY_DIFFER) else 1


if __name__ == "__main__":
    sys.exit(main())
