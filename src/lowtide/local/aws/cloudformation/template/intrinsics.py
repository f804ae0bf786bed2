"""Intrinsic functions: a template's value with everything looked up.

Why it exists: one place says what each function does and what CloudFormation says when it cannot (user guide,
"Intrinsic function reference"). Evaluation neither calls services nor knows stacks: it asks its Scope.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

from lowtide.local.aws.cloudformation.template.dependencies import PLACE, single
from lowtide.local.aws.cloudformation.template.refused import invalid, wrong
from lowtide.local.aws.cloudformation.template.scope import (
    NO_VALUE,
    UNKNOWN,
    Made,
    Scope,
    Unknown,
)

_STORED = re.compile(r"\{\{resolve:ssm:([^:}]+)(?::\d+)?\}\}")
_CIDR_COUNT = 256
#: More than any property of any type may hold.
_LONGEST = 2**17
#: An index into a list; templates of 51,200 bytes have no longer ones.
_INDEX = re.compile(r"-?[0-9]{1,6}")


class _Absent:
    """What ``AWS::NoValue`` is until the property that holds it is left out."""


_ABSENT = _Absent()


def evaluate(value: Any, scope: Scope) -> Any:
    """Return a value with every intrinsic function done.

    Raises:
        AwsError: ValidationError with CloudFormation's words.
    """
    found = _value(value, scope)
    return None if found is _ABSENT else found


def unknown_in(value: Any) -> bool:
    """Whether any part of an evaluated value is not known yet."""
    if isinstance(value, Mapping):
        return any(unknown_in(one) for one in value.values())
    if isinstance(value, list):
        return any(unknown_in(one) for one in value)
    return isinstance(value, Unknown)


def as_text(value: Any) -> str:
    """Write a scalar as CloudFormation does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def conditions(template: Mapping[str, Any], scope: Scope) -> dict[str, bool]:
    """Return what each condition of a template comes to."""
    declared = template.get("Conditions", {})
    known: dict[str, bool] = {}

    def find(name: str, path: tuple[str, ...]) -> bool:
        if name in path:
            raise invalid(f"Circular dependency between conditions: [{', '.join(sorted(path))}]")
        if name not in known:
            known[name] = bool(_condition(declared[name], (*path, name)))
        return known[name]

    def _condition(value: Any, path: tuple[str, ...]) -> Any:
        call = single(value)
        if call is None:
            return value
        name, argument = call
        if name == "Condition":
            return find(str(argument), path)
        if name in {"Fn::And", "Fn::Or", "Fn::Not"}:
            each = [_condition(one, path) for one in argument]
            return {"Fn::And": all, "Fn::Or": any}.get(name, lambda those: not those[0])(each)
        return evaluate(value, scope)

    return {name: find(name, ()) for name in declared}


def _value(value: Any, scope: Scope) -> Any:
    call = single(value)
    if call is not None and not (call[0] == "Condition" and call[1] not in list(scope.conditions)):
        return _call(*call, scope)
    if isinstance(value, Mapping):
        each = {key: _value(one, scope) for key, one in value.items()}
        return {key: one for key, one in each.items() if one is not _ABSENT}
    if isinstance(value, list):
        return [one for one in (_value(one, scope) for one in value) if one is not _ABSENT]
    if isinstance(value, str) and "{{resolve:ssm:" in value:
        return _STORED.sub(lambda match: scope.stored(match[1]), value)
    return value


def _call(name: str, argument: Any, scope: Scope) -> Any:
    lazy = _LAZY.get(name)
    if lazy is not None:
        return lazy(argument, scope)
    done = _value(argument, scope)
    return UNKNOWN if unknown_in(done) else _EAGER[name](done, scope)


def _ref(argument: Any, scope: Scope) -> Any:
    if argument == NO_VALUE:
        return _ABSENT
    for known in (scope.pseudo, scope.parameters):
        if argument in known:
            return known[argument]
    made = _made(str(argument), scope)
    return made.physical_id if isinstance(made, Made) else made


def _get_att(argument: Any, scope: Scope) -> Any:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    name, attribute = parts[0], ".".join(as_text(_value(one, scope)) for one in parts[1:])
    made = _made(name, scope)
    if isinstance(made, Unknown):
        return made
    if attribute not in made.attributes:
        raise wrong(f"resource {name} does not support attribute type {attribute} in Fn::GetAtt")
    return made.attributes[attribute]


def _made(name: str, scope: Scope) -> Made | Unknown:
    if name not in scope.resources:
        raise invalid(f"Unresolved resource dependencies [{name}] in the template")
    return scope.resources[name]


def _if(argument: Any, scope: Scope) -> Any:
    name, yes, no = argument
    return _value(yes if scope.conditions[name] else no, scope)


def _condition_named(argument: Any, scope: Scope) -> Any:
    return scope.conditions[argument]


def _sub(argument: Any, scope: Scope) -> Any:
    text, given = (argument, {}) if isinstance(argument, str) else argument
    variables = {key: _value(one, scope) for key, one in given.items()}
    unknown, size = False, len(text)

    def place(match: re.Match[str]) -> str:
        nonlocal unknown, size
        name = match[1].strip()
        if name in variables:
            found = variables[name]
        elif "." in name:
            found = _get_att(name, scope)
        else:
            found = _ref(name, scope)
        if isinstance(found, list | Mapping | _Absent):
            raise wrong(f"Fn::Sub: variable {name} must be a string")
        unknown = unknown or isinstance(found, Unknown)
        placed = as_text(found)
        size += len(placed)
        _refuse_long("Fn::Sub", size)
        return placed

    done = PLACE.sub(place, text)
    return UNKNOWN if unknown else done.replace("${!", "${")


def _find_in_map(argument: Any, scope: Scope) -> Any:
    table, top, second = (as_text(_value(one, scope)) for one in argument[:3])
    if table not in scope.mappings:
        raise wrong(
            f"Mapping named '{table}' is not present in the 'Mappings' section of template."
        )
    try:
        return scope.mappings[table][top][second]
    except (KeyError, TypeError) as error:
        raise wrong(f"Unable to get mapping for {table}::{top}::{second}") from error


def _join(argument: Any, _scope: Scope) -> str:
    if not isinstance(argument, list) or not isinstance(argument[1], list):
        raise wrong(
            "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings "
            "to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
        )
    between, parts = as_text(argument[0]), [as_text(one) for one in argument[1]]
    _refuse_long("Fn::Join", sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _refuse_long(function: str, size: int) -> None:
    """Refuse what grows out of all proportion: each function within another multiplies what a small template holds."""
    if size > _LONGEST:
        raise wrong(f"{function}: the text is longer than {_LONGEST} characters")


def _select(argument: Any, _scope: Scope) -> Any:
    at, those = argument
    if not _INDEX.fullmatch(str(at)) or not isinstance(those, list):
        raise wrong(
            "every Fn::Select object requires two parameters, the index and the list to select from"
        )
    if not 0 <= int(at) < len(those):
        raise wrong(f"Fn::Select  cannot select nonexistent value at index {at}")
    return those[int(at)]


def _split(argument: Any, _scope: Scope) -> list[str]:
    between, text = as_text(argument[0]), as_text(argument[1])
    if not between:
        raise wrong(
            "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or"
            " a function that returns a string to be split."
        )
    return text.split(between)


def _equals(argument: Any, _scope: Scope) -> bool:
    left, right = argument
    if isinstance(left, list | Mapping) or isinstance(right, list | Mapping):
        return bool(left == right)
    return as_text(left) == as_text(right)


def _base64(argument: Any, _scope: Scope) -> str:
    if isinstance(argument, list | Mapping):
        raise wrong("every Fn::Base64 object must have a String-typed value.")
    text = as_text(argument)
    _refuse_long("Fn::Base64", len(text))
    return base64.b64encode(text.encode()).decode()


def _cidr(argument: Any, _scope: Scope) -> list[str]:
    block, count, *bits = argument
    try:
        network = ipaddress.ip_network(as_text(block), strict=False)
        prefix = network.max_prefixlen - int(bits[0] if bits else 8)
        asked = int(count)
        if not 1 <= asked <= _CIDR_COUNT:
            raise ValueError(asked)  # noqa: TRY301 - one refusal for every wrong block
        # islice, not a list: a /8 in blocks of one address is 16 million.
        found = [str(one) for one in itertools.islice(network.subnets(new_prefix=prefix), asked)]
        if len(found) < asked:
            raise ValueError(asked)  # noqa: TRY301 - one refusal for every wrong block
    except (OverflowError, TypeError, ValueError) as error:
        raise wrong(
            f"Fn::Cidr: cannot cut {count} blocks of {bits[0] if bits else 8} bits out of {block}"
        ) from error
    return found


def _zones(argument: Any, scope: Scope) -> list[str]:
    return scope.zones(as_text(argument) or str(scope.pseudo["AWS::Region"]))


def _import(argument: Any, scope: Scope) -> Any:
    return scope.imported(as_text(argument))


def _logic(combine: Callable[[list[bool]], bool]) -> Callable[[Any, Scope], bool]:
    return lambda argument, _scope: combine([bool(one) for one in argument])


#: Functions that look at their argument before its parts are evaluated, and those that do not.
_LAZY: dict[str, Callable[[Any, Scope], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::Sub": _sub,
    "Fn::FindInMap": _find_in_map,
    "Condition": _condition_named,
}
_EAGER: dict[str, Callable[[Any, Scope], Any]] = {
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Equals": _equals,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::GetAZs": _zones,
    "Fn::ImportValue": _import,
    "Fn::And": _logic(all),
    "Fn::Or": _logic(any),
    "Fn::Not": _logic(lambda those: not those[0]),
}
FUNCTIONS = frozenset({*_LAZY, *_EAGER})
