"""An EKS cluster over boto3 with the network and the role that it needs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.local.life.home import Home

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "eks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def wait_for(condition: Callable[[], bool], within_s: float = 180.0) -> None:
    """Wait until the condition holds, or fail."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.2)


def create_cluster(home: Home, name: str, **params: str) -> None:
    """Create a cluster, of EKS's default version unless ``version`` is given; it becomes ACTIVE later."""
    ec2 = home.aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}"
        )["Subnet"]["SubnetId"]
        for number, zone in enumerate("ab")
    ]
    role = home.aws("iam").create_role(
        RoleName=f"{name}-cluster", AssumeRolePolicyDocument=json.dumps(_TRUST)
    )["Role"]["Arn"]
    home.aws("eks").create_cluster(
        name=name, roleArn=role, resourcesVpcConfig={"subnetIds": subnets}, **params
    )
