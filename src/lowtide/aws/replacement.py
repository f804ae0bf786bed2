"""Which changes of a property make CloudFormation replace a resource instead of updating it.

Why it exists: a replaced cluster or VPC is a new, empty one, and a template does not show that. The table is made from the public
resource schemas by ``scripts/create_only.py``.

What it must not know: a template as a whole; it answers for one property of one resource.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

ALWAYS = "always"
SOMETIMES = "sometimes"
NEVER = "never"


def replaces(resource_type: str, path: Sequence[str]) -> str:
    """Return whether a change of that property replaces the resource: ``always``, ``sometimes`` or ``never``.

    Args:
        resource_type: such as ``AWS::EC2::Subnet``; one that the table lacks is ``sometimes``, because nobody knows.
        path: names of properties from the outermost on, without positions in lists.
    """
    known = _table()["types"].get(resource_type)
    if known is None:
        return SOMETIMES
    for answer in (ALWAYS, SOMETIMES):
        if any(_meets(entry, path) for entry in known[answer]):
            return answer
    return NEVER


def facts() -> str:
    """Return where the table comes from, and its date."""
    table = _table()
    return f"{table['source']} ({table['dated']})"


def _meets(entry: str, path: Sequence[str]) -> bool:
    """Whether a change at ``path`` touches an entry: at it, inside it, or as a part of which it is one."""
    names = [name for name in entry.split("/") if name != "*"]
    return all(one == other for one, other in zip(names, path, strict=False))


@functools.cache
def _table() -> Any:
    return json.loads(files("lowtide.aws").joinpath("create_only.json").read_text("utf-8"))
