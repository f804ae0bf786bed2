"""Auto Scaling groups as AWS shows them, in the autoscaler's own calls.

Why it exists: the engine's autoscaler sees a live account through the same requests that the upstream AWS provider makes
(cloudprovider/aws at 1.36.1), so it sees no more and no less.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lowtide import catalog
from lowtide.aws.live.session import ask
from lowtide.model import names
from lowtide.model.asg import (
    AutoScalingGroup,
    Instance,
    InstanceShape,
    Lifecycle,
    ScalingActivity,
)
from lowtide.model.errors import AwsError

_EKS_CLUSTER = "eks:cluster-name"
_EKS_NODEGROUP = "eks:nodegroup-name"
_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "NO_EXECUTE": "NoExecute",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
}
#: DescribeAutoScalingGroups answers at most this many groups a page.
_PAGE = 100


class LiveGroups:
    """The groups that carry all of some tags, read anew by every ``read``."""

    def __init__(self, autoscaling: Any, ec2: Any, eks: Any) -> None:
        self._autoscaling = autoscaling
        self._ec2 = ec2
        self._eks = eks
        self._types: dict[tuple[str, str], str] = {}

    def read(self, wanted: Sequence[tuple[str, str]]) -> tuple[AutoScalingGroup, ...]:
        """Return the groups with those tags; an empty value matches any.

        Raises:
            AwsError: AWS refused or could not be reached.
        """
        filters = [
            {"Name": f"tag:{key}", "Values": [value]}
            if value
            else {"Name": "tag-key", "Values": [key]}
            for key, value in wanted
        ]
        found: list[AutoScalingGroup] = []
        for page in _pages(
            self._autoscaling.describe_auto_scaling_groups, Filters=filters, MaxRecords=_PAGE
        ):
            found.extend(self._group(one) for one in page["AutoScalingGroups"])
        return tuple(found)

    def set_desired(self, group: str, desired: int) -> None:
        """Set a group's desired capacity.

        Raises:
            AwsError: AWS refused, or could not be reached.
        """
        ask(
            self._autoscaling.set_desired_capacity,
            AutoScalingGroupName=group,
            DesiredCapacity=desired,
            HonorCooldown=False,
        )

    def terminate(self, instance_id: str) -> None:
        """Terminate an instance and lower its group's desired capacity.

        Raises:
            AwsError: AWS refused, or could not be reached.
        """
        ask(
            self._autoscaling.terminate_instance_in_auto_scaling_group,
            InstanceId=instance_id,
            ShouldDecrementDesiredCapacity=True,
        )

    def _group(self, raw: Mapping[str, Any]) -> AutoScalingGroup:
        name = raw["AutoScalingGroupName"]
        tags = {one["Key"]: one.get("Value", "") for one in raw.get("Tags", ())}
        instances = tuple(_instance(one) for one in raw.get("Instances", ()))
        missing = raw["DesiredCapacity"] > len(instances)
        return AutoScalingGroup(
            name=name,
            min_size=raw["MinSize"],
            max_size=raw["MaxSize"],
            desired=raw["DesiredCapacity"],
            zones=tuple(raw["AvailabilityZones"]),
            tags={**tags, **self._managed(tags)},
            shapes=self._shapes(raw),
            instances=instances,
            activities=self._activities(name) if missing else (),
        )

    def _activities(self, group: str) -> tuple[ScalingActivity, ...]:
        answer = ask(self._autoscaling.describe_scaling_activities, AutoScalingGroupName=group)
        return tuple(
            ScalingActivity(
                start_ms=round(one["StartTime"].timestamp() * 1000),
                failed=one["StatusCode"] == "Failed",
                description=one.get("Description", ""),
            )
            for one in answer["Activities"]
        )

    def _shapes(self, raw: Mapping[str, Any]) -> tuple[InstanceShape, ...]:
        """Return what the autoscaler makes a template of: the first override, else the launch template's type."""
        mixed = raw.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
        overrides = [
            one["InstanceType"] for one in mixed.get("Overrides", ()) if "InstanceType" in one
        ]
        template = mixed.get("LaunchTemplateSpecification") or raw.get("LaunchTemplate")
        types = overrides or ([self._type_of(template)] if template else [])
        known = (catalog.shape(one) for one in types)
        return tuple(one for one in known if one is not None)

    def _type_of(self, template: Mapping[str, Any]) -> str:
        key = (template["LaunchTemplateId"], str(template.get("Version", "$Default")))
        if key not in self._types:
            answer = ask(
                self._ec2.describe_launch_template_versions,
                LaunchTemplateId=key[0],
                Versions=[key[1]],
            )
            data = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
            self._types[key] = data.get("InstanceType", "")
        return self._types[key]

    def _managed(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return a managed node group's labels and taints as the tags that say the same.

        The provider asks EKS for them and goes on without when it may not (managed_nodegroup_cache.go).
        """
        cluster, group = tags.get(_EKS_CLUSTER), tags.get(_EKS_NODEGROUP)
        if not (cluster and group):
            return {}
        try:
            answer = ask(self._eks.describe_nodegroup, clusterName=cluster, nodegroupName=group)
        except AwsError:
            return {}
        found = answer["nodegroup"]
        labels = {
            f"{names.TAG_LABEL_PREFIX}{key}": value
            for key, value in found.get("labels", {}).items()
        }
        taints = {
            f"{names.TAG_TAINT_PREFIX}{one['key']}": f"{one.get('value', '')}:{_EFFECTS[one['effect']]}"
            for one in found.get("taints", ())
        }
        return {**labels, **taints}


def _instance(raw: Mapping[str, Any]) -> Instance:
    state = raw["LifecycleState"]
    lifecycle = Lifecycle.IN_SERVICE
    if state.startswith("Terminat"):
        lifecycle = Lifecycle.TERMINATING
    elif state.startswith("Pending"):
        lifecycle = Lifecycle.PENDING
    return Instance(
        id=raw["InstanceId"],
        zone=raw["AvailabilityZone"],
        instance_type=raw.get("InstanceType", ""),
        # Which of the two it is, only EC2 tells, and the autoscaler never asks.
        capacity_type=names.ON_DEMAND,
        launched_ms=0,
        lifecycle=lifecycle,
    )


def _pages(call: Any, **params: Any) -> Iterator[Mapping[str, Any]]:
    token: dict[str, str] = {}
    for _ in itertools.count():
        page = ask(call, **params, **token)
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}
