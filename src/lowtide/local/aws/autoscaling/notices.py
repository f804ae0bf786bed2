"""The two minutes' notice of a spot interruption.

Why it exists: nodes are drained in these two minutes, by whoever hears of them. Events are those of the EC2 user guide,
"Spot Instance interruption notices" and "EC2 instance rebalance recommendations"; the termination handler reads them
from a queue.
"""

from __future__ import annotations

from lowtide.local.aws.autoscaling import bus
from lowtide.local.aws.autoscaling.state import NAME, Group, Member
from lowtide.local.aws.box import Box
from lowtide.local.aws.events import InterruptionNotice


def warn(box: Box, group: Group, member: Member, after_s: float) -> None:
    """Tell everybody that an instance will be taken."""
    member.warned = True
    arn = f"arn:aws:ec2:{member.zone}:instance/{member.id}"
    detail = {"instance-id": member.id}
    bus.emit(
        box,
        group.region,
        "aws.ec2",
        "EC2 Instance Rebalance Recommendation",
        detail=detail,
        resource=arn,
    )
    bus.emit(
        box,
        group.region,
        "aws.ec2",
        "EC2 Spot Instance Interruption Warning",
        detail={**detail, "instance-action": "terminate"},
        resource=arn,
    )
    box.publish(
        InterruptionNotice(
            region=group.region, group=group.name, instance_id=member.id, after_s=after_s
        )
    )
    box.after(
        after_s, NAME, "reclaim", region=group.region, group=group.name, instance_id=member.id
    )
