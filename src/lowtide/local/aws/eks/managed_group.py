"""What stands behind a managed node group: a launch template and an Auto Scaling group of EKS's own.

Sources: EKS user guide, "Managed node groups" (the tags by which the autoscaler finds the group, the allocation strategies) and
"Customize managed nodes with launch templates". EKS's lifecycle hooks are left out: they end by themselves and only cost time.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks.managed_image import CUSTOM, image_id
from lowtide.local.aws.eks.managed_user_data import user_data
from lowtide.local.aws.eks.refusals import invalid_parameter
from lowtide.local.aws.eks.state import Cluster
from lowtide.local.aws.errors import AwsError

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

SPOT = "SPOT"


def given_template(box: Box, region: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the version of the user's launch template that is asked for.

    Raises:
        AwsError: InvalidParameterException where there is none.
    """
    which = (
        {"LaunchTemplateId": asked["id"]}
        if "id" in asked
        else {"LaunchTemplateName": asked["name"]}
    )
    params = {**which, "Versions": [asked.get("version") or "$Default"]}
    try:
        answer = box.call("ec2", "DescribeLaunchTemplateVersions", params, region=region)
    except AwsError as error:
        if "NotFound" not in error.code:
            raise
        raise invalid_parameter(error.message) from error
    versions: Sequence[Mapping[str, Any]] = answer["LaunchTemplateVersions"]
    if not versions:
        raise invalid_parameter(f"Launch template {asked} has no such version")
    return versions[0]


def launch_data(
    box: Box, cluster: Cluster, nodegroup: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of EKS's launch template, from the content of the user's."""
    data = {key: value for key, value in given.items() if key != "InstanceType"}
    if nodegroup["amiType"] != CUSTOM:
        image = image_id(box, cluster.region, nodegroup["amiType"], nodegroup["version"])
        own = base64.b64decode(given.get("UserData", "")).decode()
        text = user_data(cluster, nodegroup, image, own)
        data |= {"ImageId": image, "UserData": base64.b64encode(text.encode()).decode()}
    if not _has_groups(given):
        vpc = cluster.described["resourcesVpcConfig"]
        data["SecurityGroupIds"] = [vpc["clusterSecurityGroupId"]]
    if "diskSize" in nodegroup:
        ebs = {"VolumeSize": nodegroup["diskSize"], "VolumeType": "gp3"}
        data["BlockDeviceMappings"] = [{"DeviceName": "/dev/xvda", "Ebs": ebs}]
    tags = [{"Key": key, "Value": value} for key, value in _tags(cluster, nodegroup).items()]
    specifications = [
        one for one in given.get("TagSpecifications", []) if one["ResourceType"] != "instance"
    ]
    users = [
        tag
        for one in given.get("TagSpecifications", [])
        if one["ResourceType"] == "instance"
        for tag in one["Tags"]
        if tag["Key"] not in _tags(cluster, nodegroup)
    ]
    data["TagSpecifications"] = [
        *specifications,
        {"ResourceType": "instance", "Tags": [*users, *tags]},
    ]
    return data


def create(
    box: Box, cluster: Cluster, nodegroup: Mapping[str, Any], given: Mapping[str, Any]
) -> str:
    """Make instance profile, launch template and Auto Scaling group, all under the name that is returned."""
    name = f"eks-{nodegroup['nodegroupName']}-{uuid.uuid4()}"
    _make_profile(box, name, nodegroup["nodeRole"])
    data = {**launch_data(box, cluster, nodegroup, given), "IamInstanceProfile": {"Name": name}}
    box.call(
        "ec2",
        "CreateLaunchTemplate",
        {"LaunchTemplateName": name, "LaunchTemplateData": data},
        region=cluster.region,
    )
    scaling = nodegroup["scalingConfig"]
    types = nodegroup.get("instanceTypes") or [given["InstanceType"]]
    params = {
        "AutoScalingGroupName": name,
        "MinSize": scaling["minSize"],
        "MaxSize": scaling["maxSize"],
        "DesiredCapacity": scaling["desiredSize"],
        "VPCZoneIdentifier": ",".join(nodegroup["subnets"]),
        "MixedInstancesPolicy": _policy(name, types, nodegroup["capacityType"]),
        "CapacityRebalance": nodegroup["capacityType"] == SPOT,
        "TerminationPolicies": ["AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"],
        "Tags": [
            {"Key": key, "Value": value, "PropagateAtLaunch": True}
            for key, value in _tags(cluster, nodegroup).items()
        ],
    }
    box.call("autoscaling", "CreateAutoScalingGroup", params, region=cluster.region)
    return name


def renew(
    box: Box, cluster: Cluster, nodegroup: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Make a new version of EKS's launch template, from which further instances start."""
    content = launch_data(box, cluster, nodegroup, given)
    for group in _groups(nodegroup):
        data = {**content, "IamInstanceProfile": {"Name": group}}
        params = {"LaunchTemplateName": group, "LaunchTemplateData": data}
        made = box.call("ec2", "CreateLaunchTemplateVersion", params, region=cluster.region)
        version = str(made["LaunchTemplateVersion"]["VersionNumber"])
        types = nodegroup.get("instanceTypes") or [given["InstanceType"]]
        policy = _policy(group, types, nodegroup["capacityType"], version=version)
        update = {"AutoScalingGroupName": group, "MixedInstancesPolicy": policy}
        box.call("autoscaling", "UpdateAutoScalingGroup", update, region=cluster.region)


def scale(box: Box, cluster: Cluster, nodegroup: Mapping[str, Any]) -> None:
    """Give the Auto Scaling group the sizes of the node group."""
    scaling = nodegroup["scalingConfig"]
    for group in _groups(nodegroup):
        params = {
            "AutoScalingGroupName": group,
            "MinSize": scaling["minSize"],
            "MaxSize": scaling["maxSize"],
            "DesiredCapacity": scaling["desiredSize"],
        }
        box.call("autoscaling", "UpdateAutoScalingGroup", params, region=cluster.region)


def delete(box: Box, cluster: Cluster, nodegroup: Mapping[str, Any]) -> None:
    """Delete group, instances and launch template; what is gone already is no error."""
    for group in _groups(nodegroup):
        parts = (
            ("autoscaling", "DeleteAutoScalingGroup", {"AutoScalingGroupName": group, "ForceDelete": True}),
            ("ec2", "DeleteLaunchTemplate", {"LaunchTemplateName": group}),
            ("iam", "RemoveRoleFromInstanceProfile", {"InstanceProfileName": group, "RoleName": _role_name(nodegroup["nodeRole"])}),
            ("iam", "DeleteInstanceProfile", {"InstanceProfileName": group}),
        )  # fmt: skip
        for service, operation, params in parts:
            try:
                box.call(service, operation, params, region=cluster.region)
            except AwsError as error:
                if (
                    "NotFound" not in error.code
                    and "NoSuch" not in error.code
                    and error.code != "ValidationError"
                ):
                    raise


def in_service(box: Box, cluster: Cluster, nodegroup: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many instances are in service, and how many are desired now."""
    params = {"AutoScalingGroupNames": _groups(nodegroup)}
    answer = box.call("autoscaling", "DescribeAutoScalingGroups", params, region=cluster.region)
    groups = answer["AutoScalingGroups"]
    running = sum(
        one["LifecycleState"] == "InService" for group in groups for one in group["Instances"]
    )
    return running, sum(group["DesiredCapacity"] for group in groups)


def last_failure(box: Box, cluster: Cluster, nodegroup: Mapping[str, Any]) -> str:
    """Return why the last launch failed, in Auto Scaling's words; empty where none did."""
    for group in _groups(nodegroup):
        params = {"AutoScalingGroupName": group}
        answer = box.call("autoscaling", "DescribeScalingActivities", params, region=cluster.region)
        for one in answer["Activities"]:
            if one["StatusCode"] == "Failed":
                message: str = one.get("StatusMessage", "")
                return message
    return ""


def _make_profile(box: Box, name: str, role_arn: str) -> None:
    """Make the instance profile by which the nodes have their role; EKS makes one for each group."""
    box.call("iam", "CreateInstanceProfile", {"InstanceProfileName": name})
    params = {"InstanceProfileName": name, "RoleName": _role_name(role_arn)}
    box.call("iam", "AddRoleToInstanceProfile", params)


def _role_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _groups(nodegroup: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in nodegroup["resources"].get("autoScalingGroups", [])]


def _has_groups(given: Mapping[str, Any]) -> bool:
    interfaces = given.get("NetworkInterfaces", [])
    return bool(given.get("SecurityGroupIds") or any(one.get("Groups") for one in interfaces))


def _policy(
    name: str, types: Sequence[str], capacity: str, version: str = "$Latest"
) -> dict[str, Any]:
    spot = capacity == SPOT
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": name, "Version": version},
            "Overrides": [{"InstanceType": one} for one in types],
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandBaseCapacity": 0,
            "OnDemandPercentageAboveBaseCapacity": 0 if spot else 100,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }


def _tags(cluster: Cluster, nodegroup: Mapping[str, Any]) -> dict[str, str]:
    return {
        "eks:cluster-name": cluster.name,
        "eks:nodegroup-name": nodegroup["nodegroupName"],
        "k8s.io/cluster-autoscaler/enabled": "true",
        f"k8s.io/cluster-autoscaler/{cluster.name}": "owned",
        f"kubernetes.io/cluster/{cluster.name}": "owned",
    }
