"""What an update would do to a stack, before it is done: the changes of a change set.

Why it exists: CloudFormation says beforehand which resources are added, changed, replaced or removed, and why. What
depends on something that only the update will tell is ``Dynamic`` there (API reference, ResourceChangeDetail).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.lookups import active, base_scope, living, scope_of
from lowtide.local.aws.cloudformation.records import Resource, Stack, Wanted
from lowtide.local.aws.cloudformation.replacing import differing, recreation
from lowtide.local.aws.cloudformation.resources.table import kind_of
from lowtide.local.aws.cloudformation.schemas import typed
from lowtide.local.aws.cloudformation.tagging import tags_for
from lowtide.local.aws.cloudformation.template.dependencies import dependencies, references
from lowtide.local.aws.cloudformation.template.intrinsics import evaluate, unknown_in
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.cloudformation.template.scope import UNKNOWN, Made, Unknown

#: Parts of a resource beside its properties that a change set tells of (API reference, ResourceChange, Scope).
_ATTRIBUTES = (
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
    "DeletionPolicy",
    "UpdateReplacePolicy",
)
#: What stands for a value that only the update will tell (API reference, ResourceChange, AfterContext).
_LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
_STRENGTH = ("Never", "Conditionally", "Always")
_KEEPS = ("Retain", "RetainExceptOnCreate")

Change = dict[str, Any]


def changes_of(box: Box, stack: Stack, wanted: Wanted) -> list[Change]:
    """Return the changes, in the shape of DescribeChangeSet's, that a template would make.

    Raises:
        AwsError: ValidationError where the template cannot be evaluated.
    """
    declared = active(wanted, base_scope(box, stack, wanted))
    now = living(stack)
    needs = dependencies(declared)
    seen: dict[str, Made | Unknown] = {}
    found: dict[str, Change] = {}
    for name in TopologicalSorter(needs).static_order():
        scope = scope_of(box, stack, wanted, seen)
        given = evaluate(declared[name].get("Properties", {}), scope) or {}
        if name not in now:
            seen[name] = UNKNOWN
            after = _context(given)
            found[name] = _change("Add", name, declared[name]["Type"], AfterContext=after)
            continue
        new = typed(declared[name]["Type"], given)
        change = _Comparison(stack, wanted, now[name], declared[name], new, seen).change()
        seen[name] = _afterwards(now[name], change)
        if change is not None:
            found[name] = change
    gone = [one for name, one in now.items() if name not in declared]
    return [*(found[name] for name in declared if name in found), *map(_removal, gone)]


def is_unchanged(stack: Stack, wanted: Wanted, changes: Sequence[Change]) -> bool:
    """Whether an update would do nothing at all: outputs and tags of the stack count too."""
    before = stack.wanted
    return not changes and (
        before.template.get("Outputs") == wanted.template.get("Outputs")
        and _output_values(before) == _output_values(wanted)
        and before.tags == wanted.tags
    )


def _output_values(wanted: Wanted) -> dict[str, Any]:
    """Return the parameters and conditions that outputs may show; other changes of them are nothing by themselves."""
    named = {name for name, _ in references(list(wanted.template.get("Outputs", {}).values()))}
    return {name: one.value for name, one in wanted.parameters.items() if name in named}


def refuse_new_types(box: Box, stack: Stack, wanted: Wanted) -> None:
    """Refuse a template in which a resource that is there has another type.

    Raises:
        AwsError: ValidationError.
    """
    declared = active(wanted, base_scope(box, stack, wanted))
    there = living(stack)
    those = [
        name for name, one in declared.items() if name in there and there[name].type != one["Type"]
    ]
    if those:
        raise invalid(
            "Update of resource type is not permitted. The new template modifies resource type of "
            f"the following resources: [{', '.join(those)}]"
        )


def _change(action: str, name: str, kind: str, **more: Any) -> Change:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": name,
            "ResourceType": kind,
            "Scope": [],
            "Details": [],
            **more,
        },
    }


def _removal(resource: Resource) -> Change:
    policy = "Retain" if resource.deletion_policy in _KEEPS else "Delete"
    return _change(
        "Remove",
        resource.logical_id,
        resource.type,
        PhysicalResourceId=resource.physical_id,
        PolicyAction=policy,
        BeforeContext=_context(resource.properties),
    )


def _context(properties: Mapping[str, Any]) -> str:
    """Write a resource's properties as a change set shows them, with AWS's word for what is not known yet."""
    return json.dumps({"Properties": properties}, default=lambda _unknown: _LATER)


def _afterwards(resource: Resource, change: Change | None) -> Made | Unknown:
    """Return what others may see of a resource after a change, as far as it is known before."""
    if change is None:
        return Made(physical_id=resource.physical_id, attributes=resource.attributes)
    if change["ResourceChange"].get("Replacement") == "True":
        return UNKNOWN
    changing = dict.fromkeys(resource.attributes, UNKNOWN)
    return Made(physical_id=resource.physical_id, attributes=changing)


class _Comparison:
    """One resource as it is beside what it is to be."""

    def __init__(
        self,
        stack: Stack,
        wanted: Wanted,
        old: Resource,
        declared: Mapping[str, Any],
        new: Mapping[str, Any],
        seen: Mapping[str, Made | Unknown],
    ) -> None:
        self.stack, self.wanted, self.old = stack, wanted, old
        self.declared, self.new, self.seen = declared, new, seen
        before = stack.wanted.template["Resources"].get(old.logical_id, {})
        self.raw_before: Mapping[str, Any] = before.get("Properties", {})
        self.before: Mapping[str, Any] = before

    def change(self) -> Change | None:
        """Return the change, or None where nothing differs."""
        details = [*self._of_properties(), *self._of_tags(), *self._of_attributes()]
        if not details:
            return None
        replacement = _replacement(details)
        more: dict[str, Any] = {}
        if replacement == "True" and self.old.replace_policy in _KEEPS:
            more["PolicyAction"] = "ReplaceAndRetain"
        elif replacement == "True":
            more["PolicyAction"] = "ReplaceAndDelete"
        return _change(
            "Modify",
            self.old.logical_id,
            self.old.type,
            PhysicalResourceId=self.old.physical_id,
            Replacement=replacement,
            Scope=sorted({one["Target"]["Attribute"] for one in details}),
            Details=details,
            BeforeContext=_context(self.old.properties),
            AfterContext=_context(self.new),
            **more,
        )

    def _of_properties(self) -> Iterable[dict[str, Any]]:
        paths: dict[str, list[tuple[str, ...]]] = {}
        for path in differing(self.old.properties, self.new):
            if path and path[0] != "Tags":
                paths.setdefault(path[0], []).append(path)
        for name, those in paths.items():
            answers = [recreation(self.old.type, path) for path in those]
            strongest = max(answers, key=_STRENGTH.index)
            target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": strongest}
            yield from self._causes(target, self.declared.get("Properties", {}).get(name), name)

    def _of_tags(self) -> Iterable[dict[str, Any]]:
        if kind_of(self.old.type).retag is None or unknown_in(self.new.get("Tags")):
            return
        tags = tags_for(self.stack, self.wanted, self.old.logical_id, self.new)
        if tags != self.old.tags or self.new.get("Tags") != self.old.properties.get("Tags"):
            target = {"Attribute": "Tags", "RequiresRecreation": "Never"}
            yield from self._causes(target, self.declared.get("Properties", {}).get("Tags"), "Tags")

    def _of_attributes(self) -> Iterable[dict[str, Any]]:
        for name in _ATTRIBUTES:
            if self.declared.get(name) != self.before.get(name):
                yield {
                    "Target": {"Attribute": name, "RequiresRecreation": "Never"},
                    "Evaluation": "Static",
                    "ChangeSource": "DirectModification",
                }

    def _causes(
        self, target: Mapping[str, str], expression: Any, name: str
    ) -> list[dict[str, Any]]:
        """Return a detail for each reason why a property differs."""
        found = []
        for other, attribute in dict.fromkeys(references(expression)):
            cause = self._cause(other, attribute)
            if cause is not None:
                found.append({"Target": dict(target), **cause})
        if not found or expression != self.raw_before.get(name):
            evaluation = "Dynamic" if unknown_in(self.new.get(name)) else "Static"
            detail = {"Evaluation": evaluation, "ChangeSource": "DirectModification"}
            found.append({"Target": dict(target), **detail})
        return found

    def _cause(self, name: str, attribute: str | None) -> dict[str, str] | None:
        given = self.wanted.parameters.get(name)
        if given is not None:
            before = self.stack.wanted.parameters.get(name)
            if before is not None and before.value == given.value:
                return None
            source = {"ChangeSource": "ParameterReference", "CausingEntity": name}
            return {"Evaluation": "Static", **source}
        made = self.seen.get(name)
        if attribute is None and isinstance(made, Unknown):
            source = {"ChangeSource": "ResourceReference", "CausingEntity": name}
            return {"Evaluation": "Dynamic", **source}
        if attribute is not None and _is_unknown(made, attribute):
            whole = f"{name}.{attribute}"
            source = {"ChangeSource": "ResourceAttribute", "CausingEntity": whole}
            return {"Evaluation": "Dynamic", **source}
        return None


def _is_unknown(made: Made | Unknown | None, attribute: str) -> bool:
    if isinstance(made, Made):
        return isinstance(made.attributes.get(attribute), Unknown)
    return isinstance(made, Unknown)


def _replacement(details: Sequence[Mapping[str, Any]]) -> str:
    """Return True, Conditional or False (API reference, ResourceChange, Replacement)."""
    answers = {(one["Target"]["RequiresRecreation"], one["Evaluation"]) for one in details}
    if ("Always", "Static") in answers:
        return "True"
    return "Conditional" if any(one != "Never" for one, _ in answers) else "False"
