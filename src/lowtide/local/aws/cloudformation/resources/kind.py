"""What the engine must know of a resource type, and what a handler is given to work with.

Why it exists: every type is one ``Kind``, a table entry of small functions over the calls of its service. Calls that may
be made one after another later are ``Step`` values, which can be kept.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Caller

#: The code of the error by which a handler says that its resource will never be ready.
NOT_STABILIZED = "NotStabilized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call to be made."""

    service: str
    operation: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One resource in the hands of its type.

    ``waited_s`` is how long the engine has waited for it, in AWS's time; ``is_new`` is whether it is being made.
    """

    box: Box
    region: str
    caller: Caller
    stack_name: str
    logical_id: str
    properties: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    physical_id: str = ""
    waited_s: float = 0.0
    update_policy: Mapping[str, Any] = field(default_factory=dict)
    is_new: bool = True

    def call(self, service: str, operation: str, **params: Any) -> Mapping[str, Any]:
        """Call a service as whoever made the stack."""
        return self.box.call(service, operation, params, region=self.region, caller=self.caller)

    def run(self, step: Step) -> None:
        """Make the call of a step."""
        self.call(step.service, step.operation, **step.params)

    def new_name(self, longest: int = 128) -> str:
        """Make a physical name as CloudFormation does: stack, logical id, twelve random letters and digits."""
        letters = string.ascii_letters + string.digits
        end = "".join(secrets.choice(letters) for _ in range(12))
        head = f"{self.stack_name}-{self.logical_id}"[: longest - len(end) - 1]
        return f"{head}-{end}"

    def given(self, *names: str) -> dict[str, Any]:
        """Return those of the named properties that are set."""
        return {name: self.properties[name] for name in names if name in self.properties}


def _nothing(_work: Work) -> Mapping[str, Any]:
    return {}


def _no_steps(_work: Work, *_old: Any) -> Sequence[Step]:
    return ()


def _at_once(_work: Work) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource type.

    ``create`` returns the physical id (what Ref yields) after one call; ``follow`` are the calls that complete it, so
    that a resource is known, and deleted, even where those fail. ``update`` are the calls that turn the old properties
    into the new; ``retag`` those that set and remove tags. ``done`` and ``gone`` say whether waiting is over; both may
    raise. ``read`` returns the attributes. ``delay`` is the name in settings.Delays of the time that it takes.
    """

    create: Callable[[Work], str]
    delete: Callable[[Work], None]
    follow: Callable[[Work], Sequence[Step]] = _no_steps
    update: Callable[[Work, Mapping[str, Any]], Sequence[Step]] = _no_steps
    retag: Callable[[Work, Mapping[str, str], Sequence[str]], Sequence[Step]] | None = None
    done: Callable[[Work], bool] = _at_once
    gone: Callable[[Work], bool] = _at_once
    read: Callable[[Work], Mapping[str, Any]] = _nothing
    delay: str = "resource_s"


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Write tags as most services want them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def is_absent(error: AwsError) -> bool:
    """Whether an error says that a resource is not there: deleting it is then done."""
    signs = ("NotFound", "NoSuchEntity", "NonExistentQueue", "DoesNotExist", "NoSuchHostedZone")
    not_there = any(sign in error.code for sign in signs)
    # Auto Scaling has ValidationError for everything (API reference, "Common errors").
    return not_there or (error.code == "ValidationError" and "not found" in error.message)


def changed(work: Work, old: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the named properties that differ from before and are set."""
    return {
        name: work.properties[name]
        for name in names
        if name in work.properties and work.properties[name] != old.get(name)
    }
