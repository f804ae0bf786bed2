"""Pages of Service Quotas' lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

#: API reference, ListServiceQuotas: MaxResults.
_PAGE = 100


def page(items: Sequence[Any], call: Call, key: str) -> dict[str, Any]:
    """Return one page of a list under its key, with the token of the next one."""
    token = str(call.params.get("NextToken") or "0")
    if not token.isdigit() or int(token) > len(items):
        raise AwsError("InvalidPaginationTokenException", "Invalid NextToken.")
    start = int(token)
    end = start + min(int(call.params.get("MaxResults") or _PAGE), _PAGE)
    answer: dict[str, Any] = {key: list(items[start:end])}
    if end < len(items):
        answer["NextToken"] = str(end)
    return answer
