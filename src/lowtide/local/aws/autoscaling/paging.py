"""Auto Scaling's lists in pages, by ``MaxRecords`` and ``NextToken``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.tokens import start_of, token_of


def page(
    items: Sequence[Any], params: Mapping[str, Any], *, key: str, usual: int, largest: int = 100
) -> dict[str, Any]:
    """Return the page that a call asks for, under its name in the answer, with the token of the next one.

    Raises:
        AwsError: the token is none of ours, or the size is too large.
    """
    size = int(params.get("MaxRecords") or usual)
    if not 1 <= size <= largest:
        bound, words = (largest, "less") if size > largest else (1, "greater")
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{size}' at 'maxRecords' failed to satisfy constraint:"
            f" Member must have value {words} than or equal to {bound}",
        )
    start = start_of(params.get("NextToken"))
    if start is None:
        raise AwsError("InvalidNextToken", "The token provided is invalid.")
    answer: dict[str, Any] = {key: list(items[start : start + size])}
    if start + size < len(items):
        answer["NextToken"] = token_of(start + size)
    return answer
