"""Events: what a stack says of itself and of its resources, in CloudFormation's order and words.

Source: CloudFormation user guide, "Understand CloudFormation stack creation events".
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.cloudformation.records import STACK_TYPE, Resource, Stack, StackEvent
from lowtide.local.aws.errors import AwsError

_TITLES = {"ec2": "Ec2", "eks": "Eks", "iam": "Iam", "ssm": "Ssm", "sqs": "Sqs", "kms": "Kms"}
_TITLES |= {"autoscaling": "AutoScaling", "events": "EventBridge", "logs": "CloudWatchLogs"}
#: Which handler error code CloudFormation gives by signs in the service's code (CLI user guide, "Handler error codes").
_HANDLER_CODES = (
    ("AlreadyExists", ("AlreadyExist", "Duplicate", "ResourceInUse", "QueueNameExists")),
    ("NotFound", ("NotFound", "NoSuch", "NonExistent")),
    ("AccessDenied", ("AccessDenied", "Unauthorized")),
    ("Throttling", ("Throttl", "RequestLimitExceeded")),
    ("ServiceLimitExceeded", ("LimitExceeded", "MaxIOPSLimit", "VcpuLimit")),
    ("NotStabilized", ("NotStabilized",)),
)


def stack_says(box: Box, stack: Stack, status: str, reason: str = "") -> None:
    """Give a stack a status and write it into its history."""
    stack.status, stack.reason = status, reason
    _write(box, stack, (stack.name, stack.id, STACK_TYPE), status, reason)


def resource_says(
    box: Box, stack: Stack, resource: Resource, status: str, reason: str = ""
) -> None:
    """Give a resource a status and write it into its stack's history."""
    resource.status, resource.reason, resource.at = status, reason, box.now()
    who = (resource.logical_id, resource.physical_id, resource.type)
    _write(box, stack, who, status, reason, resource.properties)


def _write(
    box: Box,
    stack: Stack,
    who: tuple[str, str, str],
    status: str,
    reason: str,
    properties: Any = None,
) -> None:
    logical_id, physical_id, kind = who
    number = len(stack.events) + 1
    event_id = str(uuid.uuid4())
    stack.events.append(
        StackEvent(
            number=number,
            event_id=event_id if kind == STACK_TYPE else f"{logical_id}-{status}-{event_id}",
            at=box.now(),
            logical_id=logical_id,
            physical_id=physical_id,
            type=kind,
            status=status,
            reason=reason,
            properties="" if properties is None else json.dumps(properties, default=str),
            token=stack.token,
        )
    )


def why(error: AwsError, service: str) -> str:
    """Write a service's refusal as the reason of a failed resource."""
    if error.code == "ValidationError" and service == "cloudformation":
        return error.message
    code = next(
        (name for name, signs in _HANDLER_CODES if any(one in error.code for one in signs)),
        "GeneralServiceException" if error.status >= 500 else "InvalidRequest",
    )
    request, token = uuid.uuid4(), uuid.uuid4()
    said = error.message
    if code != "NotStabilized":
        title = _TITLES.get(service, service.title())
        said = f"{said} (Service: {title}, Status Code: {error.status}, Request ID: {request})"
    return f'Resource handler returned message: "{said}" (RequestToken: {token}, HandlerErrorCode: {code})'
