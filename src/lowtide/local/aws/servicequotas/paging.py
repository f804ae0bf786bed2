"""Pages of Service Quotas' lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.local.aws.tokens import start_of, token_of

#: API reference, ListServiceQuotas: MaxResults.
_PAGE = 100


def page(items: Sequence[Any], call: Call, key: str) -> dict[str, Any]:
    """Return one page of a list under its key, with the token of the next one.

    Raises:
        AwsError: InvalidPaginationTokenException.
    """
    start = start_of(call.params.get("NextToken"))
    if start is None or start > len(items):
        raise AwsError("InvalidPaginationTokenException", "Invalid NextToken.")
    end = start + min(int(call.params.get("MaxResults") or _PAGE), _PAGE)
    answer: dict[str, Any] = {key: list(items[start:end])}
    if end < len(items):
        answer["NextToken"] = token_of(end)
    return answer
