"""Asking moto from within EC2: the same call, with other parameters where ours must not reach it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.local.aws.tokens import start_of, token_of


def beneath(
    box: Box, call: Call, *, operation: str = "", params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return moto's answer to a call."""
    if box.behind is None:
        raise AwsError("InvalidAction", f"The embedded AWS does not serve ec2:{call.operation}.")
    changed = dataclasses.replace(
        call,
        operation=operation or call.operation,
        params=call.params if params is None else params,
    )
    return dict(box.behind.call(changed))


def asked(filters: list[Mapping[str, Any]], name: str) -> list[str] | None:
    """Return the values of a filter, None where it is not there."""
    found = [one["Values"] for one in filters if one["Name"] == name]
    return [value for values in found for value in values] if found else None


def is_match(value: str, patterns: list[str] | None) -> bool:
    """Return whether a value is one of a filter's, in which * and ? stand for any characters."""
    import fnmatch  # noqa: PLC0415 - few calls have filters

    return patterns is None or any(fnmatch.fnmatchcase(value, one) for one in patterns)


def invalid_token() -> AwsError:
    """Return EC2's error for a token that it never gave out."""
    return AwsError("InvalidNextToken", "The token provided is not valid.")


def page_size(params: Mapping[str, Any], largest: int) -> int:
    """Return how many entries a page may have.

    Raises:
        AwsError: InvalidParameterValue: less than one is asked for.
    """
    size = int(params.get("MaxResults") or largest)
    if size < 1:
        raise AwsError(
            "InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid."
        )
    return min(size, largest)


def page(
    items: list[dict[str, Any]], params: Mapping[str, Any], *, largest: int = 1000
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return one page of a list, and the token of the next one as part of an answer.

    Raises:
        AwsError: InvalidNextToken, or no size of a page.
    """
    start = start_of(params.get("NextToken"))
    if start is None or start > len(items):
        raise invalid_token()
    end = start + page_size(params, largest)
    return items[start:end], ({"NextToken": token_of(end)} if end < len(items) else {})
