"""The security group that EKS makes for control plane and managed nodes (EKS user guide, "View security group requirements").

Why it exists: templates refer to it by GetAtt and add rules to it, so it must be a group that EC2 knows.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from lowtide.local.aws.eks.state import Cluster
from lowtide.local.aws.errors import AwsError

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_log = logging.getLogger(__name__)


def create_group(box: Box, cluster: Cluster, vpc_id: str) -> str:
    """Make the group, let its members reach each other, and return its id."""
    name = f"eks-cluster-sg-{cluster.name}-{secrets.randbelow(10**9)}"
    tags = {
        "Name": name,
        f"kubernetes.io/cluster/{cluster.name}": "owned",
        "aws:eks:cluster-name": cluster.name,
    }
    params = {
        "GroupName": name,
        "Description": f"Made by EKS for control plane and managed nodes of {cluster.name}",
        "VpcId": vpc_id,
        "TagSpecifications": [
            {
                "ResourceType": "security-group",
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }
        ],
    }
    answer = box.call("ec2", "CreateSecurityGroup", params, region=cluster.region)
    group_id: str = answer["GroupId"]
    itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}
    box.call(
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"GroupId": group_id, "IpPermissions": [itself]},
        region=cluster.region,
    )
    return group_id


def delete_group(box: Box, cluster: Cluster) -> None:
    """Delete the group; one that is still referred to stays, as on AWS."""
    group_id = cluster.described["resourcesVpcConfig"]["clusterSecurityGroupId"]
    try:
        box.call("ec2", "DeleteSecurityGroup", {"GroupId": group_id}, region=cluster.region)
    except AwsError as error:
        _log.warning("security group of %s stays: %s", cluster.name, error)
