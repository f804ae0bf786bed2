"""Documents for programs: results as YAML text, and the schemas of the files that people write.

Why it exists: neither the command line nor a report may know a YAML library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.kube.objects import yaml_text as text_of
from lowtide.spec.schemas import json_schema as schema_of


def yaml_text(document: Mapping[str, Any]) -> str:
    """Return a JSON-like document as YAML, keys in their own order."""
    return text_of(document)


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of ``cluster``, ``policy`` or ``scenario`` files."""
    return schema_of(kind)
