"""The texts that user data is written in: YAML and TOML with places that CloudFormation fills in.

Why it exists: user data goes through ``Fn::Sub``, where ``${...}`` has a meaning of its own, so what a file says must be
escaped and what the cluster's stack exports must not. Both formats are written by hand: the documents are small, and this room
knows no YAML library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
#: Words that YAML 1.1 reads as something else than text.
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Place(str):
    """A name whose value CloudFormation puts in when the stack is made."""

    __slots__ = ()

    @property
    def marker(self) -> str:
        """What stands for the value in the text."""
        return f"${{{self}}}"


#: What nodes must know of the cluster, under the names that its stack exports.
ENDPOINT, CERTIFICATE, SERVICE_CIDR = (
    Place("ClusterEndpoint"),
    Place("ClusterCa"),
    Place("ServiceCidr"),
)
DNS = Place("ClusterDns")


def literal(text: str) -> str:
    """Return a text that ``Fn::Sub`` gives back as it is."""
    return text.replace("${", "${!")


def unescaped(text: str) -> str:
    """Return what ``Fn::Sub`` would give back for a text without places."""
    return text.replace("${!", "${")


def quoted(value: Any) -> str:
    """Return a scalar, or a whole document, in JSON, which YAML and TOML read as well as far as it is used here."""
    if isinstance(value, Place):
        return f'"{value.marker}"'
    return literal(json.dumps(value, ensure_ascii=False))


def yaml_text(document: Mapping[str, Any]) -> str:
    """Return a document in block style, keys in their order."""
    return "\n".join(_yaml_lines(document, "")) + "\n"


def _yaml_lines(document: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in document.items():
        name = f"{indent}{_yaml_scalar(key)}:"
        if isinstance(value, Mapping) and value:
            yield name
            yield from _yaml_lines(value, indent + "  ")
        elif isinstance(value, list | tuple) and value:
            yield name
            yield from (f"{indent}  - {_yaml_scalar(item)}" for item in value)
        else:
            yield f"{name} {_yaml_scalar(value)}"


def _yaml_scalar(value: Any) -> str:
    is_plain = (
        isinstance(value, str)
        and not isinstance(value, Place)
        and _PLAIN.fullmatch(value)
        and value.lower() not in _NOT_TEXT
    )
    return str(value) if is_plain else quoted(value)


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both as one document; where both say something, the second counts."""
    whole = dict(first)
    for key, value in second.items():
        before = whole.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        whole[key] = joined(before, value) if both else value  # type: ignore[arg-type] # both are mappings
    return whole


def toml_text(document: Mapping[str, Any]) -> str:
    """Return a document of nested tables, values before tables in each.

    Tables inside lists are not written: no setting of Bottlerocket that a cluster file may hold has them.
    """
    return "\n".join(_toml_tables(document, ())).rstrip("\n") + "\n"


def _toml_tables(document: Mapping[str, Any], path: Sequence[str]) -> Iterator[str]:
    values = {key: one for key, one in document.items() if not isinstance(one, Mapping)}
    if path and (values or not document):
        yield f"[{'.'.join(map(_toml_key, path))}]"
    for key, value in values.items():
        yield f"{_toml_key(key)} = {quoted(value)}"
    if values:
        yield ""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _toml_tables(value, (*path, key))


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else quoted(key)
