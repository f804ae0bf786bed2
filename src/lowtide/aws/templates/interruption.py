"""Spot interruptions: a queue of AWS's warnings, for the node termination handler to read.

Why it exists: AWS takes a spot node back two minutes after it says so. EventBridge puts that warning, and the earlier advice
to rebalance, into a queue; the handler drains the node in time. No termination lifecycle hook is used: nodes that never
joined would wait out a whole hour (DESIGN.md, fact 18).

The rules match every instance of the account and region, since these events carry no tags: the handler's own check of the
instance's tags leaves other people's instances alone.
"""

from __future__ import annotations

from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.identity import identities, other_stack
from lowtide.aws.templates.policies import TERMINATION_HANDLER_POLICY, queue_name
from lowtide.model.blueprint import Blueprint, Identity
from lowtide.model.cluster import ResolvedCluster

_QUEUE = "Queue"
#: A warning is worth nothing when its node is gone.
_RETENTION_S = 300
_EVENTS = {
    "SpotInterruption": "EC2 Spot Instance Interruption Warning",
    "RebalanceRecommendation": "EC2 Instance Rebalance Recommendation",
}


def is_handler(identity: Identity) -> bool:
    """Whether an identity is the termination handler's, whose role belongs beside its queue."""
    return TERMINATION_HANDLER_POLICY in identity.permissions.well_known


def interruption(cluster: ResolvedCluster, blueprint: Blueprint) -> dict[str, Resource]:
    """Return queue, rules and the handler's role."""
    tags = cfn.tags(cfn.cluster_tags(cluster.name, blueprint.control_plane.tags))
    return cfn.joined(
        {
            _QUEUE: {
                "Type": "AWS::SQS::Queue",
                "DeletionPolicy": "Delete",
                "UpdateReplacePolicy": "Delete",
                "Properties": {
                    "MessageRetentionPeriod": _RETENTION_S,
                    "QueueName": queue_name(cluster.name),
                    "SqsManagedSseEnabled": True,
                    "Tags": tags,
                },
            },
            "QueuePolicy": _queue_policy(),
        },
        {name: _rule(event, tags) for name, event in _EVENTS.items()},
        identities(
            cluster, blueprint, filter(is_handler, blueprint.identities), other_stack(cluster)
        ),
    )


def interruption_outputs() -> dict[str, Any]:
    """Return what the handler's manifest needs: the address of the queue."""
    return {"QueueUrl": cfn.output(cfn.ref(_QUEUE), "QUEUE_URL of the node termination handler")}


def _rule(event: str, tags: list[Resource]) -> Resource:
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Description": f"{event}, for the node termination handler",
            "EventPattern": {"source": ["aws.ec2"], "detail-type": [event]},
            "Tags": tags,
            "Targets": [{"Arn": cfn.get_att(_QUEUE, "Arn"), "Id": _QUEUE}],
        },
    }


def _queue_policy() -> Resource:
    """Only our rules may send, and nobody without TLS (SQS developer guide, "Security best practices")."""
    queue = cfn.get_att(_QUEUE, "Arn")
    rules = [cfn.get_att(name, "Arn") for name in _EVENTS]
    statements: list[Resource] = [
        {
            "Sid": "RulesSend",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": rules}},
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": queue,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "PolicyDocument": {"Version": cfn.POLICY_VERSION, "Statement": statements},
            "Queues": [cfn.ref(_QUEUE)],
        },
    }
