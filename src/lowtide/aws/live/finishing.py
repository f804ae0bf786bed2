"""What a node group needs beyond its stack, and which instances its Auto Scaling group has.

Why it exists: CloudFormation has no property for suspended processes, and EKS makes the Auto Scaling group of a managed node group
without the autoscaler's option tags. It is looked at first and done only where it differs, so that it can be done at every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.aws.live.session import ask
from lowtide.aws.templates.cfn import GroupFinish

_KIND = "auto-scaling-group"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveGroup:
    """An Auto Scaling group: its bounds, how many instances it wants, and which are in service."""

    name: str
    bounds: tuple[int, int]
    desired: int
    instances: tuple[str, ...]


def finish(account: Account, cluster: str, wanted: GroupFinish) -> None:
    """Suspend the processes and set the tags that a group shall have, where it has not.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    name = wanted.group or managed_name(account, cluster, wanted.nodegroup)
    raw = _raw(account, name)
    if raw is None:
        return
    api = account.client("autoscaling")
    suspended = {one["ProcessName"] for one in raw.get("SuspendedProcesses", ())}
    missing = [one for one in wanted.processes if one not in suspended]
    if missing:
        ask(api.suspend_processes, AutoScalingGroupName=name, ScalingProcesses=missing)
    has = {one["Key"]: one.get("Value", "") for one in raw.get("Tags", ())}
    tags = [
        {
            "ResourceId": name,
            "ResourceType": _KIND,
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": False,
        }
        for key, value in wanted.tags.items()
        if has.get(key) != value
    ]
    if tags:
        ask(api.create_or_update_tags, Tags=tags)


def managed_name(account: Account, cluster: str, nodegroup: str) -> str:
    """Return the name of the Auto Scaling group that EKS made for a managed node group.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    answer = ask(
        account.client("eks").describe_nodegroup, clusterName=cluster, nodegroupName=nodegroup
    )
    groups = answer["nodegroup"].get("resources", {}).get("autoScalingGroups", ())
    return next((str(one["name"]) for one in groups), "")


def live_group(account: Account, name: str) -> LiveGroup | None:
    """Return an Auto Scaling group, None where there is none.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    raw = _raw(account, name)
    if raw is None:
        return None
    in_service = (
        one["InstanceId"]
        for one in raw.get("Instances", ())
        if one["LifecycleState"] == "InService"
    )
    return LiveGroup(
        name=name,
        bounds=(raw["MinSize"], raw["MaxSize"]),
        desired=raw["DesiredCapacity"],
        instances=tuple(in_service),
    )


def failed_launch(account: Account, name: str) -> str:
    """Return why the group's last launch failed, in AWS's words, empty where it did not.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    answer = ask(
        account.client("autoscaling").describe_scaling_activities,
        AutoScalingGroupName=name,
        MaxRecords=1,
    )
    last = next(iter(answer["Activities"]), None)
    if last is None or last["StatusCode"] != "Failed":
        return ""
    return str(last.get("StatusMessage") or last.get("Description", ""))


def _raw(account: Account, name: str) -> Any:
    if not name:
        return None
    api = account.client("autoscaling")
    answer = ask(api.describe_auto_scaling_groups, AutoScalingGroupNames=[name])
    return next(iter(answer["AutoScalingGroups"]), None)
