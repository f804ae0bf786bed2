"""Outputs and exports of a stack: evaluated when its resources are there, and refused where others depend on them.

Source of the words: CloudFormation user guide, "Get exported outputs from a deployed CloudFormation stack", and events
that users quote in public issue threads (aws-samples/generative-ai-use-cases 1232, aws-samples/iam-identity-center-team 474).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.lookups import (
    active,
    base_scope,
    export_value,
    imported_names,
    importers,
    living,
    made,
    scope_of,
    state_of,
)
from lowtide.local.aws.cloudformation.records import Output, Stack, Wanted
from lowtide.local.aws.cloudformation.template.intrinsics import as_text, evaluate
from lowtide.local.aws.cloudformation.template.refused import invalid, malformed
from lowtide.local.aws.cloudformation.template.scope import Scope

#: The longest value of an output, in bytes, and of an export's name (user guide, "Outputs" and quotas).
_LONGEST_VALUE = 1024
_LONGEST_EXPORT_NAME = 255


def outputs_of(box: Box, stack: Stack) -> list[Output]:
    """Return what the wanted template puts out, now that its resources are there.

    Raises:
        AwsError: ValidationError: an output that is no text, an export of another stack, or one in use that changes.
    """
    scope = scope_of(box, stack, stack.wanted, made(living(stack)))
    found = [
        _output(key, one, scope) for key, one in active(stack.wanted, scope, "Outputs").items()
    ]
    _refuse_taken(box, stack, found)
    _refuse_changed(box, stack, found)
    return found


def _output(key: str, declared: Mapping[str, Any], scope: Scope) -> Output:
    value = evaluate(declared["Value"], scope)
    if value is None or isinstance(value, list | Mapping):
        raise malformed("The Value field of every Outputs member must evaluate to a String.")
    text = as_text(value)
    if len(text.encode()) > _LONGEST_VALUE:
        raise malformed(f"Output {key} is longer than {_LONGEST_VALUE} bytes.")
    name = ""
    if "Export" in declared:
        name = as_text(evaluate(declared["Export"]["Name"], scope))
        if not 0 < len(name) <= _LONGEST_EXPORT_NAME or not text:
            raise invalid(f"Cannot export output {key}. Exported values must not be empty.")
    return Output(key=key, value=text, description=declared.get("Description", ""), export=name)


def _refuse_taken(box: Box, stack: Stack, found: Sequence[Output]) -> None:
    names = [one.export for one in found if one.export]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Duplicate Export names: [{name}].")
    for other in state_of(box).of_region(stack.region):
        if other.id == stack.id or not other.is_there:
            continue
        for one in other.outputs:
            if one.export in names and one.export:
                raise invalid(
                    f"Export with name {one.export} is already exported by stack {other.name}."
                )


def _refuse_changed(box: Box, stack: Stack, found: Sequence[Output]) -> None:
    new = {one.export: one.value for one in found if one.export}
    for one in stack.outputs:
        users = importers(box, stack.region, one.export) if one.export else []
        if users and new.get(one.export) != one.value:
            verb = "update" if one.export in new else "delete"
            raise invalid(
                f"Update canceled. Cannot {verb} export {one.export} as it is in use by {_listed(users)}."
            )


def exports_in_use(box: Box, stack: Stack) -> str:
    """Return why a stack cannot be deleted, or nothing where no other stack imports from it."""
    for one in stack.outputs:
        users = importers(box, stack.region, one.export) if one.export else []
        users = [name for name in users if name != stack.name]
        if users:
            return f"Delete canceled. Cannot delete export {one.export} as it is in use by {_listed(users)}."
    return ""


def _listed(names: Sequence[str]) -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} and {last}" if others else last


def imports_of(box: Box, stack: Stack, wanted: Wanted) -> frozenset[str]:
    """Return the names of the exports that a template imports.

    Raises:
        AwsError: ValidationError where one of them does not exist.
    """
    scope = base_scope(box, stack, wanted)
    parts = [
        one.get(key)
        for section in ("Resources", "Outputs")
        for one in active(wanted, scope, section).values()
        for key in ("Properties", "Value")
    ]
    names = imported_names(parts, scope)
    for name in sorted(names):
        export_value(box, stack.region, name)
    return frozenset(names)
