"""Scaling activities, in Auto Scaling's words.

Why it exists: they are where AWS says why a group does not grow; the autoscaler reads whether one Failed, and `why`
reads the rest. Words as quoted in cortexlabs/cortex#1258, aws/aws-parallelcluster#1115 and the user guide's
"Troubleshoot Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from lowtide.local.aws.autoscaling.state import Group, Member, Refusal
from lowtide.local.aws.box import Box
from lowtide.model.names import SPOT

#: AWS keeps six weeks; here the newest of them.
KEPT = 200
_FAILED = "Launching EC2 instance failed."


def stamp(box: Box) -> str:
    """Return the time as it stands in a cause."""
    return box.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def launching(
    box: Box, group: Group, instance_id: str, cause: str, *, zone: str, subnet: str
) -> dict[str, Any]:
    """Note that an instance is being launched."""
    words = f"Launching a new EC2 instance: {instance_id}"
    activity = _note(box, group, words, cause, zone=zone, subnet=subnet)
    activity.update(StatusCode="PreInService", Progress=30)
    return activity


def terminating(box: Box, group: Group, member: Member, cause: str) -> dict[str, Any]:
    """Note that an instance is being terminated."""
    words = f"Terminating EC2 instance: {member.id}"
    return _note(box, group, words, cause, zone=member.zone, subnet=member.subnet)


def detaching(box: Box, group: Group, member: Member, cause: str) -> dict[str, Any]:
    """Note that an instance has left the group."""
    words = f"Detaching EC2 instance: {member.id}"
    activity = _note(box, group, words, cause, zone=member.zone, subnet=member.subnet)
    succeed(box, activity)
    return activity


def attaching(box: Box, group: Group, instance_id: str) -> dict[str, Any]:
    """Note that an instance has joined the group."""
    cause = f"At {stamp(box)} an instance was attached in response to user request."
    activity = _note(box, group, f"Attaching an existing EC2 instance: {instance_id}", cause)
    succeed(box, activity)
    return activity


def succeed(box: Box, activity: dict[str, Any]) -> None:
    """Note that an activity has come to its end."""
    activity.update(StatusCode="Successful", Progress=100, EndTime=box.now())


def cancel(box: Box, activity: dict[str, Any]) -> None:
    """Note that an activity was given up."""
    activity.update(StatusCode="Cancelled", Progress=100, EndTime=box.now())


def abandon(box: Box, activity: dict[str, Any], why: str) -> None:
    """Note that a launch came to nothing after the instance was there."""
    message = f"Instance failed to complete user's Lifecycle Action: {why}"
    activity["Description"] += f".  Status Reason: {message}"
    activity.update(StatusCode="Cancelled", StatusMessage=message, Progress=100, EndTime=box.now())


def failed(
    box: Box, group: Group, code: str, refusal: Refusal | None, cause: str
) -> dict[str, Any]:
    """Note that instances could not be launched: EC2's last refusal, or that spot is too dear for the group."""
    message = _why(group, code, refusal)
    activity = _note(box, group, f"Launching a new EC2 instance.  Status Reason: {message}", cause)
    activity.update(StatusCode="Failed", StatusMessage=message, Progress=100, EndTime=box.now())
    return activity


def _why(group: Group, code: str, refusal: Refusal | None) -> str:
    if refusal is None:
        words = "The maximum Spot price of the group is lower than the current Spot price of every instance type."
        return f"Could not launch Spot Instances. {code} - {words} {_FAILED}"
    words = refusal.message.rstrip()
    words = words if words.endswith(".") else f"{words}."
    if not group.is_mixed:
        return f"{words} {_FAILED}"
    kind = "Spot" if refusal.capacity_type == SPOT else "On-Demand"
    return f"Could not launch {kind} Instances. {refusal.code} - {words} {_FAILED}"


def _note(
    box: Box, group: Group, description: str, cause: str, *, zone: str = "", subnet: str = ""
) -> dict[str, Any]:
    zones = zone or ", ".join(group.subnets)
    subnets = subnet or ", ".join(one for ids in group.subnets.values() for one in ids)
    activity: dict[str, Any] = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": cause,
        "StartTime": box.now(),
        "StatusCode": "InProgress",
        "Progress": 0,
        "Details": json.dumps(
            {"Subnet ID": subnets, "Availability Zone": zones}, separators=(",", ":")
        ),
    }
    group.activities.insert(0, activity)
    del group.activities[KEPT:]
    return activity
