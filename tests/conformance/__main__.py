"""``make conformance SCENARIOS='01 02'``: the twin against recordings of the real autoscaler."""

from __future__ import annotations

import sys

from tests.conformance.compare import compare, names
from tests.conformance.recordings import folder


def main() -> int:
    """Compare every scenario of the given numbers; exit 1 when one differs."""
    place = folder()
    counts = {"equal": 0, "explained": 0, "different": 0}
    chosen = names(place, sys.argv[1:])
    for name in chosen:
        outcome = compare(place, name)
        counts[outcome.word] += 1
        print(f"{outcome.word:<9}  {name}", flush=True)
        for line in outcome.differences:
            print(f"           {line}")
        if outcome.differences and outcome.explained:
            print(f"           because {outcome.explained}")
    print(
        f"{len(chosen)} scenarios, {counts['equal']} equal, "
        f"{counts['explained']} explained, {counts['different']} different"
    )
    return 1 if counts["different"] or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
