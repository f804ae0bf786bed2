"""Operations that change stacks.

Source of the words: CloudFormation API reference and what its clients match (AWS CLI's and CDK's sources).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.changes import changes_of, is_unchanged, refuse_new_types
from lowtide.local.aws.cloudformation.lookups import state_of
from lowtide.local.aws.cloudformation.phases import (
    USER,
    begin_creation,
    begin_creation_rollback,
    begin_deletion,
    begin_update,
    begin_update_rollback,
    cancel_update,
)
from lowtide.local.aws.cloudformation.records import Stack, Wanted
from lowtide.local.aws.cloudformation.requests import check_name, wanted_by
from lowtide.local.aws.cloudformation.template.refused import invalid
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

#: Statuses in which a stack can be updated, and those in which only an update without rollback can go on.
UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
_RESUMABLE = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})
_DELETABLE_BUSY = frozenset({"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"})


def existing(box: Box, call: Call) -> Stack:
    """Return the living stack that a call names.

    Raises:
        AwsError: ValidationError: there is none.
    """
    name = str(call.params["StackName"])
    stack = state_of(box).named(call.region, name)
    if stack is None or not stack.is_there:
        raise invalid(f"Stack [{name}] does not exist")
    return stack


def new_stack(box: Box, call: Call, wanted: Wanted) -> Stack:
    """Add an empty stack of the name in the call."""
    name, account = str(call.params["StackName"]), call.caller.account
    stack = Stack(
        name=name,
        id=f"arn:aws:cloudformation:{call.region}:{account}:stack/{name}/{uuid.uuid4()}",
        region=call.region,
        account=account,
        caller=call.caller,
        created=box.now(),
        wanted=wanted,
        token=call.params.get("ClientRequestToken") or "",
    )
    state_of(box).stacks[stack.id] = stack
    return stack


def create_stack(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer CreateStack."""
    params = call.params
    check_name(str(params["StackName"]))
    wanted = wanted_by(box, call, None)
    if state_of(box).named(call.region, str(params["StackName"])) is not None:
        raise AwsError("AlreadyExistsException", f"Stack [{params['StackName']}] already exists")
    if params.get("OnFailure") and params.get("DisableRollback") is not None:
        raise invalid("You can specify either DisableRollback or OnFailure, but not both.")
    stack = new_stack(box, call, wanted)
    stack.on_failure = params.get("OnFailure") or on_failure(params)
    stack.is_protected = bool(params.get("EnableTerminationProtection"))
    stack.timeout_minutes = params.get("TimeoutInMinutes")
    stack.deletes_retained = bool(params.get("RetainExceptOnCreate"))
    begin_creation(box, stack)
    return {"StackId": stack.id}


def on_failure(params: Mapping[str, Any]) -> str:
    """Return what a request wants to happen when something fails."""
    return "DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK"


def refuse_update(stack: Stack, *, keeps_going: bool) -> None:
    """Refuse to update a stack in a status that does not allow it.

    Raises:
        AwsError: ValidationError.
    """
    if stack.status in UPDATABLE or (keeps_going and stack.status in _RESUMABLE):
        return
    raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def update_stack(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer UpdateStack."""
    stack = existing(box, call)
    refuse_update(stack, keeps_going=bool(call.params.get("DisableRollback")))
    wanted = wanted_by(box, call, stack)
    refuse_new_types(box, stack, wanted)
    if stack.status in UPDATABLE and is_unchanged(stack, wanted, changes_of(box, stack, wanted)):
        raise invalid("No updates are to be performed.")
    take_over(stack, call)
    begin_update(box, stack, wanted)
    return {"StackId": stack.id}


def take_over(stack: Stack, call: Call) -> None:
    """Note who does the next thing to a stack, and how."""
    stack.caller = call.caller
    stack.token = call.params.get("ClientRequestToken") or ""
    stack.on_failure = on_failure(call.params)
    stack.deletes_retained = bool(call.params.get("RetainExceptOnCreate"))
    make_obsolete(stack)


def make_obsolete(stack: Stack) -> None:
    """Let change sets that were made for what the stack was not be executed any more."""
    for one in stack.change_sets.values():
        if one.execution == "AVAILABLE":
            one.execution = "OBSOLETE"


def delete_stack(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer DeleteStack; a stack that does not exist is deleted already."""
    params = call.params
    stack = state_of(box).named(call.region, str(params["StackName"]))
    if stack is None or stack.status in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
        return {}
    if stack.is_protected:
        raise invalid(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    if stack.is_busy and stack.status not in _DELETABLE_BUSY:
        raise invalid(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
    kept = frozenset(params.get("RetainResources") or ())
    is_forced = params.get("DeletionMode") == "FORCE_DELETE_STACK"
    if (kept or is_forced) and stack.status != "DELETE_FAILED":
        what = "which resources to retain" if kept else "a forced deletion"
        raise invalid(
            f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify {what} "
            "only when the stack is in the DELETE_FAILED state."
        )
    unknown = sorted(kept - stack.resources.keys())
    if unknown:
        raise invalid(f"The specified resources to retain do not exist: [{', '.join(unknown)}]")
    stack.caller = call.caller
    stack.token = params.get("ClientRequestToken") or ""
    make_obsolete(stack)
    begin_deletion(box, stack, kept=kept, is_forced=is_forced)
    return {}


def cancel_update_stack(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer CancelUpdateStack."""
    stack = existing(box, call)
    if stack.status != "UPDATE_IN_PROGRESS":
        raise invalid("CancelUpdateStack cannot be called from current stack status")
    cancel_update(box, stack)
    return {}


def continue_update_rollback(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer ContinueUpdateRollback."""
    stack = existing(box, call)
    if stack.status != "UPDATE_ROLLBACK_FAILED":
        raise invalid(
            f"Stack [{stack.id}] is in {stack.status} state and cannot be continued to roll back. "
            "It must be in the UPDATE_ROLLBACK_FAILED state."
        )
    skipped = frozenset(call.params.get("ResourcesToSkip") or ())
    failed = {name for name, one in stack.resources.items() if one.status == "UPDATE_FAILED"}
    if skipped - failed:
        raise invalid(
            f"Resource(s) [{', '.join(sorted(skipped - failed))}] cannot be skipped: "
            "they are not in the UPDATE_FAILED state"
        )
    stack.token = call.params.get("ClientRequestToken") or ""
    begin_update_rollback(box, stack, USER, skipped=skipped)
    return {}


def rollback_stack(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer RollbackStack, for a stack whose failure was preserved."""
    stack = existing(box, call)
    stack.token = call.params.get("ClientRequestToken") or ""
    if stack.status == "CREATE_FAILED":
        begin_creation_rollback(box, stack, USER)
    elif stack.status == "UPDATE_FAILED":
        begin_update_rollback(box, stack, USER)
    else:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
    return {"StackId": stack.id}


def update_termination_protection(box: Box, call: Call) -> Mapping[str, Any]:
    """Answer UpdateTerminationProtection."""
    stack = existing(box, call)
    if stack.status == "DELETE_IN_PROGRESS":
        raise invalid(f"Stack [{stack.name}] cannot be updated while in status {stack.status}")
    stack.is_protected = bool(call.params["EnableTerminationProtection"])
    return {"StackId": stack.id}


OPERATIONS = {
    "CancelUpdateStack": cancel_update_stack,
    "ContinueUpdateRollback": continue_update_rollback,
    "CreateStack": create_stack,
    "DeleteStack": delete_stack,
    "RollbackStack": rollback_stack,
    "UpdateStack": update_stack,
    "UpdateTerminationProtection": update_termination_protection,
}
