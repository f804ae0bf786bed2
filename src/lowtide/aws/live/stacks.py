"""CloudFormation stacks of one cluster: looked at, created, changed by change sets, deleted.

Why it exists: it makes the calls and turns answers into values; what to do when is decided by ``resolve.converge``. No call waits for a
stack. Every call that changes something has a token, so that botocore's second try after a lost answer is no second request.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.aws.live.paging import pages
from lowtide.aws.live.session import ask
from lowtide.model import names
from lowtide.model.errors import AwsError
from lowtide.model.stacks import ChangeState, ResourceChange, SeenChange, StackEvent

#: The change set by which ``up`` changes a stack.
CHANGE_SET = "lowtide-up"
STACK_TYPE = "AWS::CloudFormation::Stack"
#: Reasons of a failed change set that only mean that nothing would change (boto3 and the AWS CLI know the same two).
_NO_CHANGE = ("didn't contain changes", "No updates are to be performed")
_PENDING = frozenset({"CREATE_PENDING", "CREATE_IN_PROGRESS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRequest:
    """What a stack is asked to be. ``body`` is the template as JSON; ``tags`` hold the one that says whose it is."""

    name: str
    body: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> dict[str, Any]:
        """Return the parts that CreateStack and CreateChangeSet share."""
        return {
            "StackName": self.name,
            "TemplateBody": self.body,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in sorted(self.parameters.items())
            ],
            "Capabilities": list(self.capabilities),
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(self.tags.items())],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStack:
    """A stack as DescribeStacks shows it.

    ``parameters`` are values as they were given, ``resolved`` those that CloudFormation looked up in the Parameter Store.
    """

    name: str
    id: str
    status: str
    reason: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    is_protected: bool = False

    @property
    def owner(self) -> str:
        """The cluster whose stack lowtide made this, empty for stacks of others."""
        return self.tags.get(names.CLUSTER_TAG, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChange:
    """A change set: what became of it, and what it would do. ``maker`` is what was said when it was asked for."""

    id: str
    seen: SeenChange
    resources: tuple[ResourceChange, ...] = ()
    maker: str = ""


class Stacks:
    """The CloudFormation of an account. Every method raises AwsError where AWS refuses or cannot be reached."""

    def __init__(self, account: Account) -> None:
        self._api = account.client("cloudformation")

    def all(self) -> Iterator[LiveStack]:
        """Yield every stack of the region that is there."""
        token: dict[str, str] = {}
        for _ in itertools.count():
            page = ask(self._api.describe_stacks, **token)
            yield from map(_live, page["Stacks"])
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def had(self, name: str) -> bool:
        """Return whether there was a stack of that name; CloudFormation remembers for 90 days."""
        return any(
            one["StackName"] == name
            for page in pages(self._api.list_stacks, StackStatusFilter=["DELETE_COMPLETE"])
            for one in page["StackSummaries"]
        )

    def look(self, name: str) -> LiveStack | None:
        """Return a stack by its name or id, None where there is none; a deleted one is found by its id."""
        try:
            answer = ask(self._api.describe_stacks, StackName=name)
        except AwsError as error:
            if error.code == "ValidationError" and "does not exist" in error.why:
                return None
            raise
        return _live(answer["Stacks"][0])

    def events(self, stack: str, *, after: str = "") -> tuple[StackEvent, ...]:
        """Return a stack's events, oldest first, behind the one of that id."""
        found: list[StackEvent] = []
        token: dict[str, str] = {}
        for _ in itertools.count():
            page = ask(self._api.describe_stack_events, StackName=stack, **token)
            for raw in page["StackEvents"]:  # the newest come first
                if raw["EventId"] == after:
                    return tuple(reversed(found))
                found.append(_event(raw))
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
        return tuple(reversed(found))

    def create(self, request: StackRequest) -> str:
        """Ask for a new stack and return its id; what fails is rolled back by CloudFormation."""
        answer = ask(self._api.create_stack, **request.words(), ClientRequestToken=_token())
        return str(answer["StackId"])

    def ask_change(self, request: StackRequest, *, name: str = CHANGE_SET, maker: str = "") -> str:
        """Ask for a change set of an existing stack and return its id, or its name where one of that name is there.

        ``maker`` is written into it, and tells whose one is that was there.
        """
        said = {"Description": maker} if maker else {}
        try:
            answer = ask(
                self._api.create_change_set,
                **request.words(),
                **said,
                ChangeSetName=name,
                ChangeSetType="UPDATE",
                ClientToken=_token(),
            )
        except AwsError as error:
            if error.code != "AlreadyExistsException":
                raise
            return name  # the answer of an earlier try was lost; callers look before they ask
        return str(answer["Id"])

    def change(self, stack: str, *, name: str = CHANGE_SET) -> LiveChange | None:
        """Return a change set by its name or id with all its lines, None where there is none."""
        lines: list[ResourceChange] = []
        token: dict[str, str] = {}
        for _ in itertools.count():
            try:
                page = ask(
                    self._api.describe_change_set, StackName=stack, ChangeSetName=name, **token
                )
            except AwsError as error:
                if error.code in {"ChangeSetNotFound", "ChangeSetNotFoundException"}:
                    return None
                raise
            lines += map(_resource_change, page.get("Changes", ()))
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
        if _is_used_up(page):
            return None  # it was used up; CloudFormation keeps it as history
        return LiveChange(
            id=page["ChangeSetId"],
            seen=_seen(page),
            resources=tuple(lines),
            maker=page.get("Description", ""),
        )

    def drop_change(self, stack: str, *, name: str = CHANGE_SET) -> None:
        """Delete a change set; one that is not there is deleted already."""
        ask(self._api.delete_change_set, StackName=stack, ChangeSetName=name)

    def execute(self, stack: str, *, name: str = CHANGE_SET) -> None:
        """Make the changes of a change set; one whose changes are being made already is left at that."""
        try:
            ask(
                self._api.execute_change_set,
                StackName=stack,
                ChangeSetName=name,
                ClientRequestToken=_token(),
            )
        except AwsError as error:
            # The answer of an earlier try was lost.
            if error.code != "InvalidChangeSetStatus" or not self._is_executed(stack, name):
                raise

    def _is_executed(self, stack: str, name: str) -> bool:
        page = ask(self._api.describe_change_set, StackName=stack, ChangeSetName=name)
        return _is_used_up(page)

    def remove(self, stack: str) -> None:
        """Ask for the deletion of a stack."""
        ask(self._api.delete_stack, StackName=stack, ClientRequestToken=_token())

    def continue_rollback(self, stack: str) -> None:
        """Let a rollback of an update that got stuck go on."""
        ask(self._api.continue_update_rollback, StackName=stack, ClientRequestToken=_token())

    def revert(self, stack: str) -> None:
        """Roll a failed update back that was told to stay."""
        ask(self._api.rollback_stack, StackName=stack, ClientRequestToken=_token())

    def protect(self, stack: str, *, is_on: bool) -> None:
        """Set whether DeleteStack is refused."""
        ask(
            self._api.update_termination_protection,
            StackName=stack,
            EnableTerminationProtection=is_on,
        )


def _is_used_up(change_set: Mapping[str, Any]) -> bool:
    return change_set.get("ExecutionStatus") in {"EXECUTE_COMPLETE", "EXECUTE_IN_PROGRESS"}


def _token() -> str:
    return f"lowtide-{uuid.uuid4()}"


def _live(raw: Mapping[str, Any]) -> LiveStack:
    parameters = raw.get("Parameters", ())
    return LiveStack(
        name=raw["StackName"],
        id=raw["StackId"],
        status=raw["StackStatus"],
        reason=raw.get("StackStatusReason", ""),
        tags={one["Key"]: one["Value"] for one in raw.get("Tags", ())},
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in parameters},
        resolved={
            one["ParameterKey"]: one["ResolvedValue"]
            for one in parameters
            if one.get("ResolvedValue")
        },
        outputs={one["OutputKey"]: one["OutputValue"] for one in raw.get("Outputs", ())},
        is_protected=raw.get("EnableTerminationProtection", False),
    )


def _event(raw: Mapping[str, Any]) -> StackEvent:
    return StackEvent(
        id=raw["EventId"],
        at_s=raw["Timestamp"].timestamp(),
        logical_id=raw.get("LogicalResourceId", ""),
        type=raw.get("ResourceType", ""),
        status=raw.get("ResourceStatus", ""),
        reason=raw.get("ResourceStatusReason", ""),
        is_stack=raw.get("PhysicalResourceId") == raw["StackId"],
    )


def _seen(page: Mapping[str, Any]) -> SeenChange:
    status, reason = page["Status"], page.get("StatusReason", "")
    if status in _PENDING:
        return SeenChange(state=ChangeState.PENDING)
    if page.get("ExecutionStatus") == "OBSOLETE":
        return SeenChange(
            state=ChangeState.FAILED, reason="the stack was changed by somebody else meanwhile"
        )
    if status == "CREATE_COMPLETE":
        return SeenChange(state=ChangeState.READY)
    if any(words in reason for words in _NO_CHANGE):
        return SeenChange(state=ChangeState.EMPTY)
    return SeenChange(state=ChangeState.FAILED, reason=f"change set {status}: {reason}")


def _resource_change(raw: Mapping[str, Any]) -> ResourceChange:
    change = raw.get("ResourceChange", {})
    names_of = (one.get("Target", {}) for one in change.get("Details", ()))
    properties = (one.get("Name") or one.get("Attribute", "") for one in names_of)
    return ResourceChange(
        logical_id=change.get("LogicalResourceId", ""),
        type=change.get("ResourceType", ""),
        action=change.get("Action", ""),
        replaces=change.get("Replacement", ""),
        properties=tuple(dict.fromkeys(one for one in properties if one)),
    )
