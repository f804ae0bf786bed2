"""What a value of a template refers to, and in which order resources can be made.

Why it exists: references are dependencies; a ring of them is refused before anything is created.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lowtide.local.aws.cloudformation.template.refused import invalid, malformed

#: ``${Name}`` and ``${Name.Attribute}``; ``${!Literal}`` is a text.
PLACE = re.compile(r"\$\{([^!${}][^${}]*)\}")


def single(value: Any) -> tuple[str, Any] | None:
    """Return name and argument where a value is one intrinsic function (or looks like one), else None."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, argument),) = value.items()
        if name in {"Ref", "Condition"} or name.startswith("Fn::"):
            return name, argument
    return None


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """Yield (name, attribute or None) of everything that a value refers to by Ref, GetAtt and Sub."""
    call = single(value)
    if call is None:
        for one in _parts(value):
            yield from references(one)
        return
    name, argument = call
    if name == "Ref":
        yield str(argument), None
    elif name == "Fn::GetAtt":
        yield from _get_att(argument)
    elif name == "Fn::Sub":
        yield from _sub(argument)
    else:
        yield from references(argument)


def _get_att(argument: Any) -> Iterator[tuple[str, str | None]]:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if isinstance(parts, list) and len(parts) > 1 and isinstance(parts[0], str):
        yield parts[0], ".".join(str(one) for one in parts[1:])


def _sub(argument: Any) -> Iterator[tuple[str, str | None]]:
    text, variables = argument, {}
    if isinstance(argument, list) and len(argument) == 2:
        text, variables = argument
    yield from references(variables)
    if isinstance(text, str) and isinstance(variables, Mapping):
        for place in PLACE.findall(text):
            name, _, attribute = place.strip().partition(".")
            if place.strip() not in variables:
                yield name, attribute or None


def _parts(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def depends_on(resource: Mapping[str, Any]) -> list[str]:
    """Return the logical ids that a resource names in DependsOn."""
    given = resource.get("DependsOn", [])
    return [given] if isinstance(given, str) else list(given)


def dependencies(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Return for each resource the others that must be there before it; names that are none are left out."""
    return {
        name: frozenset(
            other
            for other in (
                *depends_on(resource),
                *(one for one, _ in references(resource.get("Properties", {}))),
            )
            if other in resources
        )
        for name, resource in resources.items()
    }


def taken(value: Any, conditions: Mapping[str, bool]) -> Any:
    """Return a value without the branches that its Fn::If functions do not take."""
    call = single(value)
    if call is not None and call[0] == "Fn::If":
        name, yes, no = call[1]
        return taken(yes if conditions[name] else no, conditions)
    if isinstance(value, Mapping):
        return {key: taken(one, conditions) for key, one in value.items()}
    return [taken(one, conditions) for one in value] if isinstance(value, list) else value


def refuse_left_out(template: Mapping[str, Any], conditions: Mapping[str, bool]) -> None:
    """Refuse references to resources that a false condition leaves out; a branch that is not taken may have them.

    Raises:
        AwsError: ValidationError that names them.
    """
    out = {name for name, one in template["Resources"].items() if not _is_in(one, conditions)}
    for block, part in (("Resources", "Properties"), ("Outputs", "Value")):
        named = [
            name
            for one in template.get(block, {}).values()
            if _is_in(one, conditions)
            for name, _ in references(taken(one.get(part, {}), conditions))
        ]
        absent = sorted(out.intersection(named))
        if absent:
            raise malformed(
                f"Unresolved resource dependencies [{', '.join(absent)}] in the {block} block of the template"
            )


def _is_in(declared: Mapping[str, Any], conditions: Mapping[str, bool]) -> bool:
    return conditions.get(declared.get("Condition", ""), True)


def refuse_circles(needs: Mapping[str, frozenset[str]]) -> None:
    """Refuse resources that wait for each other.

    Raises:
        AwsError: ValidationError that names every resource of the circle.
    """
    left = dict(needs)
    while True:
        free = [name for name, others in left.items() if not others & left.keys()]
        if not free:
            break
        for name in free:
            del left[name]
    # What only waits for the circle is no part of it.
    while useless := [name for name in left if not any(name in left[other] for other in left)]:
        for name in useless:
            del left[name]
    if left:
        raise invalid(f"Circular dependency between resources: [{', '.join(sorted(left))}]")
