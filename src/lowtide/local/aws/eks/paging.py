"""EKS's lists in pages: ``maxResults`` at a time, with a token that only says where to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.eks.refusals import invalid_parameter
from lowtide.local.aws.tokens import start_of, token_of

_MOST = 100


def page(items: Sequence[Any], params: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Return the page that a call asks for, under its name in the answer, with the token of the next one.

    Raises:
        AwsError: InvalidParameterException for a token that is not one of ours or a size out of 1..100.
    """
    size = params.get("maxResults", _MOST)
    if not 1 <= size <= _MOST:
        raise invalid_parameter(f"maxResults must be between 1 and {_MOST}")
    start = start_of(params.get("nextToken"))
    if start is None:
        raise invalid_parameter("Invalid token")
    answer: dict[str, Any] = {key: list(items[start : start + size])}
    if start + size < len(items):
        answer["nextToken"] = token_of(start + size)
    return answer
