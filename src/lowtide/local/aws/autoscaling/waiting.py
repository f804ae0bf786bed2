"""Lifecycle actions: an instance waits for a hook to end, or for its time to run out.

Why it exists: hooks are how AWS lets others work between launch and service, and between service and the end. Rules of
the user guide, "Amazon EC2 Auto Scaling lifecycle hooks": all hooks of a transition wait at once; one hour unless the
hook says otherwise; a heartbeat begins the hook's time anew, up to 48 hours or 100 times its time.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.autoscaling import bus
from lowtide.local.aws.autoscaling.state import LAUNCHING, NAME, Group, Member, Wait
from lowtide.local.aws.box import Box

USUAL_S = 3600
_LONGEST_S = 172_800
_EVENTS = {
    True: "EC2 Instance-launch Lifecycle Action",
    False: "EC2 Instance-terminate Lifecycle Action",
}


def global_timeout_s(hook: Mapping[str, Any]) -> int:
    """Return how long an instance may wait for a hook at the most."""
    return min(_LONGEST_S, 100 * int(hook["HeartbeatTimeout"]))


def begin(box: Box, group: Group, member: Member, transition: str) -> bool:
    """Let an instance wait for the hooks of a transition; False where there are none."""
    hooks = [one for one in group.hooks.values() if one["LifecycleTransition"] == transition]
    for hook in hooks:
        limit = dt.timedelta(seconds=global_timeout_s(hook) / box.settings.speed)
        wait = Wait(hook=hook["LifecycleHookName"], token=str(uuid.uuid4()), ends=box.now() + limit)
        member.waits[wait.hook] = wait
        member.stage = "Wait"
        schedule(box, group, member, wait)
        _tell(box, group, member, hook, wait)
    return bool(hooks)


def beat(box: Box, group: Group, member: Member, wait: Wait) -> None:
    """Begin the time of a wait anew."""
    wait.beats += 1
    schedule(box, group, member, wait)


def schedule(box: Box, group: Group, member: Member, wait: Wait) -> None:
    """Let the time of a wait run out, unless a heartbeat comes before."""
    left_s = (wait.ends - box.now()).total_seconds() * box.settings.speed
    seconds = min(float(group.hooks[wait.hook]["HeartbeatTimeout"]), max(0.0, left_s))
    box.after(
        seconds,
        NAME,
        "wait_over",
        region=group.region,
        group=group.name,
        instance_id=member.id,
        token=wait.token,
        beats=wait.beats,
    )


def _tell(box: Box, group: Group, member: Member, hook: Mapping[str, Any], wait: Wait) -> None:
    """Tell a queue that the hook names, and EventBridge."""
    launching = hook["LifecycleTransition"] == LAUNCHING
    detail = {
        "LifecycleActionToken": wait.token,
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": wait.hook,
        "EC2InstanceId": member.id,
        "LifecycleTransition": hook["LifecycleTransition"],
        "NotificationMetadata": hook.get("NotificationMetadata", ""),
        "Origin": "EC2" if launching else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if launching else "EC2",
    }
    bus.emit(
        box,
        group.region,
        "aws.autoscaling",
        _EVENTS[launching],
        detail=detail,
        resource=group.arn,
    )
    target = hook.get("NotificationTargetARN")
    if target:
        message = {
            **detail,
            "AccountId": box.settings.account,
            "RequestId": str(uuid.uuid4()),
            "Service": "AWS Auto Scaling",
            "Time": box.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        bus.send(box, group.region, target, message)
