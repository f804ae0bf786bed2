"""Checks field names and types of a manifest as the API server's strict decoding does.

Why it exists: ``kubectl apply`` refuses an unknown or ill-typed field anywhere in an object (strict field validation,
kubernetes.io/docs/reference/using-api/api-concepts), also in those that no simulation looks at. The rules behind it see
only values of the right type then, each with its place.

What it must not know: what any field means. The tables in manifests_fields.json hold names and types of the Kubernetes API
(scripts/kubernetes_fields.py writes them).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from lowtide.model.quantity import parse_quantity
from lowtide.spec import document as doc
from lowtide.spec.words import LARGEST_QUANTITY, quoted
from lowtide.spec.yamltree import type_name

# The schema calls these required, but Go's zero value passes the API server's validation.
_ZERO_IS_VALID = {("HTTPHeader", "value"), ("ISCSIVolumeSource", "lun"), ("PriorityClass", "value")}
_INTEGERS = {"int32": 2**31, "int64": 2**63}
_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "int32": "a whole number",
    "int64": "a whole number",
    "quantity": 'a quantity such as 500m, 1.5Gi or "1"',
    "intOrString": "a whole number or text",
}
_WRONG = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTables:
    """Kinds as ``apiVersion Kind``, and for each type its fields and those that must be there."""

    kinds: frozenset[str]
    fields: Mapping[str, Mapping[str, str]]
    required: Mapping[str, tuple[str, ...]]


@functools.cache
def field_tables() -> FieldTables:
    """Return the tables of the Kubernetes API that come with the package."""
    text = resources.files("lowtide.spec").joinpath("manifests_fields.json").read_text("utf-8")
    raw = json.loads(text)
    return FieldTables(
        kinds=frozenset(raw["kinds"]),
        fields=raw["fields"],
        required={name: tuple(keys) for name, keys in raw["required"].items()},
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a manifest with its place, and where its findings go.

    After ``checked`` every value has the type of its field, and null or ill-typed fields are absent.
    """

    value: Any
    document: doc.Document = field(repr=False)
    problems: doc.Problems = field(repr=False)
    path: doc.PathInFile = ()

    def has(self, key: str) -> bool:
        """Return whether a field is given."""
        return key in self.value

    def part(self, key: str) -> Part:
        """Return an object field; an empty one when it is not given."""
        return Part(self.value.get(key, {}), self.document, self.problems, (*self.path, key))

    def parts(self, key: str) -> Iterator[Part]:
        """Yield the items of a list field."""
        for index, one in enumerate(self.value.get(key, ())):
            if one is _WRONG:
                continue
            yield Part(one, self.document, self.problems, (*self.path, key, index))

    def text(self, key: str, default: str = "") -> str:
        """Return a text field; an empty text counts as not given, as in the Kubernetes API."""
        return str(self.value.get(key) or default)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a field that lists texts."""
        return tuple(one for one in self.value.get(key, ()) if one is not _WRONG)

    def whole(self, key: str, default: int) -> int:
        """Return a field that holds a whole number."""
        return int(self.value.get(key, default))

    def mapping(self, key: str) -> dict[str, Any]:
        """Return a field that maps text to values."""
        return dict(self.value.get(key, {}))

    def refuse(self, rule: tuple[str, str], message: str, *steps: str | int, fix: str = "") -> None:
        """Add an error at a place below this part."""
        path = (*self.path, *steps)
        shown = doc.path_text(path)
        self.problems.add(*rule, f"{shown}: {message}" if shown else message, path, fix)

    def require(self, key: str) -> None:
        """Add an error when a field is not given or empty."""
        if not self.value.get(key):
            self.missing(key)

    def missing(self, key: str, fix: str = "") -> None:
        """Add an error about a field that is not given."""
        path = (*self.path, key)
        fix = fix or f"add {key}:"
        self.problems.add(
            *doc.MISSING, f"{doc.path_text(path)} is required", path, fix, at_key=True
        )


def checked(part: Part, kind: str) -> Part:
    """Return a part with the values that fit the type ``kind``; everything else becomes a finding."""
    value = _check(part, kind)
    return Part({} if value is _WRONG else value, part.document, part.problems, part.path)


def _check(part: Part, kind: str) -> Any:
    """Return the value as its type wants it, or _WRONG after saying why not."""
    value = part.value
    if kind == "any":
        return value
    if kind[0] == "[":
        return _list(part, kind[1:-1]) if isinstance(value, list) else _wrong(part, "a list")
    if kind[0] == "{":
        return _map(part, kind[1:-1]) if isinstance(value, dict) else _wrong(part, "a mapping")
    if kind in _WORDS:
        return _scalar(part, kind)
    return _struct(part, kind) if isinstance(value, dict) else _wrong(part, "a mapping")


def _below(part: Part, step: str | int, value: Any) -> Part:
    return Part(value, part.document, part.problems, (*part.path, step))


def _struct(part: Part, kind: str) -> dict[str, Any]:
    tables = field_tables()
    known = tables.fields[kind]
    result = {}
    for key, value in part.value.items():
        if key not in known:
            _unknown(part, key, known)
        elif value is not None:  # null means not given (API conventions, "Optional vs. Required")
            fitting = _check(_below(part, key, value), known[key])
            if fitting is not _WRONG:
                result[key] = fitting
    for key in tables.required.get(kind, ()):
        absent = part.value.get(key) in (None, "")
        if absent and (kind, key) not in _ZERO_IS_VALID:
            part.missing(key)
    return result


def _unknown(part: Part, key: str, known: Mapping[str, str]) -> None:
    where = f" in {doc.path_text(part.path)}" if part.path else ""
    message = f"unknown field {quoted(key)}{where}"
    path = (*part.path, key)
    fix = part.problems.suggest(key, known)
    part.problems.add(*doc.UNKNOWN_KEY, message, path, fix, at_key=True)


def _list(part: Part, kind: str) -> list[Any]:
    """Check every item; a wrong one stays as a mark that ``parts`` skips, so that the others keep their index."""
    zero: Any = {} if kind in field_tables().fields else ""
    return [
        zero if one is None else _check(_below(part, index, one), kind)
        for index, one in enumerate(part.value)
    ]


def _map(part: Part, kind: str) -> dict[str, Any]:
    result = {}
    for key, value in part.value.items():
        fitting = "" if value is None else _check(_below(part, key, value), kind)
        if fitting is not _WRONG:
            result[key] = fitting
    return result


def _scalar(part: Part, kind: str) -> Any:
    value = part.value
    if kind == "quantity":
        return _quantity(part)
    if kind == "boolean":
        return value if isinstance(value, bool) else _wrong(part, _WORDS[kind])
    if isinstance(value, str) and kind in {"string", "intOrString"}:
        return value
    whole = value.is_integer() if isinstance(value, float) else isinstance(value, int)
    if kind == "string" or isinstance(value, bool) or not whole:
        return _wrong(part, _WORDS[kind])
    limit = _INTEGERS.get(kind, 2**31)
    if not -limit <= value < limit:
        part.refuse(doc.WRONG_VALUE, f"{value} does not fit into {kind}")
        return _WRONG
    return int(value)


def _quantity(part: Part) -> Any:
    value = part.value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return _wrong(part, _WORDS["quantity"])
    try:
        amount = parse_quantity(str(value))
    except ValueError:
        fix = f"write {_WORDS['quantity']}"
        part.refuse(doc.WRONG_VALUE, f"{quoted(value)} is not a quantity", fix=fix)
        return _WRONG
    if abs(amount) > LARGEST_QUANTITY:
        message = f"{quoted(value)} is more than an int64 holds (2^63-1)"
        part.refuse(doc.WRONG_VALUE, message, fix="write what a node can have")
        return _WRONG
    return value


def _wrong(part: Part, wanted: str) -> Any:
    written = part.document.written(part.path)
    message = f"must be {wanted}, not {type_name(part.value)}"
    fix = ""
    if wanted == "text" and written:
        fix = f'quote it: "{written}"'
    elif isinstance(part.value, str) and wanted not in {"a list", "a mapping"}:
        message += f": {quoted(part.value)}"
    part.refuse(doc.WRONG_TYPE, message, fix=fix)
    return _WRONG
