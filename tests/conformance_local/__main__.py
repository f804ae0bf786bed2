"""``make conformance-local``: the recorded broken set-ups, set up in a box with our engine as the autoscaler.

What the real parts do of themselves is a matter of chance in places (which group wins a tie; whether a node's NoExecute taint is
still there when a pod is bound to it, which the controller manager looks at every five seconds), so a variant that is not
equal is set up again; how often it took is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.conformance_local.deciding import Deciding, of_index, of_run
from tests.conformance_local.recorded import Variant, folder, names, read

#: So many boxes run side by side on two cores, each with a control plane of its own.
_AT_ONCE = 3
_TRIES = 3
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

    def lines(self, tries: int) -> list[str]:
        variant, seen = self.variant, self.seen
        word = "equal" if self.is_equal else "different"
        again = f" (at the try {tries})" if tries > 1 else ""
        found = [f"{word:<9}  {variant.name}{again}", f"           recorded: {variant.end}"]
        if self.problem:
            return [*found, f"           {self.problem}"]
        ours = (
            f"Max GPU nodes {seen['max_gpu_nodes']}; end: gpu_nodes={seen['gpu_nodes']} "
            f"allocatable={seen['allocatable']} pods={seen['pods']} desired={seen['desired']}"
        )
        found.append(f"           here:     {ours}")
        found += [f"           - {' | '.join(one)}" for one in sorted(self.missing)]
        found += [f"           + {' | '.join(one)}" for one in sorted(self.surplus)]
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


def compare(place: Path, chosen: Sequence[str], *, tries: int, kept: Path | None) -> int:
    """Run variants and print what they came to; return how many are equal."""
    last: dict[str, Outcome] = {}
    left, run = list(chosen), partial(outcome, place, kept)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for attempt in range(1, tries + 1):
            last |= dict(zip(left, pool.map(run, left), strict=True))
            for name in left:
                if last[name].is_equal or attempt == tries:
                    print("\n".join(last[name].lines(attempt)), flush=True)
            left = [name for name in left if not last[name].is_equal]
    return sum(one.is_equal for one in last.values())


def main() -> int:
    """Compare all variants, or those that are named; exit 1 when more than one differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance_local")
    parser.add_argument("variants", nargs="*", help="names of variants [default: all]")
    parser.add_argument("--tries", type=int, default=_TRIES, help="runs of a variant at most")
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
    equal = compare(place, chosen, tries=given.tries, kept=given.keep)
    print(f"{len(chosen)} variants, {equal} equal")
    return 0 if equal >= max(1, len(chosen) - _MAY_DIFFER) else 1


if __name__ == "__main__":
    sys.exit(main())
