"""Lifecycle hooks and what ends their actions.

Why it exists: PutLifecycleHook, CompleteLifecycleAction and their like, over the waits of ``waiting``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.autoscaling import steps, waiting
from lowtide.local.aws.autoscaling.requests import refuse
from lowtide.local.aws.autoscaling.state import (
    ENDING,
    LAUNCHING,
    Group,
    Member,
    Wait,
    group_of,
)
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

#: Quota of lifecycle hooks of a group (user guide, "Quotas for Auto Scaling resources and groups").
_MOST = 50
_RESULTS = ("CONTINUE", "ABANDON")
_SHORTEST_S, _LONGEST_S = 30, 7200
_FIELDS = ("NotificationTargetARN", "RoleARN", "NotificationMetadata")


def put(group: Group, given: Mapping[str, Any]) -> None:
    """Give a group a hook, or change one; what is not given stays.

    Raises:
        AwsError: the hook cannot be.
    """
    name = given["LifecycleHookName"]
    old = group.hooks.get(name, {})
    transition = given.get("LifecycleTransition") or old.get("LifecycleTransition")
    if transition not in (LAUNCHING, ENDING):
        raise refuse(
            f"Lifecycle Transition must be one of [{LAUNCHING}, {ENDING}] when a hook is created."
        )
    seconds = int(given.get("HeartbeatTimeout") or old.get("HeartbeatTimeout") or waiting.USUAL_S)
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise refuse(f"Heartbeat Timeout must be between {_SHORTEST_S} and {_LONGEST_S} seconds.")
    result = given.get("DefaultResult") or old.get("DefaultResult") or "ABANDON"
    if result not in _RESULTS:
        raise refuse(f"Default Result must be one of [{', '.join(_RESULTS)}].")
    if name not in group.hooks and len(group.hooks) >= _MOST:
        raise AwsError("LimitExceeded", f"An Auto Scaling group can have {_MOST} lifecycle hooks.")
    hook = {key: given.get(key, old.get(key)) for key in _FIELDS}
    group.hooks[name] = {
        "LifecycleHookName": name,
        "AutoScalingGroupName": group.name,
        "LifecycleTransition": transition,
        **{key: value for key, value in hook.items() if value},
        "HeartbeatTimeout": seconds,
        "GlobalTimeout": waiting.global_timeout_s({"HeartbeatTimeout": seconds}),
        "DefaultResult": result,
    }


def put_hook(box: Box, call: Call) -> Mapping[str, Any]:
    """PutLifecycleHook."""
    put(group_of(box, call.region, call.params["AutoScalingGroupName"]), call.params)
    return {}


def delete_hook(box: Box, call: Call) -> Mapping[str, Any]:
    """DeleteLifecycleHook; instances that wait for it are abandoned at launch and go on at their end."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    name = call.params["LifecycleHookName"]
    if name not in group.hooks:
        raise refuse(f"No Lifecycle Hook found with name {name}")
    for member in list(group.members.values()):
        wait = member.waits.get(name)
        if wait is not None:
            steps.end_wait(box, group, member, wait, result="ABANDON", why="Lifecycle Hook deleted")
    del group.hooks[name]
    return {}


def describe_hooks(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeLifecycleHooks."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    names = call.params.get("LifecycleHookNames") or sorted(group.hooks)
    return {"LifecycleHooks": [group.hooks[name] for name in names if name in group.hooks]}


def complete_action(box: Box, call: Call) -> Mapping[str, Any]:
    """CompleteLifecycleAction."""
    result = call.params["LifecycleActionResult"]
    if result not in _RESULTS:
        raise refuse(f"Lifecycle Action Result must be one of [{', '.join(_RESULTS)}].")
    group, member, wait = _action(box, call)
    why = f"Lifecycle Action Completed with {result} Result"
    steps.end_wait(box, group, member, wait, result=result, why=why)
    return {}


def beat(box: Box, call: Call) -> Mapping[str, Any]:
    """RecordLifecycleActionHeartbeat."""
    waiting.beat(box, *_action(box, call))
    return {}


def hook_types(_box: Box, _call: Call) -> Mapping[str, Any]:
    """DescribeLifecycleHookTypes."""
    return {"LifecycleHookTypes": [LAUNCHING, ENDING]}


def _action(box: Box, call: Call) -> tuple[Group, Member, Wait]:
    """Return the action that a call names by its token or by its instance."""
    params = call.params
    group = group_of(box, call.region, params["AutoScalingGroupName"])
    name = params["LifecycleHookName"]
    token, instance_id = params.get("LifecycleActionToken"), params.get("InstanceId")
    if not token and not instance_id:
        raise refuse("Either LifecycleActionToken or InstanceId must be specified.")
    for member in group.members.values():
        wait = member.waits.get(name)
        if wait and (wait.token == token if token else member.id == instance_id):
            return group, member, wait
    if token:
        raise refuse(f"No active Lifecycle Action found with token {token}")
    raise refuse(f"No active Lifecycle Action found with instance ID {instance_id}")
