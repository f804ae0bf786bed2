"""What the types of EKS have in common: names as its API writes them, tags by ARN, statuses that are waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import NOT_STABILIZED, Step, Work
from lowtide.local.aws.errors import AwsError

#: How long CloudFormation waits for an add-on that is DEGRADED before it gives up.
_DEGRADED_S = 1200.0
#: Properties whose keys are the user's own and keep their letters.
_FREE = frozenset({"Labels", "Tags"})


def camel(value: Any) -> Any:
    """Write a template's names as EKS's API does: ``SubnetIds`` becomes ``subnetIds``."""
    if isinstance(value, Mapping):
        return {
            key[:1].lower() + key[1:]: one if key in _FREE else camel(one)
            for key, one in value.items()
        }
    return [camel(one) for one in value] if isinstance(value, list) else value


def step(operation: str, **params: Any) -> Step:
    """Return a call of EKS."""
    return Step(service="eks", operation=operation, params=params)


def retag_arn(arn: str, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    """Return the calls that change the tags of an EKS object."""
    steps = []
    if added:
        steps.append(step("TagResource", resourceArn=arn, tags=dict(added)))
    if removed:
        steps.append(step("UntagResource", resourceArn=arn, tagKeys=list(removed)))
    return steps


def _issues(health: Mapping[str, Any]) -> str:
    return " ".join(str(one.get("message", "")) for one in health.get("issues", []))


def waits(describe: Callable[[Work], Mapping[str, Any]]) -> Callable[[Work], bool]:
    """Return a check that an EKS object is ACTIVE, which fails with its health's words."""

    def done(work: Work) -> bool:
        found = describe(work)
        status = found["status"]
        degraded = status == "DEGRADED" and work.waited_s >= _DEGRADED_S
        if status.endswith("FAILED") or degraded:
            why = _issues(found.get("health", {})) or f"its status is {status}"
            raise AwsError(NOT_STABILIZED, f"{work.physical_id} did not stabilize: {why}")
        return bool(status == "ACTIVE")

    return done


def is_gone(describe: Callable[[Work], Mapping[str, Any]]) -> Callable[[Work], bool]:
    """Return a check that an EKS object is away; ResourceNotFoundException is the engine's own sign of it."""

    def gone(work: Work) -> bool:
        found = describe(work)
        if found["status"] == "DELETE_FAILED":
            raise AwsError(NOT_STABILIZED, _issues(found.get("health", {})) or "DELETE_FAILED")
        return False

    return gone


def drop(work: Work, operation: str, **params: Any) -> None:
    """Make a call whose answer says nothing."""
    work.call("eks", operation, **params)
