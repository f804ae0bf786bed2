"""Change sets: a change is looked at first, and made when its user says so.

Source of the words: CloudFormation API reference, and what the AWS CLI's ``deploy`` looks for.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.changes import changes_of, is_unchanged, refuse_new_types
from lowtide.local.aws.cloudformation.history import stack_says
from lowtide.local.aws.cloudformation.lookups import state_of
from lowtide.local.aws.cloudformation.outputs import imports_of
from lowtide.local.aws.cloudformation.phases import USER, begin_creation, begin_update
from lowtide.local.aws.cloudformation.records import SERVICE, ChangeSet, Stack
from lowtide.local.aws.cloudformation.requests import check_name, wanted_by
from lowtide.local.aws.cloudformation.shown import page, parameters_shown, without_nothing
from lowtide.local.aws.cloudformation.stacks import (
    UPDATABLE,
    make_obsolete,
    new_stack,
    on_failure,
    refuse_update,
)
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

#: ``aws cloudformation deploy`` looks for the first sentence.
NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
_RESUMABLE = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})


def create_change_set(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer CreateChangeSet; the changes are worked out a moment later, as with AWS."""
    params = call.params
    kind = params.get("ChangeSetType") or "UPDATE"
    stack = _stack_for(box, call, kind)
    wanted = wanted_by(box, call, stack if kind == "UPDATE" else None)
    if stack is None:
        stack = new_stack(box, call, wanted)
        stack_says(box, stack, "REVIEW_IN_PROGRESS", USER)
    elif kind == "UPDATE":
        refuse_new_types(box, stack, wanted)
    name = str(params["ChangeSetName"])
    known = [one for one in stack.change_sets.values() if one.name == name]
    if any(not one.execution.startswith("EXECUTE_") for one in known):
        raise AwsError("AlreadyExistsException", f"ChangeSet {known[-1].id} already exists")
    where = f"arn:aws:cloudformation:{call.region}:{call.caller.account}"
    made = ChangeSet(
        name=name,
        id=f"{where}:changeSet/{name}/{uuid.uuid4()}",
        kind=kind,
        at=box.now(),
        wanted=wanted,
        description=params.get("Description") or "",
        on_failure=params.get("OnStackFailure") or "",
    )
    stack.change_sets[made.id] = made
    box.after(0.0, SERVICE, "compare", stack_id=stack.id, change_set_id=made.id)
    return {"Id": made.id, "StackId": stack.id}


def _stack_for(box: Box, call: Call, kind: str) -> Stack | None:
    name = str(call.params["StackName"])
    stack = state_of(box).named(call.region, name)
    if stack is not None and not stack.is_there:
        stack = None
    if kind == "IMPORT":
        raise invalid("The embedded AWS does not import resources into stacks.")
    if kind == "CREATE":
        check_name(name if stack is None else stack.name)
        if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise invalid(
                f"Stack [{stack.name}] already exists and cannot be created again with the "
                f"changeSet [{call.params['ChangeSetName']}]."
            )
        return stack
    if stack is None:
        raise invalid(f"Stack [{name}] does not exist")
    if stack.status not in UPDATABLE | _RESUMABLE:
        refuse_update(stack, keeps_going=False)
    return stack


def compare(box: Box, stack_id: str, change_set_id: str) -> None:
    """Work out what a change set changes."""
    stack = state_of(box).stacks.get(stack_id)
    made = None if stack is None else stack.change_sets.get(change_set_id)
    if stack is None or made is None or made.status != "CREATE_PENDING":
        return
    try:
        imports_of(box, stack, made.wanted)
        made.changes = changes_of(box, stack, made.wanted)
    except AwsError as error:
        made.status, made.reason = "FAILED", error.message
        return
    same = made.kind == "UPDATE" and is_unchanged(stack, made.wanted, made.changes)
    if same and stack.status in UPDATABLE:
        made.status, made.reason = "FAILED", NO_CHANGES
        return
    made.status, made.execution = "CREATE_COMPLETE", "AVAILABLE"


def _found(box: Box, call: Call) -> tuple[Stack, ChangeSet]:
    """Return the change set that a call names by id, or by its name and stack.

    Raises:
        AwsError: ChangeSetNotFound, or ValidationError for a name without a stack.
    """
    name, of = str(call.params["ChangeSetName"]), call.params.get("StackName")
    if of is None and not name.startswith("arn:"):
        raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
    stacks = list(state_of(box).of_region(call.region))
    if of is not None:
        named = state_of(box).named(call.region, str(of))
        if named is None:
            raise invalid(f"Stack [{of}] does not exist")
        stacks = [named]
    for stack in stacks:
        for made in reversed(stack.change_sets.values()):
            if name in (made.id, made.name):
                return stack, made
    raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)


def describe_change_set(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer DescribeChangeSet."""
    stack, made = _found(box, call)
    return without_nothing(
        {
            **_summary(stack, made),
            "Parameters": parameters_shown(made.wanted),
            "NotificationARNs": list(made.wanted.notification_arns),
            "RollbackConfiguration": {},
            "Capabilities": list(made.wanted.capabilities),
            "Tags": [{"Key": key, "Value": value} for key, value in made.wanted.tags.items()],
            "Changes": [
                _shown(one, with_values=bool(call.params.get("IncludePropertyValues")))
                for one in made.changes
            ],
            "OnStackFailure": made.on_failure or None,
        }
    )


def _shown(change: Mapping[str, Any], *, with_values: bool) -> dict[str, Any]:
    """Return a change; the properties before and after are shown where they are asked for."""
    whole = change["ResourceChange"]
    kept = {key: one for key, one in whole.items() if with_values or not key.endswith("Context")}
    return {**change, "ResourceChange": kept}


def _summary(stack: Stack, made: ChangeSet) -> dict[str, Any]:
    return without_nothing(
        {
            "ChangeSetName": made.name,
            "ChangeSetId": made.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "Description": made.description or None,
            "CreationTime": made.at,
            "ExecutionStatus": made.execution,
            "Status": made.status,
            "StatusReason": made.reason or None,
            "IncludeNestedStacks": False,
        }
    )


def list_change_sets(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ListChangeSets, without those that were executed."""
    name = str(call.params["StackName"])
    stack = state_of(box).named(call.region, name)
    if stack is None:
        raise invalid(f"Stack [{name}] does not exist")
    those = [
        _summary(stack, one)
        for one in stack.change_sets.values()
        if not one.execution.startswith("EXECUTE_")
    ]
    return page(those, call.params, key="Summaries")


def delete_change_set(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer DeleteChangeSet; one that does not exist is deleted already."""
    try:
        stack, made = _found(box, call)
    except AwsError as error:
        if error.code == "ChangeSetNotFound":
            return {}
        raise
    if made.execution == "EXECUTE_IN_PROGRESS":
        raise AwsError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{made.id}] cannot be deleted in its current status of [{made.execution}]",
        )
    del stack.change_sets[made.id]
    return {}


def execute_change_set(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ExecuteChangeSet; the stack's other change sets are deleted with it."""
    stack, made = _found(box, call)
    token = call.params.get("ClientRequestToken") or ""
    if token and (stack.token, stack.change_set_id) == (token, made.id):
        return {}  # the same request again: that is what the token is for (ExecuteChangeSet)
    if made.execution != "AVAILABLE":
        status = made.status if made.status != "CREATE_COMPLETE" else made.execution
        raise AwsError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{made.id}] cannot be executed in its current status of [{status}]",
        )
    keeps_going = bool(call.params.get("DisableRollback")) or made.on_failure == "DO_NOTHING"
    if made.kind == "UPDATE":
        refuse_update(stack, keeps_going=keeps_going)
    make_obsolete(stack)
    stack.caller = call.caller
    stack.token = token
    stack.on_failure = made.on_failure or on_failure(call.params)
    stack.deletes_retained = bool(call.params.get("RetainExceptOnCreate"))
    stack.change_set_id, made.execution = made.id, "EXECUTE_IN_PROGRESS"
    stack.change_sets = {
        one.id: one
        for one in stack.change_sets.values()
        if one is made or one.execution.startswith("EXECUTE_")
    }
    if made.kind == "CREATE":
        stack.wanted = made.wanted
        begin_creation(box, stack)
    else:
        begin_update(box, stack, made.wanted)
    return {}


OPERATIONS = {
    "CreateChangeSet": create_change_set,
    "DeleteChangeSet": delete_change_set,
    "DescribeChangeSet": describe_change_set,
    "ExecuteChangeSet": execute_change_set,
    "ListChangeSets": list_change_sets,
}
