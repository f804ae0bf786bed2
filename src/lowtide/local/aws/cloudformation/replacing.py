"""Which properties of a resource differ, and whether that makes a new resource.

Why it exists: an update and a change set must agree on it. The table of properties is ``aws.replacement``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lowtide.aws.replacement import ALWAYS, NEVER, SOMETIMES, replaces
from lowtide.local.aws.cloudformation.schemas import schema


def differing(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of what differs, lists as a whole."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from differing(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path


def recreation(resource_type: str, path: tuple[str, ...]) -> str:
    """Return whether a change at a path makes a new resource: Always, Conditionally or Never.

    The table lacks types that lowtide does not render; for those the published schema answers.
    """
    answer = replaces(resource_type, path)
    if answer == SOMETIMES:
        answer = _by_schema(resource_type, path)
    return {ALWAYS: "Always", NEVER: "Never"}.get(answer, "Conditionally")


def _by_schema(resource_type: str, path: tuple[str, ...]) -> str:
    known = schema(resource_type)
    if known is None:
        return NEVER
    for answer, key in (
        (ALWAYS, "createOnlyProperties"),
        (SOMETIMES, "conditionalCreateOnlyProperties"),
    ):
        entries = [one.split("/")[2:] for one in known.get(key) or []]
        if any(all(a == b for a, b in zip(one, path, strict=False)) for one in entries):
            return answer
    return NEVER


def is_replaced(resource_type: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether an update makes a new resource. What may or may not replace is changed in place here."""
    return any(recreation(resource_type, path) == "Always" for path in differing(old, new))
