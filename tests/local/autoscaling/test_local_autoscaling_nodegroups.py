"""Managed node groups of EKS over Auto Scaling groups of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lowtide.local.aws import autoscaling, credentials, ec2, eks, faults, iam, ssm, sts
from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.planes_port import OBJECTS_PORT, PLANES_PORT
from lowtide.local.aws.events import InstanceInService
from lowtide.local.aws.moto_behind import MotoBehind
from lowtide.local.aws.settings import Settings
from tests.local.eks.eks_box import (
    EC2_TRUST,
    EKS_TRUST,
    Aws,
    Objects,
    Planes,
    role,
    subnets,
)


@pytest.fixture
def aws(tmp_path: Path) -> Aws:
    """Return a box with EKS, EC2 and Auto Scaling of ours, and a cluster in it."""
    settings = Settings(folder=tmp_path)
    parts = (credentials, faults, eks, iam, sts, ssm, ec2, autoscaling)
    box = Box(settings, [one.SERVICE for one in parts], behind=MotoBehind(settings.account))
    planes, objects = Planes(), Objects()
    box.ports[PLANES_PORT] = planes
    box.ports[OBJECTS_PORT] = objects
    whole = Aws(box=box, planes=planes, objects=objects, caller=credentials.admin(box).caller)
    whole.subnets = subnets(whole, "us-east-1a", "us-east-1b")
    whole.role = role(whole, "cluster", EKS_TRUST)
    whole.node_role = role(whole, "node", EC2_TRUST)
    whole.active()
    return whole


def create(aws: Aws, **params: Any) -> None:
    whole = {
        "clusterName": "tide",
        "nodegroupName": "gpu",
        "subnets": aws.subnets,
        "nodeRole": aws.node_role,
        "amiType": "AL2023_x86_64_NVIDIA",
        "instanceTypes": ["g4dn.xlarge"],
        "scalingConfig": {"minSize": 0, "maxSize": 4, "desiredSize": 2},
        **params,
    }
    aws("CreateNodegroup", **whole)


def nodegroup(aws: Aws) -> dict[str, Any]:
    answer = aws("DescribeNodegroup", clusterName="tide", nodegroupName="gpu")
    return dict(answer["nodegroup"])


def group(aws: Aws) -> dict[str, Any]:
    found = aws("DescribeAutoScalingGroups", service="autoscaling")["AutoScalingGroups"]
    assert len(found) == 1
    return dict(found[0])


def test_a_node_group_is_active_when_its_instances_are_in_service(aws: Aws) -> None:
    events: list[Any] = []
    aws.box.subscribe(events.append)
    create(aws, labels={"pool": "gpu"})
    assert nodegroup(aws)["status"] == "CREATING"
    aws.wait(120)

    assert nodegroup(aws)["status"] == "ACTIVE"
    assert [one["LifecycleState"] for one in group(aws)["Instances"]] == ["InService"] * 2
    joined = [one for one in events if isinstance(one, InstanceInService)]
    assert len(joined) == 2
    assert "--node-labels=pool=gpu" in joined[0].user_data
    assert joined[0].tags["eks:nodegroup-name"] == "gpu"


def test_spot_node_groups_buy_spot_and_are_rebalanced(aws: Aws) -> None:
    create(aws, capacityType="SPOT")
    aws.wait(120)

    first = group(aws)["Instances"][0]["InstanceId"]
    answer = aws("DescribeInstances", service="ec2", InstanceIds=[first])

    assert answer["Reservations"][0]["Instances"][0]["InstanceLifecycle"] == "spot"
    assert group(aws)["CapacityRebalance"] is True


def test_a_new_size_of_the_node_group_is_its_groups_size(aws: Aws) -> None:
    create(aws)
    aws.wait(120)

    aws(
        "UpdateNodegroupConfig",
        clusterName="tide",
        nodegroupName="gpu",
        scalingConfig={"minSize": 1, "maxSize": 5, "desiredSize": 1},
    )
    aws.wait(120)

    found = group(aws)
    assert (found["MinSize"], found["MaxSize"], found["DesiredCapacity"]) == (1, 5, 1)
    assert len(found["Instances"]) == 1


@pytest.mark.slow
def test_a_node_group_without_capacity_says_why_in_auto_scalings_words(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "capacity", "instance_type": "g4dn.xlarge"})
    create(aws)
    for _ in range(60):
        aws.wait(60)

    found = nodegroup(aws)

    assert found["status"] == "CREATE_FAILED"
    assert "Launching EC2 instance failed" in str(found["health"]["issues"])


def test_deleting_a_node_group_takes_its_group_and_instances_along(aws: Aws) -> None:
    create(aws)
    aws.wait(120)

    aws("DeleteNodegroup", clusterName="tide", nodegroupName="gpu")
    for _ in range(6):
        aws.wait(60)

    assert aws("ListNodegroups", clusterName="tide")["nodegroups"] == []
    found = aws("DescribeAutoScalingGroups", service="autoscaling")
    assert found["AutoScalingGroups"] == []
