"""From the decision that an instance goes to its end, with lifecycle hooks between.

Why it exists: termination takes time, may be held back, and ends in the group, in EC2 and in the cluster.
"""

from __future__ import annotations

from lowtide.cloud.groups import InstanceGone
from lowtide.local.aws import events
from lowtide.local.aws.autoscaling import activities, bus, waiting
from lowtide.local.aws.autoscaling.state import (
    ENDING,
    NAME,
    TERMINATING,
    Group,
    Member,
    forget,
)
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.instances import shut_down
from lowtide.local.aws.errors import AwsError

_ENDED = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")


def begin(box: Box, group: Group, member: Member, cause: str) -> None:
    """Take an instance out of service; hooks may hold it back, except in a group that is being deleted."""
    if member.is_leaving:
        return
    was_in_service = member.launch_id is None
    member.launch_id = None
    member.phase, member.stage = TERMINATING, ""
    member.waits.clear()
    member.user_data, member.tags = "", {}
    member.activity = activities.terminating(box, group, member, cause)
    if group.deleting or not was_in_service or not waiting.begin(box, group, member, ENDING):
        end(box, group, member)


def end(box: Box, group: Group, member: Member) -> None:
    """Terminate the instance in EC2: nothing holds it back any more."""
    member.stage = ""
    try:
        box.call("ec2", "TerminateInstances", {"InstanceIds": [member.id]}, region=group.region)
    except AwsError as error:
        if error.code == "OperationNotPermitted":
            # Termination protection of EC2 does not protect from Auto Scaling (user guide, "Instance termination").
            shut_down(box, member.id, reason=_ENDED)
        elif not error.code.startswith("InvalidInstanceID"):
            _later(box, group, member, box.settings.delays.launch_retry_s, "end")
            return
    _later(box, group, member, box.settings.delays.terminate_s, "terminated")


def lost(box: Box, group: Group, gone: InstanceGone, cause: str) -> None:
    """Tell that an instance is gone already: spot took it, or somebody ended it in EC2."""
    member = group.members[gone.instance.id]
    member.activity = activities.terminating(box, group, member, cause)
    finish(box, group, member, interrupted=gone.interrupted)


def finish(box: Box, group: Group, member: Member, *, interrupted: bool = False) -> None:
    """Let an instance leave its group for good."""
    activities.succeed(box, member.activity)
    del group.members[member.id]
    box.publish(
        events.InstanceGone(
            region=group.region, group=group.name, instance_id=member.id, interrupted=interrupted
        )
    )
    bus.tell_outcome(
        box, group, "EC2 Instance Terminate Successful", member.activity, instance_id=member.id
    )
    if group.deleting and not group.members:
        forget(box, group)


def _later(box: Box, group: Group, member: Member, seconds: float, timer: str) -> None:
    box.after(seconds, NAME, timer, region=group.region, group=group.name, instance_id=member.id)
