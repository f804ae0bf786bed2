"""What CreateNodegroup and UpdateNodegroupConfig refuse, in EKS's words where they are known from the field.

Sources: EKS API reference; EKS user guide ("Customize managed nodes with launch templates", "Troubleshoot"); messages in the
issues of eksctl and of Terraform's AWS provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lowtide.catalog.versions import parse_minor
from lowtide.local.aws.eks.cluster_rules import role_trust
from lowtide.local.aws.eks.refusals import invalid_parameter, invalid_request
from lowtide.local.aws.eks.state import Cluster
from lowtide.local.aws.errors import AwsError

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_NAME = re.compile(r"[0-9A-Za-z][A-Za-z0-9\-_]{0,62}")
_RESERVED = ("kubernetes.io/", "k8s.io/", "eks.amazonaws.com/")
#: How far nodes may be behind the control plane (Kubernetes version skew policy).
_OLDEST = 3
_MOST_TAINTS = 50


def check_name(name: str) -> None:
    """Refuse a name that EKS does not take."""
    if not _NAME.fullmatch(name):
        raise invalid_parameter(
            f"NodegroupName '{name}' must match ^[0-9A-Za-z][A-Za-z0-9\\-_]* and have at most 63 characters."
        )


def check_sizes(scaling: Mapping[str, int]) -> None:
    """Refuse sizes that are not in order."""
    low, high, desired = scaling["minSize"], scaling["maxSize"], scaling["desiredSize"]
    if low > desired:
        raise invalid_parameter(
            f"Minimum capacity {low} can't be greater than desired size {desired}"
        )
    if desired > high:
        raise invalid_parameter(f"desired capacity {desired} can't be greater than max size {high}")


def check_labels(labels: Iterable[str]) -> None:
    """Refuse labels under prefixes that others own."""
    for key in labels:
        if key.startswith(_RESERVED):
            raise invalid_parameter(
                f"Label cannot contain reserved prefixes [{', '.join(_RESERVED)}]"
            )


def check_taints(taints: list[Mapping[str, str]]) -> None:
    """Refuse a taint that is there twice, and too many."""
    if len(taints) > _MOST_TAINTS:
        raise invalid_parameter(f"A node group can have at most {_MOST_TAINTS} taints")
    keys = [(one["key"], one["effect"]) for one in taints]
    if len(set(keys)) < len(keys):
        raise invalid_parameter("Taints must have unique pairs of key and effect")


def check_version(version: str, cluster: Cluster) -> None:
    """Refuse nodes that are newer than the control plane, or too old for it."""
    try:
        distance = parse_minor(cluster.minor)[1] - parse_minor(version)[1]
    except ValueError:
        distance = -1
    if not 0 <= distance <= _OLDEST:
        raise invalid_parameter(
            f"Requested kubernetes version {version} is not valid for a cluster of version {cluster.minor}"
        )


def check_role(box: Box, arn: str, region: str) -> None:
    """Refuse a role that does not exist or that EC2 may not assume."""
    trust = role_trust(box, arn, region)
    if trust is None:
        raise invalid_parameter(f"The role with name {arn.rpartition('/')[2]} cannot be found.")
    if "ec2.amazonaws.com" not in trust:
        raise invalid_parameter(
            f"Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole {arn}"
        )


def check_subnets(box: Box, ids: list[str], cluster: Cluster) -> None:
    """Refuse subnets that do not exist or belong to another VPC."""
    try:
        answer = box.call("ec2", "DescribeSubnets", {"SubnetIds": ids}, region=cluster.region)
    except AwsError as error:
        if "NotFound" not in error.code:
            raise
        raise invalid_parameter(error.message) from error
    vpc = cluster.described["resourcesVpcConfig"]["vpcId"]
    if any(one["VpcId"] != vpc for one in answer["Subnets"]):
        raise invalid_parameter(f"Subnets are not in the VPC of the cluster, {vpc}")


def check_template(params: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Refuse what may stand in one place only: the request or the launch template."""
    if "diskSize" in params:
        raise invalid_request("Disk size must be specified within the launch template.")
    if "remoteAccess" in params:
        raise invalid_request(
            "Remote access configuration cannot be specified with a launch template."
        )
    if params.get("instanceTypes") and "InstanceType" in data:
        raise invalid_request(
            "You cannot specify an instance type in both the launch template and the API request."
        )
    if "ImageId" in data and params.get("amiType", "CUSTOM") != "CUSTOM":
        raise invalid_request(
            "You cannot specify an AMI Type when specifying an image id within the launch template."
        )
    if "ImageId" in data and (params.get("version") or params.get("releaseVersion")):
        raise invalid_request(
            "You cannot specify a Kubernetes version or release version when specifying an image id within the launch template."
        )
    if "IamInstanceProfile" in data:
        raise invalid_request("Instance profile cannot be specified within the launch template.")
