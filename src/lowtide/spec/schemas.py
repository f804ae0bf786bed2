"""JSON Schemas of the user's files, for editors: names to choose from, and a red line under a slip.

Why it exists: ``lowtide schema KIND`` prints them. What needs two values at once to be judged is not in a schema; the
readers say that.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lowtide.model.errors import InputError

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Kind to the module of this room whose ``json_schema()`` describes it; imported when asked for.
_MODULES = {
    "cluster": "lowtide.spec.clusterconfig.schema",
    "policy": "lowtide.spec.policy",
    "scenario": "lowtide.spec.scenario",
}
KINDS = tuple(_MODULES)


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of ``cluster``, ``policy`` or ``scenario`` files.

    Raises:
        InputError: there is no such kind of file.
    """
    if kind not in _MODULES:
        fix = f"lowtide schema {KINDS[0]}"
        raise InputError(
            f"no schema {kind!r}", why=f"the kinds are {', '.join(KINDS)}", where=kind, fix=fix
        )
    schema: dict[str, Any] = import_module(_MODULES[kind]).json_schema()
    return {"$schema": _DIALECT, **schema}
