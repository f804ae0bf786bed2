"""Random choices as pure functions.

Where upstream draws at random (map order, unstable sorts, ties of the scheduler), the engine takes a
hash of what is known: the same question gets the same answer, and another seed another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def pick(candidates: Sequence[str], *, seed: int, now_ms: int, what: str) -> str:
    """Return one of the candidates; their order does not matter.

    Raises:
        ValueError: there is no candidate.
    """
    return shuffled(candidates, seed=seed, now_ms=now_ms, what=what)[0]


def shuffled(candidates: Sequence[str], *, seed: int, now_ms: int, what: str) -> list[str]:
    """Return the candidates in an order that depends on seed, time and question alone."""
    if not candidates:
        raise ValueError(f"nothing to choose from for {what}")
    if len(candidates) == 1:
        return list(candidates)
    ordered = sorted(candidates)
    question = f"{seed}|{now_ms}|{what}|{'|'.join(ordered)}|"

    def rank(candidate: str) -> bytes:
        return hashlib.blake2b((question + candidate).encode(), digest_size=8).digest()

    return sorted(ordered, key=rank)
