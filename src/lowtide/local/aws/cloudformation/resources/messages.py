"""Queues and event rules: what warns of spot interruptions.

Source of Ref and attributes: CloudFormation template reference, AWS::SQS::* and AWS::Events::Rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work, tag_list
from lowtide.local.aws.cloudformation.template.intrinsics import as_text
from lowtide.local.aws.errors import AwsError

# AWS::SQS::Queue

_QUEUE_SET = (
    *("ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoThroughputLimit"),
    *("KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize"),
    *("MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy"),
    *("RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout"),
)


def _attributes(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: json.dumps(value) if isinstance(value, Mapping) else as_text(value)
        for name, value in values.items()
    }


def _create_queue(work: Work) -> str:
    fifo = work.properties.get("FifoQueue")
    name = work.properties.get("QueueName") or work.new_name(75) + (".fifo" if fifo else "")
    attributes = _attributes(work.given(*_QUEUE_SET, "FifoQueue"))
    answer = work.call(
        "sqs", "CreateQueue", QueueName=name, Attributes=attributes, tags=dict(work.tags)
    )
    return str(answer["QueueUrl"])


def _update_queue(work: Work, old: Mapping[str, Any]) -> list[Step]:
    wanted = {
        name: value for name, value in work.given(*_QUEUE_SET).items() if value != old.get(name)
    }
    if not wanted:
        return []
    params = {"QueueUrl": work.physical_id, "Attributes": _attributes(wanted)}
    return [Step(service="sqs", operation="SetQueueAttributes", params=params)]


def _retag_queue(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    url = {"QueueUrl": work.physical_id}
    steps = []
    if added:
        steps.append(Step(service="sqs", operation="TagQueue", params={**url, "Tags": dict(added)}))
    if removed:
        params = {**url, "TagKeys": list(removed)}
        steps.append(Step(service="sqs", operation="UntagQueue", params=params))
    return steps


def _read_queue(work: Work) -> dict[str, Any]:
    answer = work.call(
        "sqs", "GetQueueAttributes", QueueUrl=work.physical_id, AttributeNames=["QueueArn"]
    )
    return {
        "Arn": answer["Attributes"]["QueueArn"],
        "QueueName": work.physical_id.rpartition("/")[2],
        "QueueUrl": work.physical_id,
    }


QUEUE = Kind(
    create=_create_queue,
    update=_update_queue,
    retag=_retag_queue,
    read=_read_queue,
    delete=lambda work: _drop(work, "sqs", "DeleteQueue", QueueUrl=work.physical_id),
)


def _drop(work: Work, service: str, operation: str, **params: Any) -> None:
    work.call(service, operation, **params)


# AWS::SQS::QueuePolicy


def _policies(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    document = json.dumps(work.properties["PolicyDocument"])
    queues = work.properties["Queues"]
    left = [one for one in (old or {}).get("Queues", []) if one not in queues]
    return [
        Step(
            service="sqs",
            operation="SetQueueAttributes",
            params={"QueueUrl": queue, "Attributes": {"Policy": policy}},
        )
        for queue, policy in [*((one, document) for one in queues), *((one, "") for one in left)]
    ]


def _delete_policy(work: Work) -> None:
    for queue in work.properties["Queues"]:
        work.call("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": ""})


QUEUE_POLICY = Kind(
    create=lambda work: work.new_name(),
    follow=_policies,
    update=_policies,
    read=lambda work: {"Id": work.physical_id},
    delete=_delete_policy,
)


# AWS::Events::Rule


def _rule(work: Work, name: str) -> dict[str, Any]:
    params = work.given("Description", "EventBusName", "RoleArn", "ScheduleExpression", "State")
    if "EventPattern" in work.properties:
        params["EventPattern"] = json.dumps(work.properties["EventPattern"])
    return {"Name": name, **params}


def _create_rule(work: Work) -> str:
    name = str(work.properties.get("Name") or work.new_name(64))
    tags = {"Tags": tag_list(work.tags)} if work.tags else {}
    work.call("events", "PutRule", **_rule(work, name), **tags)
    return name


def _step(operation: str, **params: Any) -> Step:
    return Step(service="events", operation=operation, params=params)


def _bus(work: Work) -> dict[str, Any]:
    return work.given("EventBusName")


def _targets(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    targets = work.properties.get("Targets", [])
    kept = {one["Id"] for one in targets}
    gone = [one["Id"] for one in (old or {}).get("Targets", []) if one["Id"] not in kept]
    steps = []
    if targets:
        steps.append(_step("PutTargets", Rule=work.physical_id, Targets=targets, **_bus(work)))
    if gone:
        steps.append(_step("RemoveTargets", Rule=work.physical_id, Ids=gone, **_bus(work)))
    return steps


def _update_rule(work: Work, old: Mapping[str, Any]) -> list[Step]:
    return [_step("PutRule", **_rule(work, work.physical_id)), *_targets(work, old)]


def _read_rule(work: Work) -> dict[str, Any]:
    answer = work.call("events", "DescribeRule", Name=work.physical_id, **_bus(work))
    return {"Arn": answer["Arn"], "RuleName": work.physical_id}


def _retag_rule(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    arn = {"ResourceARN": _read_rule(work)["Arn"]}
    steps = [_step("TagResource", **arn, Tags=tag_list(added))] if added else []
    return [*steps, *([_step("UntagResource", **arn, TagKeys=list(removed))] if removed else [])]


def _delete_rule(work: Work) -> None:
    name, bus = work.physical_id, _bus(work)
    found = work.call("events", "ListTargetsByRule", Rule=name, **bus)["Targets"]
    if found:
        work.call("events", "RemoveTargets", Rule=name, Ids=[one["Id"] for one in found], **bus)
    work.call("events", "DeleteRule", Name=name, **bus)


def _rule_gone(work: Work) -> bool:
    try:
        _read_rule(work)
    except AwsError:
        return True
    return False


RULE = Kind(
    create=_create_rule,
    follow=_targets,
    update=_update_rule,
    retag=_retag_rule,
    read=_read_rule,
    gone=_rule_gone,
    delete=_delete_rule,
)

KINDS: Mapping[str, Kind] = {
    "AWS::Events::Rule": RULE,
    "AWS::SQS::Queue": QUEUE,
    "AWS::SQS::QueuePolicy": QUEUE_POLICY,
}
