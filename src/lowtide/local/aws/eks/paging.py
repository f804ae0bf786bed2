"""EKS's lists in pages: ``maxResults`` at a time, with a token that only says where to go on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.eks.refusals import invalid_parameter

_MOST = 100


def page(items: Sequence[Any], params: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Return the page that a call asks for, under its name in the answer, with the token of the next one.

    Raises:
        AwsError: InvalidParameterException for a token that is not one of ours or a size out of 1..100.
    """
    size = params.get("maxResults", _MOST)
    if not 1 <= size <= _MOST:
        raise invalid_parameter(f"maxResults must be between 1 and {_MOST}")
    start = _start(params.get("nextToken"))
    answer: dict[str, Any] = {key: list(items[start : start + size])}
    if start + size < len(items):
        answer["nextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return answer


def _start(token: str | None) -> int:
    if not token:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error):
        start = -1
    if start < 0:
        raise invalid_parameter("Invalid token")
    return start
