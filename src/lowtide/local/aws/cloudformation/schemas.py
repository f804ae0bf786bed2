"""What properties a resource type has, by the published resource schemas.

Why it exists: CloudFormation checks properties against these schemas before it calls a service. cfn-lint carries them as
files; reading the files costs milliseconds, importing cfn-lint two seconds.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema
from jsonschema.exceptions import ValidationError
from jsonschema.validators import validator_for

from lowtide.model.errors import LowtideError

_REGION = "us-east-1"
#: Types that are no resource of any service and so have no schema of their own.
_PSEUDO_TYPES = frozenset({"AWS::CloudFormation::WaitConditionHandle"})


@functools.cache
def _folder() -> Path:
    found = importlib.util.find_spec("cfnlint")
    if found is None or found.origin is None:
        raise LowtideError(
            "the embedded CloudFormation lacks the resource schemas",
            where="package cfn-lint",
            why="it is not installed",
            fix="pip install 'lowtide[local]'",
        )
    return Path(found.origin).parent / "data" / "schemas"


@functools.cache
def _types() -> Mapping[str, str]:
    table: dict[str, str] = json.loads((_folder() / "providers" / f"{_REGION}.json").read_text())
    return table


@functools.cache
def schema(resource_type: str) -> Mapping[str, Any] | None:
    """Return the published schema of a type, or None where there is none."""
    name = _types().get(resource_type)
    if name is None:
        return None
    read: dict[str, Any] = json.loads((_folder() / "resources" / f"{name}.json").read_text())
    return read


def is_type(resource_type: str) -> bool:
    """Whether CloudFormation knows a resource type."""
    return resource_type in _types() or resource_type in _PSEUDO_TYPES


def attribute_exists(resource_type: str, attribute: str) -> bool:
    """Whether GetAtt may ask for an attribute; types without schema are not judged."""
    known = schema(resource_type)
    if known is None:
        return True
    read_only = {one.removeprefix("/properties/") for one in known.get("readOnlyProperties", [])}
    path = attribute.replace(".", "/")
    # A few types answer for ordinary properties too (AWS::EC2::Subnet.VpcId); the handler has the last word.
    return path in read_only or attribute.split(".", maxsplit=1)[0] in known.get("properties", {})


def typed(resource_type: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties with texts made numbers and booleans, and the reverse, where the schema says so.

    CloudFormation does the same: ``"true"`` and ``true`` are one value in a template.
    """
    known = schema(resource_type)
    if known is None:
        return dict(properties)
    converted: dict[str, Any] = _typed(properties, known, known)
    return converted


def violations(resource_type: str, properties: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with properties, in the words of CloudFormation's validator; empty where nothing is."""
    known = schema(resource_type)
    if known is None:
        return []
    found = _validator(resource_type).iter_errors(properties)
    return sorted({text for error in found for text in _said(error)})


def refusal(logical_id: str, those: list[str]) -> str:
    """Return the reason with which a resource fails whose properties are wrong."""
    return f"Properties validation failed for resource {logical_id} with message:\n[{', '.join(those)}]"


@functools.cache
def _validator(resource_type: str) -> Any:
    known: dict[str, Any] = dict(_readable(schema(resource_type) or {}))
    read_only = {one.removeprefix("/properties/") for one in known.get("readOnlyProperties", [])}
    known["properties"] = {
        name: one for name, one in known.get("properties", {}).items() if name not in read_only
    }
    made = jsonschema.validators.extend(  # type: ignore[no-untyped-call] # its stubs leave it out
        validator_for(known, jsonschema.Draft7Validator), {"pattern": _pattern, "format": _any}
    )
    return made(known)


def _readable(part: Any) -> Any:
    """Let names match anything where a schema's expression for them is none of Python's (a class of Unicode, say)."""
    if isinstance(part, list):
        return [_readable(one) for one in part]
    if not isinstance(part, Mapping):
        return part
    copied = {key: _readable(one) for key, one in part.items()}
    named = copied.get("patternProperties")
    if isinstance(named, Mapping):
        copied["patternProperties"] = {
            key if _compiles(key) else ".*": one for key, one in named.items()
        }
    return copied


def _compiles(expression: str) -> bool:
    try:
        re.compile(expression)
    except re.error:
        return False
    return True


def _any(*_arguments: Any) -> Iterator[ValidationError]:
    """Accept every format: CloudFormation's are those of its linter, not of its service."""
    yield from ()


def _pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    """Check a pattern; one that Python's expressions cannot say is not checked."""
    try:
        holds = not isinstance(instance, str) or re.search(pattern, instance)
    except re.error:
        return
    if not holds:
        yield ValidationError(f"string [{instance}] does not match pattern {pattern}")


def _said(error: ValidationError) -> list[str]:
    """Write a violation as CloudFormation's validator (everit) does."""
    place = "/".join(["#", *(str(one) for one in error.absolute_path)])
    value: Any = error.instance
    rule, whole = cast("Any", error.validator_value), cast("Any", error.schema)
    if error.validator == "additionalProperties":
        extra = sorted(value.keys() - whole.get("properties", {}).keys())
        return [f"{place}: extraneous key [{one}] is not permitted" for one in extra]
    if error.validator == "required":
        return [f"{place}: required key [{one}] not found" for one in rule if one not in value]
    if error.validator == "type":
        wanted = rule if isinstance(rule, str) else "/".join(rule)
        return [f"{place}: expected type: {_EVERIT.get(wanted, wanted)}, found: {_found(value)}"]
    if error.validator == "enum":
        return [f"{place}: {value} is not a valid enum value"]
    return [f"{place}: {error.message}"]


_EVERIT = {"string": "String", "object": "JSONObject", "array": "JSONArray", "boolean": "Boolean"}
_EVERIT |= {"integer": "Integer", "number": "Number"}


def _found(value: Any) -> str:
    kinds = {bool: "Boolean", int: "Integer", float: "Double", str: "String"}
    if isinstance(value, Mapping):
        return "JSONObject"
    return "JSONArray" if isinstance(value, list) else kinds.get(type(value), "Null")


def _resolved(part: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        at: Any = root
        for name in str(part["$ref"]).removeprefix("#/").split("/"):
            at = at[name]
        part = at
    return part


def _typed(value: Any, part: Any, root: Mapping[str, Any]) -> Any:
    if not isinstance(part, Mapping):
        return value
    part = _resolved(part, root)
    if isinstance(value, Mapping):
        return {key: _typed(one, _member(part, key), root) for key, one in value.items()}
    if isinstance(value, list):
        return [_typed(one, part.get("items"), root) for one in value]
    return _scalar(value, part.get("type"))


def _member(part: Mapping[str, Any], key: str) -> Any:
    named = part.get("properties", {})
    if key in named:
        return named[key]
    return next(iter(part.get("patternProperties", {}).values()), None)


def _scalar(value: Any, wanted: Any) -> Any:
    if isinstance(wanted, list):
        # Of several types the one that the value has already is left to it.
        return value if isinstance(value, str) and "string" in wanted else _scalar(value, wanted[0])
    if wanted == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if wanted == "string" and isinstance(value, int | float):
        return str(value)
    if wanted == "boolean" and str(value).lower() in {"true", "false"}:
        return str(value).lower() == "true"
    if wanted in {"integer", "number"} and isinstance(value, str):
        try:
            return float(value) if "." in value else int(value)
        except ValueError:
            return value
    return value
