"""How CloudFormation shows what it remembers: parameters, tags, and lists in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.records import Wanted
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.tokens import start_of, token_of

#: Entries in one answer (API reference: DescribeStackEvents, ListStacks and others answer in pages of 1 MB or 100 entries).
_PAGE = 100


def page(items: Sequence[Any], params: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Return the page that a call asks for, with the token of the next one.

    Raises:
        AwsError: ValidationError for a token that is not one of ours.
    """
    start = start_of(params.get("NextToken"))
    if start is None:
        raise invalid("Invalid NextToken")
    answer: dict[str, Any] = {key: list(items[start : start + _PAGE])}
    if start + _PAGE < len(items):
        answer["NextToken"] = token_of(start + _PAGE)
    return answer


def parameters_shown(wanted: Wanted) -> list[dict[str, str]]:
    """Return the parameters of a stack; those with NoEcho are masked."""
    return [
        without_nothing(
            {
                "ParameterKey": name,
                "ParameterValue": one.shown(),
                "ResolvedValue": None if one.no_echo else one.resolved,
            }
        )
        for name, one in wanted.parameters.items()
    ]


def without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the fields that are None: AWS does not write them."""
    return {name: one for name, one in fields.items() if one is not None}
