"""Launch templates and Auto Scaling groups.

Source of Ref and attributes: CloudFormation template reference, AWS::EC2::LaunchTemplate and
AWS::AutoScaling::AutoScalingGroup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.ec2_calls import retag
from lowtide.local.aws.cloudformation.resources.kind import (
    NOT_STABILIZED,
    Kind,
    Step,
    Work,
    changed,
    tag_list,
)
from lowtide.local.aws.cloudformation.template.intrinsics import as_text
from lowtide.local.aws.errors import AwsError

# AWS::EC2::LaunchTemplate


def _create_template(work: Work) -> str:
    tags = {
        tag["Key"]: tag["Value"]
        for one in work.properties.get("TagSpecifications", [])
        for tag in one.get("Tags", [])
    }
    specification = {"ResourceType": "launch-template", "Tags": tag_list({**tags, **work.tags})}
    answer = work.call(
        "ec2",
        "CreateLaunchTemplate",
        LaunchTemplateName=work.properties.get("LaunchTemplateName") or work.new_name(),
        LaunchTemplateData=work.properties["LaunchTemplateData"],
        TagSpecifications=[specification],
        **work.given("VersionDescription"),
    )
    return str(answer["LaunchTemplate"]["LaunchTemplateId"])


def _update_template(work: Work, old: Mapping[str, Any]) -> list[Step]:
    """A change of the data is a new version; the default version stays what it was, as with AWS's own."""
    data = changed(work, old, ["LaunchTemplateData"])
    params = {"LaunchTemplateId": work.physical_id, **data, **work.given("VersionDescription")}
    return (
        [Step(service="ec2", operation="CreateLaunchTemplateVersion", params=params)]
        if data
        else []
    )


def _read_template(work: Work) -> dict[str, Any]:
    found = work.call("ec2", "DescribeLaunchTemplates", LaunchTemplateIds=[work.physical_id])
    one = found["LaunchTemplates"][0]
    return {
        "LaunchTemplateId": work.physical_id,
        "DefaultVersionNumber": str(one["DefaultVersionNumber"]),
        "LatestVersionNumber": str(one["LatestVersionNumber"]),
    }


def _delete_template(work: Work) -> None:
    work.call("ec2", "DeleteLaunchTemplate", LaunchTemplateId=work.physical_id)


LAUNCH_TEMPLATE = Kind(
    create=_create_template,
    update=_update_template,
    retag=retag,
    read=_read_template,
    delete=_delete_template,
)


# AWS::AutoScaling::AutoScalingGroup

_SAME = (
    *("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName", "InstanceId"),
    *("MinSize", "MaxSize", "DesiredCapacity", "DesiredCapacityType", "AvailabilityZones"),
    *("CapacityRebalance", "HealthCheckType", "HealthCheckGracePeriod", "PlacementGroup"),
    *("NewInstancesProtectedFromScaleIn", "ServiceLinkedRoleARN", "MaxInstanceLifetime"),
    *("TerminationPolicies", "DefaultInstanceWarmup", "InstanceMaintenancePolicy", "Context"),
    *("AvailabilityZoneDistribution", "CapacityReservationSpecification"),
)
_NUMBERS = ("MinSize", "MaxSize", "DesiredCapacity")
_ONLY_AT_CREATION = ("InstanceId",)


def _group_params(work: Work) -> dict[str, Any]:
    params = work.given(*_SAME)
    params |= {name: int(params[name]) for name in _NUMBERS if name in params}
    if "VPCZoneIdentifier" in work.properties:
        params["VPCZoneIdentifier"] = ",".join(work.properties["VPCZoneIdentifier"])
    if "Cooldown" in work.properties:
        params["DefaultCooldown"] = int(work.properties["Cooldown"])
    return params


def _create_group(work: Work) -> str:
    name = str(work.properties.get("AutoScalingGroupName") or work.new_name())
    further = work.given("TargetGroupARNs", "LoadBalancerNames", "LifecycleHookSpecificationList")
    work.call(
        "autoscaling",
        "CreateAutoScalingGroup",
        AutoScalingGroupName=name,
        Tags=_group_tags(work, name, work.tags),
        **_group_params(work),
        **further,
    )
    return name


def _group_tags(work: Work, name: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Write tags with what the template says of their propagation; the stack's own are propagated."""
    declared = {one["Key"]: one for one in work.properties.get("Tags", [])}
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": bool(declared.get(key, {}).get("PropagateAtLaunch", True)),
        }
        for key, value in tags.items()
    ]


def _update_group(work: Work, old: Mapping[str, Any]) -> list[Step]:
    params = {
        name: value for name, value in _group_params(work).items() if name not in _ONLY_AT_CREATION
    }
    if _keeps_sizes(work.update_policy):
        # The autoscaler's numbers stay: an update sets only those that the template changed.
        unchanged = [one for one in _NUMBERS if work.properties.get(one) == old.get(one)]
        params = {name: value for name, value in params.items() if name not in unchanged}
    steps = [_step("UpdateAutoScalingGroup", AutoScalingGroupName=work.physical_id, **params)]
    declared, had = work.properties.get("Tags", []), old.get("Tags", [])
    propagation = {one["Key"]: one["Value"] for one in declared if one not in had}
    if propagation:
        steps += _retag_group(work, propagation, ())
    return steps


def _keeps_sizes(policy: Mapping[str, Any]) -> bool:
    """Whether an update leaves sizes alone that the template does not change (template reference, UpdatePolicy)."""
    scheduled = policy.get("AutoScalingScheduledAction") or {}
    return as_text(scheduled.get("IgnoreUnmodifiedGroupSizeProperties")).lower() == "true"


def _retag_group(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    steps = []
    if added:
        tags = _group_tags(work, work.physical_id, added)
        steps.append(_step("CreateOrUpdateTags", Tags=tags))
    if removed:
        group = {"ResourceId": work.physical_id, "ResourceType": "auto-scaling-group"}
        steps.append(_step("DeleteTags", Tags=[{**group, "Key": key} for key in removed]))
    return steps


def _step(operation: str, **params: Any) -> Step:
    return Step(service="autoscaling", operation=operation, params=params)


def _described(work: Work) -> Mapping[str, Any] | None:
    answer = work.call(
        "autoscaling", "DescribeAutoScalingGroups", AutoScalingGroupNames=[work.physical_id]
    )
    return answer["AutoScalingGroups"][0] if answer["AutoScalingGroups"] else None


def _group_done(work: Work) -> bool:
    """A new group is waited for until it has the instances that it wants; a changed one is not."""
    if not work.is_new:
        return True
    group = _described(work)
    if group is None:
        raise AwsError("NotFound", f"AutoScalingGroup {work.physical_id} not found")
    instances = group.get("Instances", [])
    size = sum(1 for one in instances if one["LifecycleState"] == "InService")
    if size >= group["DesiredCapacity"]:
        return True
    activities = work.call(
        "autoscaling", "DescribeScalingActivities", AutoScalingGroupName=work.physical_id
    )["Activities"]
    if activities and activities[0]["StatusCode"] == "Failed":
        sizes = f"{{{size}/{group['MinSize']}/{group['DesiredCapacity']}}}"
        raise AwsError(
            NOT_STABILIZED,
            f"Group did not stabilize. {{current/minSize/desiredCapacity}} group size = {sizes}. "
            f"Failed Scaling Activity: {activities[0].get('StatusMessage', '')}",
        )
    return False


def _read_group(work: Work) -> dict[str, Any]:
    group = _described(work) or {}
    return {
        "AutoScalingGroupName": work.physical_id,
        "AutoScalingGroupARN": group.get("AutoScalingGroupARN", ""),
    }


def _delete_group(work: Work) -> None:
    if _described(work) is None:
        raise AwsError("NotFound", f"AutoScalingGroup {work.physical_id} not found")
    work.call(
        "autoscaling",
        "DeleteAutoScalingGroup",
        AutoScalingGroupName=work.physical_id,
        ForceDelete=True,
    )


AUTO_SCALING_GROUP = Kind(
    create=_create_group,
    update=_update_group,
    retag=_retag_group,
    done=_group_done,
    gone=lambda work: _described(work) is None,
    read=_read_group,
    delete=_delete_group,
)

KINDS: Mapping[str, Kind] = {
    "AWS::AutoScaling::AutoScalingGroup": AUTO_SCALING_GROUP,
    "AWS::EC2::LaunchTemplate": LAUNCH_TEMPLATE,
}
