"""Turns pydantic's errors into findings with a place in the file, in the words of the format.

Why it exists: pydantic names a path and a type; a person needs the line, the key they meant, and what to write instead.

What it must not know: any one file format; what a model does not support, the model says itself (``not_supported``).
"""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from lowtide.model.findings import Finding
from lowtide.spec import document as doc
from lowtide.spec.words import quoted
from lowtide.spec.yamltree import type_name

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?\Z", re.ASCII)


def findings_from_errors(
    document: doc.Document,
    error: ValidationError,
    model: type[BaseModel] | None,
    base: doc.PathInFile,
) -> tuple[Finding, ...]:
    """Return one finding for each of pydantic's errors; see ``document.findings_from_pydantic``."""
    problems = doc.Problems(document)
    empty = str(getattr(model, "empty_value", ""))
    for one in error.errors(include_url=False):
        path = base + _path_in_data(_value_at(document.data, base), one)
        if empty and _is_empty(document, path, one["type"]):
            _add_empty(problems, document, path, empty)
        else:
            _add(problems, document, one, path, model_at(model, path[len(base) : -1]))
    return problems.findings


def _add(
    problems: doc.Problems,
    document: doc.Document,
    one: ErrorDetails,
    path: doc.PathInFile,
    owner: type[BaseModel] | None,
) -> None:
    kind, shown = one["type"], doc.path_text(path)
    fix = str(one.get("ctx", {}).get("fix", ""))
    if kind == "extra_forbidden":
        _add_extra(problems, document, path, owner)
    elif kind == "missing":
        problems.add(*doc.MISSING, f"{shown} is required", path, f"add {path[-1]}:", at_key=True)
    elif kind in _WANTED:
        message, fix = _wrong_type(document, one, path)
        problems.add(*doc.WRONG_TYPE, message, path, fix)
    elif kind == "not_supported":
        message = f"not supported: {shown}{_at_line(document, path)}: {one['msg']}"
        problems.add(*doc.NOT_SUPPORTED, message, path, fix)
    elif kind == "literal_error":
        message, fix = _wrong_word(one)
        problems.add(*doc.WRONG_VALUE, f"{shown}: {message}", path, fix)
    else:
        fix = fix or _share(one)
        at_key = one["loc"][-1:] == ("[key]",)
        message = f"{shown}: {_sentence(one)}"
        problems.add(*doc.WRONG_VALUE, message, path, fix, at_key=at_key)


def _add_empty(
    problems: doc.Problems, document: doc.Document, path: doc.PathInFile, why: str
) -> None:
    said = f"not supported: {doc.path_text(path)} without a value{_at_line(document, path)} ({why})"
    problems.add(*doc.NOT_SUPPORTED, said, path, "give it a value, or remove the key")


def _is_empty(document: doc.Document, path: doc.PathInFile, kind: str) -> bool:
    if kind not in _WANTED and kind != "literal_error":
        return False
    value = _value_at(document.data, path)
    return value is None or (value == "" and kind == "literal_error")


def _at_line(document: doc.Document, path: doc.PathInFile) -> str:
    return f" at line {document.key_mark(path).line}"


def _add_extra(
    problems: doc.Problems,
    document: doc.Document,
    path: doc.PathInFile,
    owner: type[BaseModel] | None,
) -> None:
    key = str(path[-1])
    unsupported: Mapping[str, str] = getattr(owner, "not_supported", {})
    if key in unsupported:
        message = f"not supported: {doc.path_text(path)}{_at_line(document, path)}"
        if reason := unsupported[key]:
            message += f" ({reason})"
        fix = "remove it; nothing in lowtide would act on it"
        problems.add(*doc.NOT_SUPPORTED, message, path, fix, at_key=True)
        return
    where = f" in {doc.path_text(path[:-1])}" if len(path) > 1 else ""
    fix = problems.suggest(key, keys_of(owner)) if owner else ""
    problems.add(*doc.UNKNOWN_KEY, f"unknown key {quoted(key)}{where}", path, fix, at_key=True)


def _wrong_type(document: doc.Document, one: ErrorDetails, path: doc.PathInFile) -> tuple[str, str]:
    wanted = _WANTED[one["type"]]
    value = one["input"]
    written = document.written(path)
    message = f"{doc.path_text(path)} must be {wanted}, not {type_name(value)}"
    if wanted == "text" and written and value is not None:
        return f"{message}: YAML reads {written} so", f'quote it: "{written}"'
    if isinstance(value, str) and wanted != "text" and len(value) < 30:
        return f"{message}: {quoted(value)}", _unquoted(value, wanted, path)
    return message, ""


def _unquoted(text: str, wanted: str, path: doc.PathInFile) -> str:
    """Return what to write instead of text: the value itself where it is one, else the number that is meant."""
    from lowtide.spec.number_meant import number_meant  # noqa: PLC0415 - needed for wrong files only

    if wanted == "true or false":
        return "write it without quotes" if text.lower() in {"true", "false"} else ""
    if wanted not in {"a number", "a whole number"}:
        return ""
    if _NUMBER.match(text):
        return "write it without quotes"
    meant = number_meant(text, path)
    return f"write {meant}" if meant else ""


def _wrong_word(one: ErrorDetails) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", str(one.get("ctx", {}).get("expected", "")))
    message = f"{quoted(one['input'])} is none of {', '.join(choices)}"
    best = doc.nearest(str(one["input"]), choices)
    return message, f"did you mean {best}?" if best else ""


def _share(one: ErrorDetails) -> str:
    """Return the fix for 60 where a share of 1 is wanted."""
    most, given = one.get("ctx", {}).get("le"), one["input"]
    if most != 1 or not isinstance(given, int | float) or not 1 < given <= 100:
        return ""
    return f"write {given / 100:g} (1 would be all)"


def _sentence(one: ErrorDetails) -> str:
    text = one["msg"].removeprefix("Value error, ").removeprefix("Input ")
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text
    plain = one["type"] not in {"wrong_value", "value_error"}
    return f"{text}, not {quoted(one['input'])}" if plain else text


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys that a model reads, as they stand in a file."""
    return tuple(_annotations(model))


@functools.cache
def _annotations(model: type[BaseModel]) -> Mapping[str, Any]:
    """Return the type of every key; kept, because a file may have a wrong key on each of its lines."""
    return {one.alias or name: one.annotation for name, one in model.model_fields.items()}


def _path_in_data(data: Any, one: ErrorDetails) -> doc.PathInFile:
    """Drop from pydantic's location what is no step in the file (names of union members, ``[key]``)."""
    path: list[str | int] = []
    value = data
    for step in one["loc"]:
        if _leads_on(value, step):
            value = value[step]
            path.append(step)
    if one["type"] == "missing":
        path.append(one["loc"][-1])
    return tuple(path)


def _leads_on(value: Any, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, Mapping) and step in value


def _value_at(data: Any, path: doc.PathInFile) -> Any:
    for step in path:
        data = data[step]
    return data


def model_at(model: type[BaseModel] | None, path: doc.PathInFile) -> type[BaseModel] | None:
    """Return the model that describes the mapping at a path, None where no model does."""
    annotation: Any = model
    for step in path:
        annotation = _step_into(annotation, step)
    models = (part for part in _parts(annotation) if _is_model(part))
    return next(models, None)


def _step_into(annotation: Any, step: str | int) -> Any:
    for part in _parts(annotation):
        origin = typing.get_origin(part)
        if isinstance(step, int) and origin in {list, tuple}:
            return typing.get_args(part)[0]
        if isinstance(step, str) and origin in {dict, Mapping}:
            return typing.get_args(part)[1]
        if isinstance(step, str) and _is_model(part):
            return _annotations(part).get(step)
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the alternatives of a union, without the validators around them."""
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType}:
        for one in typing.get_args(annotation):
            yield from _parts(one)
    elif origin is typing.Annotated:
        yield from _parts(typing.get_args(annotation)[0])
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
