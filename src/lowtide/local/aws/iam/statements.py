"""One policy document against one action on one resource.

Why it exists: moto's evaluation denies whatever has a condition. Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON
policy elements". Conditions are the string and ARN operators, Bool and Null; a statement with any other operator does not
allow, and a Deny with one denies: the safe side of both.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Context = Mapping[str, tuple[str, ...]]

ALLOW, DENY = "Allow", "Deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A statement that says something about a request: ``effect``, and whose it is."""

    effect: str
    policy: str


def matches(
    document: Mapping[str, Any], policy: str, action: str, resource: str, context: Context
) -> Iterator[Match]:
    """Yield the statements of a document that apply."""
    for statement in _many(document.get("Statement", [])):
        if _names_action(statement, action) and _names_resource(statement, resource, context):
            holds = _holds(statement.get("Condition", {}), context)
            if holds is True or (holds is None and statement["Effect"] == DENY):
                yield Match(effect=statement["Effect"], policy=policy)


def context_keys(document: Mapping[str, Any]) -> set[str]:
    """Return the keys of the request's context that a document looks at."""
    return {
        key
        for statement in _many(document.get("Statement", []))
        for operator in statement.get("Condition", {}).values()
        for key in operator
    }


def is_policy(document: Any) -> bool:
    """Return whether a document has the form of a policy: statements with an effect and actions."""
    if not isinstance(document, dict) or "Statement" not in document:
        return False
    return all(
        isinstance(one, dict)
        and one.get("Effect") in {ALLOW, DENY}
        and (_are_words(one.get("Action")) or _are_words(one.get("NotAction")))
        and all(_are_words(one.get(part, "*")) for part in ("Resource", "NotResource"))
        and _is_condition(one.get("Condition", {}))
        for one in _many(document["Statement"])
    )


def _are_words(value: Any) -> bool:
    return value is not None and all(isinstance(one, str) for one in _many(value))


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())


def _names_action(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(_like(one.lower(), action.lower()) for one in _many(statement["NotAction"]))
    return any(_like(one.lower(), action.lower()) for one in _many(statement.get("Action", [])))


def _names_resource(statement: Mapping[str, Any], resource: str, context: Context) -> bool:
    if "NotResource" in statement:
        return not any(
            _like(_filled(one, context), resource) for one in _many(statement["NotResource"])
        )
    wanted = _many(statement.get("Resource", "*"))
    return any(_like(_filled(one, context), resource) for one in wanted)


def _holds(condition: Mapping[str, Any], context: Context) -> bool | None:
    """Return whether all conditions hold; None where an operator is not known here."""
    found: bool | None = True
    for operator, wanted in condition.items():
        for key, values in wanted.items():
            one = _one_holds(
                operator, key, [_filled(str(value), context) for value in _many(values)], context
            )
            if one is False:
                return False
            found = None if one is None else found
    return found


def _one_holds(operator: str, key: str, wanted: list[str], context: Context) -> bool | None:
    quantifier, _, plain = operator.rpartition(":")
    is_optional = plain.endswith("IfExists")
    name = plain.removesuffix("IfExists").lower()
    have = {given.lower(): values for given, values in context.items()}.get(key.lower())
    if name == "null":
        return (have is None) is (wanted[0].lower() == "true")
    negated = "not" in name
    compare = _OPERATORS.get(name.replace("not", ""))
    if compare is None:
        return None
    if have is None:
        return is_optional or negated or quantifier == "ForAllValues"
    hits = [any(compare(one, value) for one in wanted) is not negated for value in have]
    return all(hits) if quantifier == "ForAllValues" or not quantifier else any(hits)


def _like(pattern: str, text: str) -> bool:
    """Match IAM's wildcards, which are * and ? alone."""
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None


def _filled(text: str, context: Context) -> str:
    """Put policy variables such as ${aws:username} in."""
    have = {key.lower(): values for key, values in context.items()}

    def value(found: re.Match[str]) -> str:
        if found[1] in {"*", "?", "$"}:
            return found[1]
        values = have.get(found[1].lower(), ())
        return values[0] if len(values) == 1 else found[0]

    return re.sub(r"\$\{([^}]+)\}", value, text)


def _many(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "stringequals": lambda wanted, value: wanted == value,
    "stringequalsignorecase": lambda wanted, value: wanted.lower() == value.lower(),
    "stringlike": _like,
    "arnequals": _like,
    "arnlike": _like,
    "bool": lambda wanted, value: wanted.lower() == value.lower(),
}
