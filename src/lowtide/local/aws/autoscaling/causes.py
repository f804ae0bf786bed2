"""Why a scaling activity happens, in AWS's words.

Why it exists: each cause is a chain of sentences with times: what was asked, what the group did, whom it chose. The words
are those of the user guide's examples of DescribeScalingActivities ("Verify a scaling activity for an Auto Scaling
group", "Troubleshoot Amazon EC2 Auto Scaling") and of AWS re:Post, "Why did Amazon EC2 Auto Scaling terminate an
instance?".
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.local.aws.autoscaling.activities import stamp
from lowtide.local.aws.box import Box

#: The group launches because an instance was lost, not because its size changed.
_REPLACING = "an instance was launched in response to an unhealthy instance needing to be replaced."
_HEALTH = (
    "an instance was taken out of service in response to an EC2 health check indicating it has been"
    " terminated or stopped."
)
_TOLD_UNHEALTHY = "an instance was taken out of service in response to a user health-check."
#: AWS's own sentence for capacity rebalancing is published nowhere that we know of; this one is ours.
_AT_RISK = (
    "an instance was taken out of service in response to an instance rebalance recommendation."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What began a change.

    ``asked`` is its first sentence, empty where the group acts by itself. ``ends`` is the sentence for the instance that
    the change takes out of service, ``launches`` the one for what it starts; empty, they tell of the difference in size.
    """

    asked: str = ""
    ends: str = ""
    launches: str = ""


#: A retry, or a launch that goes on.
BY_ITSELF = Why()
LOST = Why(ends=_HEALTH, launches=_REPLACING)
UNHEALTHY = Why(ends=_TOLD_UNHEALTHY, launches=_REPLACING)
AT_RISK = Why(ends=_AT_RISK, launches=_REPLACING)


def created(desired: int) -> Why:
    """Return the beginning of a new group."""
    return Why(
        asked=f"a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}."
    )


def set_to(old: int, new: int) -> Why:
    """Return the beginning of SetDesiredCapacity."""
    return Why(
        asked=f"a user request explicitly set group desired capacity changing the desired capacity from {old} to {new}."
    )


def updated(smallest: int, largest: int, old: int, new: int) -> Why:
    """Return the beginning of UpdateAutoScalingGroup."""
    change = f" changing the desired capacity from {old} to {new}" if old != new else ""
    return Why(
        asked=f"a user request update of AutoScalingGroup constraints to min: {smallest}, max: {largest},"
        f" desired: {new}{change}."
    )


def deleted(desired: int) -> Why:
    """Return the beginning of a forced DeleteAutoScalingGroup."""
    return Why(
        asked=f"a user request force deleted AutoScalingGroup changing the desired capacity from {desired} to 0."
    )


def balancing(zone: str) -> Why:
    """Return the beginning of a launch that evens out zones."""
    return Why(
        launches=f"instances were launched to balance instances in zones {zone} with other zones resulting in more than"
        " desired number of instances in the group."
    )


def asked_out(instance_id: str, old: int, new: int) -> Why:
    """Return what takes an instance out at its user's request; ``old`` and ``new`` are the desired capacity."""
    shrinking = f", shrinking the capacity from {old} to {new}" if old != new else ""
    ends = (
        f"instance {instance_id} was taken out of service in response to a user request{shrinking}."
    )
    return Why(ends=ends, launches=_REPLACING)


def detached(instance_id: str) -> str:
    """Return the sentence for an instance that leaves and runs on."""
    return f"instance {instance_id} was detached in response to a user request."


def of_launch(box: Box, why: Why, before: int, after: int) -> str:
    """Return the whole cause of launches that bring the group's capacity from ``before`` to ``after``."""
    launches = why.launches or (
        "an instance was started in response to a difference between desired and actual capacity,"
        f" increasing the capacity from {before} to {after}."
    )
    return sentences(box, why.asked, launches)


def of_end(box: Box, why: Why, instance_id: str, before: int, after: int) -> str:
    """Return the whole cause of an instance's end."""
    if why.ends:
        return sentences(box, why.asked, why.ends)
    return sentences(
        box,
        why.asked,
        "an instance was taken out of service in response to a difference between desired and actual"
        f" capacity, shrinking the capacity from {before} to {after}.",
        f"instance {instance_id} was selected for termination.",
    )


def sentences(box: Box, *parts: str) -> str:
    """Return sentences with the time before each."""
    return "  ".join(f"At {stamp(box)} {one}" for one in parts if one)
