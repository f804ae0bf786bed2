"""The node groups of a cluster as they are: sizes, instances, failed launches; and their bounds changed.

Why it exists: a group is found by the tag that EKS's nodes need (kubernetes.io/cluster/NAME), so that this works without the cluster's file
and shows also the groups that lowtide did not make.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.aws.live.paging import pages
from lowtide.aws.live.session import ask
from lowtide.model.names import CLUSTER_TAG, EKSCTL_NODEGROUP, TAG_LABEL_PREFIX
from lowtide.model.node_groups import SeenGroup, SeenInstance

_PAGE = 100
_EKS_GROUP = "eks:nodegroup-name"
#: Causes by which EC2, not the group, ended an instance ("Verify a scaling activity for an Auto Scaling group").
_LOST = re.compile(
    r"indicating it has been terminated|rebalance recommendation|interruption", re.IGNORECASE
)
_LOOKED_BACK = dt.timedelta(days=1)
#: DescribeInstances takes that many ids in a filter (EC2 API reference, "Filters").
_IDS_A_CALL = 200


def node_groups(account: Account, cluster: str) -> tuple[SeenGroup, ...]:
    """Return every node group of a cluster, by name.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    raw = list(_raw_groups(account, cluster))
    ids = [one["InstanceId"] for group in raw for one in group.get("Instances", ())]
    seen = _instances(account, ids)
    groups = [_group(account, cluster, one, seen) for one in raw]
    return tuple(sorted(groups, key=lambda one: one.name))


def set_bounds(
    account: Account, cluster: str, group: SeenGroup, smallest: int, largest: int
) -> None:
    """Set a group's least and most nodes; the number it has changes only where it would be out of bounds.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    name = group.name if group.managed else ""
    bounds = (smallest, largest)
    move_bounds(account, cluster, bounds, asg=group.asg, managed=name, desired=group.desired)


def move_bounds(
    account: Account,
    cluster: str,
    bounds: tuple[int, int],
    *,
    asg: str,
    managed: str,
    desired: int,
) -> None:
    """Do the same for a group by the names of its Auto Scaling group and, where it is one, of its managed node group.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    smallest, largest = bounds
    if not managed:
        # AWS moves the desired capacity to the nearer bound by itself (API reference, UpdateAutoScalingGroup).
        ask(
            account.client("autoscaling").update_auto_scaling_group,
            AutoScalingGroupName=asg,
            MinSize=smallest,
            MaxSize=largest,
        )
        return
    sizes = {"minSize": smallest, "maxSize": largest}
    inside = min(max(desired, smallest), largest)
    if inside != desired:  # EKS refuses bounds that the present size is out of
        sizes["desiredSize"] = inside
    ask(
        account.client("eks").update_nodegroup_config,
        clusterName=cluster,
        nodegroupName=managed,
        scalingConfig=sizes,
    )


def _raw_groups(account: Account, cluster: str) -> Iterator[Mapping[str, Any]]:
    api = account.client("autoscaling")
    tagged = {"Name": "tag-key", "Values": [f"kubernetes.io/cluster/{cluster}"]}
    for page in pages(api.describe_auto_scaling_groups, Filters=[tagged], MaxRecords=_PAGE):
        yield from page["AutoScalingGroups"]


def _instances(account: Account, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the instances by id; those that are gone already are missing."""
    found = {}
    ec2 = account.client("ec2")
    for start in range(0, len(ids), _IDS_A_CALL):
        some = {"Name": "instance-id", "Values": list(ids[start : start + _IDS_A_CALL])}
        for page in pages(ec2.describe_instances, Filters=[some]):
            for one in (one for each in page["Reservations"] for one in each["Instances"]):
                found[one["InstanceId"]] = one
    return found


def _group(
    account: Account, cluster: str, raw: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]
) -> SeenGroup:
    tags = {one["Key"]: one.get("Value", "") for one in raw.get("Tags", ())}
    mixed = raw.get("MixedInstancesPolicy", {})
    spread = mixed.get("InstancesDistribution", {})
    types, spot = _types(account, raw, mixed)
    trouble, lost = _history(account, raw["AutoScalingGroupName"])
    return SeenGroup(
        name=_name(raw["AutoScalingGroupName"], cluster, tags),
        asg=raw["AutoScalingGroupName"],
        managed=_EKS_GROUP in tags,
        owner=_owner(account, cluster, tags),
        min_size=raw["MinSize"],
        max_size=raw["MaxSize"],
        desired=raw["DesiredCapacity"],
        zones=tuple(raw["AvailabilityZones"]),
        types=types,
        on_demand_base=spread.get("OnDemandBaseCapacity", 0),
        on_demand_percent=spread.get("OnDemandPercentageAboveBaseCapacity", 0 if spot else 100),
        instances=tuple(_instance(one, seen) for one in raw.get("Instances", ())),
        trouble=trouble,
        lost=lost,
        tags=tags,
    )


def _owner(account: Account, cluster: str, tags: Mapping[str, str]) -> str:
    """Return the cluster whose lowtide made a group; EKS keeps a managed group's tags to itself (user guide, "Tagging")."""
    if _EKS_GROUP not in tags:
        return tags.get(CLUSTER_TAG, "")
    eks = account.client("eks")
    answer = ask(eks.describe_nodegroup, clusterName=cluster, nodegroupName=tags[_EKS_GROUP])
    return str(answer["nodegroup"].get("tags", {}).get(CLUSTER_TAG, ""))


def _name(asg: str, cluster: str, tags: Mapping[str, str]) -> str:
    """Return the node group's name: EKS's or eksctl's tag, the autoscaler's tag of its label, or what its stack is called after."""
    for key in (_EKS_GROUP, EKSCTL_NODEGROUP, f"{TAG_LABEL_PREFIX}{EKSCTL_NODEGROUP}"):
        if tags.get(key):
            return tags[key]
    return asg.removeprefix(f"lowtide-{cluster}-nodegroup-")


def _types(
    account: Account, raw: Mapping[str, Any], mixed: Mapping[str, Any]
) -> tuple[tuple[str, ...], bool]:
    """Return the types that a group launches, and whether its launch template asks for spot."""
    inner = mixed.get("LaunchTemplate", {})
    overrides = [
        one["InstanceType"] for one in inner.get("Overrides", ()) if one.get("InstanceType")
    ]
    if overrides:
        return tuple(overrides), False
    template = inner.get("LaunchTemplateSpecification") or raw.get("LaunchTemplate")
    if not template:
        return (), False
    answer = ask(
        account.client("ec2").describe_launch_template_versions,
        LaunchTemplateId=template["LaunchTemplateId"],
        Versions=[str(template.get("Version") or "$Default")],
    )
    data = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    spot = data.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
    return ((data["InstanceType"],) if data.get("InstanceType") else ()), spot


def _instance(raw: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> SeenInstance:
    known = seen.get(raw["InstanceId"], {})
    return SeenInstance(
        id=raw["InstanceId"],
        instance_type=raw.get("InstanceType") or known.get("InstanceType", ""),
        zone=raw["AvailabilityZone"],
        state=raw["LifecycleState"],
        spot=known.get("InstanceLifecycle") == "spot",
        launched_at=known.get("LaunchTime"),
    )


def _history(account: Account, asg: str) -> tuple[str, int]:
    """Return why the last launch failed, empty where it did not, and how many instances were lost in a day."""
    answer = ask(
        account.client("autoscaling").describe_scaling_activities,
        AutoScalingGroupName=asg,
        MaxRecords=_PAGE,
    )
    activities: Iterable[Mapping[str, Any]] = answer["Activities"]  # the newest comes first
    since = dt.datetime.now(tz=dt.UTC) - _LOOKED_BACK
    lost = sum(
        1
        for one in activities
        if one["StartTime"] >= since
        and one.get("Description", "").startswith("Terminating")
        and _LOST.search(one.get("Cause", ""))
    )
    launches = (one for one in activities if one.get("Description", "").startswith("Launching"))
    last = next(launches, None)
    if last is None or last["StatusCode"] != "Failed":
        return "", lost
    return str(last.get("StatusMessage") or last.get("Description", "")), lost
