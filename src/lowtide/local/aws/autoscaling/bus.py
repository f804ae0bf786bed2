"""EventBridge events of EC2 and Auto Scaling, handed to the queues that rules name.

Why it exists: the termination handler learns of interruptions from a queue. moto keeps rules and queues and does not
carry an event from the one to the other.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.autoscaling.state import Group
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError


def emit(
    box: Box,
    region: str,
    source: str,
    detail_type: str,
    *,
    detail: Mapping[str, Any],
    resource: str,
) -> None:
    """Send an event to the queues of every enabled rule that its pattern matches."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": box.settings.account,
        "time": box.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [resource],
        "detail": dict(detail),
    }
    try:
        rules = box.call("events", "ListRules", {}, region=region).get("Rules", [])
    except AwsError:
        return  # a box without EventBridge
    for rule in rules:
        if rule.get("State") == "ENABLED" and is_match(rule.get("EventPattern"), event):
            targets = box.call("events", "ListTargetsByRule", {"Rule": rule["Name"]}, region=region)
            for target in targets.get("Targets", []):
                send(box, region, target["Arn"], event)


def tell_outcome(
    box: Box, group: Group, detail_type: str, activity: Mapping[str, Any], *, instance_id: str
) -> None:
    """Send Auto Scaling's event of a finished activity (EventBridge reference, "Amazon EC2 Auto Scaling events")."""
    detail = {
        "StatusCode": "InProgress"
        if activity["StatusCode"] == "Successful"
        else activity["StatusCode"],
        "AutoScalingGroupName": group.name,
        "ActivityId": activity["ActivityId"],
        "RequestId": activity["ActivityId"],
        "Details": json.loads(activity["Details"]),
        "StatusMessage": activity.get("StatusMessage", ""),
        "StartTime": _iso(activity["StartTime"]),
        "EndTime": _iso(activity["EndTime"]),
        "EC2InstanceId": instance_id,
        "Cause": activity["Cause"],
        "Description": activity["Description"],
        "Origin": "EC2" if "Launch" in detail_type else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if "Launch" in detail_type else "EC2",
    }
    emit(box, group.region, "aws.autoscaling", detail_type, detail=detail, resource=group.arn)


def send(box: Box, region: str, arn: str, message: Mapping[str, Any]) -> None:
    """Send a message to a queue; other targets are not served, and a queue that is gone loses it, as on AWS."""
    if not arn.startswith("arn:aws:sqs:"):
        return
    try:
        name = arn.rpartition(":")[2]
        url = box.call("sqs", "GetQueueUrl", {"QueueName": name}, region=region)["QueueUrl"]
        body = {"QueueUrl": url, "MessageBody": json.dumps(message)}
        box.call("sqs", "SendMessage", body, region=region)
    except AwsError:
        return


def is_match(pattern: str | None, event: Mapping[str, Any]) -> bool:
    """Return whether an event pattern matches: every field is one of the pattern's values (no operators)."""
    return bool(pattern) and _is_within(json.loads(pattern or "{}"), event)


def _is_within(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    for key, wanted in pattern.items():
        value = event.get(key)
        if isinstance(wanted, Mapping):
            if not isinstance(value, Mapping) or not _is_within(wanted, value):
                return False
        else:
            values = value if isinstance(value, list) else [value]
            if not any(one in wanted for one in values):
                return False
    return True


def _iso(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
