"""The IAM actions that lowtide's verbs need, as they were recorded.

Why it exists: the policy that a user needs (docs/iam.md) and the permissions that preflight asks about are one list, made by running the
verbs: ``scripts/iam.py`` writes ``actions.json``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.resources import files


@functools.cache
def recorded() -> Mapping[str, tuple[str, ...]]:
    """Return the actions of each verb, sorted."""
    table = json.loads(files("lowtide.aws").joinpath("actions.json").read_text("utf-8"))
    return {verb: tuple(actions) for verb, actions in table["verbs"].items()}


def actions_of(*verbs: str) -> tuple[str, ...]:
    """Return the actions that any of the verbs needs, sorted."""
    return tuple(sorted({action for verb in verbs for action in recorded()[verb]}))
