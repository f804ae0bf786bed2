"""Scaling activities, in Auto Scaling's words.

Why it exists: they are where AWS says why a group does not grow; the autoscaler reads whether one Failed, and `why`
reads the rest. Words as quoted in cortexlabs/cortex#1258, aws/aws-parallelcluster#1115 and the user guide's
"Troubleshoot Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from lowtide.local.aws.autoscaling.state import Group
from lowtide.local.aws.box import Box
from lowtide.model.names import SPOT

#: AWS keeps six weeks; here the newest of them.
KEPT = 200
_FAILED = "Launching EC2 instance failed."


def stamp(box: Box) -> str:
    """Return the time as it stands in a cause."""
    return box.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def launching(box: Box, group: Group, instance_id: str, cause: str) -> dict[str, Any]:
    """Note that an instance is being launched."""
    activity = _note(box, group, f"Launching a new EC2 instance: {instance_id}", cause)
    activity["StatusCode"] = "PreInService"
    activity["Progress"] = 30
    return activity


def terminating(box: Box, group: Group, instance_id: str, cause: str) -> dict[str, Any]:
    """Note that an instance is being terminated."""
    return _note(box, group, f"Terminating EC2 instance: {instance_id}", cause)


def detaching(box: Box, group: Group, instance_id: str, cause: str) -> dict[str, Any]:
    """Note that an instance has left the group."""
    activity = _note(box, group, f"Detaching EC2 instance: {instance_id}", cause)
    succeed(box, activity)
    return activity


def succeed(box: Box, activity: dict[str, Any]) -> None:
    """Note that an activity has come to its end."""
    activity.update(StatusCode="Successful", Progress=100, EndTime=box.now())


def cancel(box: Box, activity: dict[str, Any]) -> None:
    """Note that an activity was given up."""
    activity.update(StatusCode="Cancelled", Progress=100, EndTime=box.now())


def failed(box: Box, group: Group, code: str, cause: str) -> None:
    """Note that instances could not be launched: EC2's last refusal, or that spot is too dear for the group."""
    message = _why(group, code)
    activity = _note(box, group, f"Launching a new EC2 instance.  Status Reason: {message}", cause)
    activity.update(StatusCode="Failed", StatusMessage=message, Progress=100, EndTime=box.now())


def _why(group: Group, code: str) -> str:
    if group.refusal is None:
        words = f"{code} - The maximum Spot price of the group is lower than the current Spot price of every instance type."
        return f"Could not launch Spot Instances. {words} {_FAILED}"
    words = group.refusal.message.rstrip()
    words = words if words.endswith(".") else f"{words}."
    if not group.is_mixed:
        return f"{words} {_FAILED}"
    kind = "Spot" if group.refused_as == SPOT else "On-Demand"
    return f"Could not launch {kind} Instances. {group.refusal.code} - {words} {_FAILED}"


def _note(box: Box, group: Group, description: str, cause: str) -> dict[str, Any]:
    zones = ", ".join(group.subnets)
    subnets = ", ".join(one for ids in group.subnets.values() for one in ids)
    activity: dict[str, Any] = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": cause,
        "StartTime": box.now(),
        "StatusCode": "InProgress",
        "Progress": 0,
        "Details": json.dumps({"Subnet ID": subnets, "Availability Zone": zones}),
    }
    group.activities.insert(0, activity)
    del group.activities[KEPT:]
    return activity
