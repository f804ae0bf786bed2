from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from lowtide.local.aws.errors import AwsError
from tests.local.eks.eks_box import EKS_TRUST, IMAGE, Aws, role

ONE_TAINT = [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}]


def _create(aws: Aws, **params: Any) -> dict[str, Any]:
    whole = {
        "clusterName": "tide",
        "nodegroupName": "gpu",
        "subnets": aws.subnets,
        "nodeRole": aws.node_role,
        **params,
    }
    found: dict[str, Any] = aws("CreateNodegroup", **whole)["nodegroup"]
    return found


def _nodegroup(aws: Aws) -> dict[str, Any]:
    found: dict[str, Any] = aws("DescribeNodegroup", clusterName="tide", nodegroupName="gpu")
    return dict(found["nodegroup"])


def _group(aws: Aws) -> dict[str, Any]:
    name = _nodegroup(aws)["resources"]["autoScalingGroups"][0]["name"]
    answer = aws("DescribeAutoScalingGroups", service="autoscaling", AutoScalingGroupNames=[name])
    return dict(answer["AutoScalingGroups"][0])


def _launch_data(aws: Aws) -> dict[str, Any]:
    name = _nodegroup(aws)["resources"]["autoScalingGroups"][0]["name"]
    answer = aws(
        "DescribeLaunchTemplateVersions",
        service="ec2",
        LaunchTemplateName=name,
        Versions=["$Latest"],
    )
    return dict(answer["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def _node_config(aws: Aws) -> dict[str, Any]:
    text = base64.b64decode(_launch_data(aws)["UserData"]).decode()
    part = text.rsplit("application/node.eks.aws\n\n", 1)[1].partition("\n--//")[0]
    return dict(yaml.safe_load(part)["spec"])


def _given(aws: Aws, **data: Any) -> dict[str, str]:
    answer = aws(
        "CreateLaunchTemplate",
        service="ec2",
        LaunchTemplateName="mine",
        LaunchTemplateData=data or {"EbsOptimized": True},
    )
    return {"id": answer["LaunchTemplate"]["LaunchTemplateId"]}


def test_a_group_is_active_when_the_delay_has_passed_and_its_instances_are_in_service(
    aws: Aws,
) -> None:
    aws.active()
    assert _create(aws)["status"] == "CREATING"
    assert _nodegroup(aws)["status"] == "CREATING"

    aws.wait(aws.box.settings.delays.nodegroup_s + 1)

    assert _nodegroup(aws)["status"] == "ACTIVE"


def test_the_auto_scaling_group_has_the_tags_by_which_the_autoscaler_finds_it(aws: Aws) -> None:
    aws.active()
    _create(aws, scalingConfig={"minSize": 0, "maxSize": 4, "desiredSize": 0})

    group = _group(aws)

    assert group["AutoScalingGroupName"].startswith("eks-gpu-")
    assert (group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) == (0, 4, 0)
    assert {one["Key"]: one["Value"] for one in group["Tags"]} == {
        "eks:cluster-name": "tide",
        "eks:nodegroup-name": "gpu",
        "k8s.io/cluster-autoscaler/enabled": "true",
        "k8s.io/cluster-autoscaler/tide": "owned",
        "kubernetes.io/cluster/tide": "owned",
    }


def test_nodes_start_with_the_labels_and_taints_of_the_group(aws: Aws) -> None:
    cluster = aws.active()
    _create(
        aws,
        labels={"pool": "gpu"},
        taints=ONE_TAINT,
        amiType="AL2023_x86_64_NVIDIA",
        instanceTypes=["g4dn.xlarge", "g5.xlarge"],
        capacityType="SPOT",
    )

    spec = _node_config(aws)
    labels, taints = spec["kubelet"]["flags"]

    assert spec["cluster"]["apiServerEndpoint"] == cluster["endpoint"]
    assert labels.startswith("--node-labels=pool=gpu,eks.amazonaws.com/nodegroup=gpu,")
    assert "eks.amazonaws.com/capacityType=SPOT" in labels
    assert taints == "--register-with-taints=nvidia.com/gpu=true:NoSchedule"
    assert _launch_data(aws)["ImageId"] == IMAGE
    policy = _group(aws)["MixedInstancesPolicy"]
    assert policy["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 0
    overrides = policy["LaunchTemplate"]["Overrides"]
    assert [one["InstanceType"] for one in overrides] == ["g4dn.xlarge", "g5.xlarge"]


def test_the_autoscaler_reads_what_it_needs_of_an_empty_group(aws: Aws) -> None:
    aws.active()
    _create(
        aws,
        labels={"pool": "gpu"},
        taints=ONE_TAINT,
        tags={"k8s.io/cluster-autoscaler/node-template/resources/memory": "14Gi"},
    )

    found = _nodegroup(aws)

    assert found["labels"] == {"pool": "gpu"}
    assert found["taints"] == ONE_TAINT
    assert found["tags"] == {"k8s.io/cluster-autoscaler/node-template/resources/memory": "14Gi"}
    assert (found["amiType"], found["capacityType"], found["diskSize"]) == (
        "AL2023_x86_64_STANDARD",
        "ON_DEMAND",
        20,
    )


def test_users_user_data_comes_first_and_eks_adds_its_part(aws: Aws) -> None:
    aws.active()
    own = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/x-shellscript\n\n#!/bin/bash\necho mine\n--x--\n'
    given = _given(aws, UserData=base64.b64encode(own.encode()).decode())

    _create(aws, launchTemplate=given)

    text = base64.b64decode(_launch_data(aws)["UserData"]).decode()
    assert text.index("echo mine") < text.index("kind: NodeConfig")


def test_bottlerocket_settings_of_the_user_and_of_eks_are_one_document(aws: Aws) -> None:
    aws.active()
    own = (
        '[settings.kubernetes]\nmax-pods = 17\n[settings.kubernetes.node-labels]\n"mine" = "yes"\n'
    )
    given = _given(aws, UserData=base64.b64encode(own.encode()).decode())

    _create(aws, launchTemplate=given, amiType="BOTTLEROCKET_x86_64_NVIDIA", taints=ONE_TAINT)

    import tomllib

    text = base64.b64decode(_launch_data(aws)["UserData"]).decode()
    settings = tomllib.loads(text)["settings"]["kubernetes"]
    assert settings["max-pods"] == 17
    assert settings["node-labels"]["mine"] == "yes"
    assert settings["node-labels"]["eks.amazonaws.com/nodegroup"] == "gpu"
    assert settings["node-taints"] == {"nvidia.com/gpu": ["true:NoSchedule"]}


def test_an_image_of_the_users_own_keeps_its_user_data_and_is_custom(aws: Aws) -> None:
    aws.active()
    data = base64.b64encode(b"#!/bin/sh\n").decode()
    given = _given(aws, ImageId="ami-0fedcba9876543210", UserData=data)

    assert _create(aws, launchTemplate=given)["amiType"] == "CUSTOM"

    assert _launch_data(aws)["ImageId"] == "ami-0fedcba9876543210"
    assert _launch_data(aws)["UserData"] == data


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"diskSize": 50}, "Disk size must be specified within the launch template"),
        ({"remoteAccess": {"ec2SshKey": "k"}}, "Remote access configuration cannot"),
        ({"instanceTypes": ["g5.xlarge"]}, "instance type in both"),
    ],
)
def test_what_stands_in_the_launch_template_is_refused_in_the_request(
    aws: Aws, params: dict[str, Any], words: str
) -> None:
    aws.active()
    given = _given(aws, InstanceType="g4dn.xlarge")

    with pytest.raises(AwsError, match=words) as refused:
        _create(aws, launchTemplate=given, **params)
    assert refused.value.code == "InvalidRequestException"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"scalingConfig": {"minSize": 3, "maxSize": 4, "desiredSize": 2}}, "Minimum capacity 3"),
        ({"scalingConfig": {"minSize": 1, "maxSize": 4, "desiredSize": 9}}, "desired capacity 9"),
        ({"labels": {"kubernetes.io/role": "x"}}, "reserved prefixes"),
        ({"taints": ONE_TAINT * 2}, "unique pairs"),
        ({"version": "1.99"}, "Requested kubernetes version 1.99"),
        ({"amiType": "AL2_x86_64_GPU"}, "amiType AL2_x86_64_GPU is not supported"),
        ({"nodeRole": "arn:aws:iam::123456789012:role/nobody"}, "cannot be found"),
        ({"subnets": ["subnet-00000000000000000"]}, "does not exist"),
        ({"nodegroupName": "no/slash"}, "must match"),
    ],
)
def test_what_eks_does_not_take_is_refused_and_leaves_nothing(
    aws: Aws, params: dict[str, Any], words: str
) -> None:
    aws.active()

    with pytest.raises(AwsError, match=words) as refused:
        _create(aws, **params)

    assert refused.value.code == "InvalidParameterException"
    assert aws("ListNodegroups", clusterName="tide")["nodegroups"] == []


def test_a_role_that_instances_may_not_have_is_refused(aws: Aws) -> None:
    aws.active()

    with pytest.raises(AwsError, match="Following required service principals"):
        _create(aws, nodeRole=role(aws, "wrong", EKS_TRUST))


def test_the_role_of_the_nodes_gets_its_access_entry(aws: Aws) -> None:
    aws.active()
    _create(aws)

    entry = aws("DescribeAccessEntry", clusterName="tide", principalArn=aws.node_role)

    assert entry["accessEntry"]["type"] == "EC2_LINUX"
    assert entry["accessEntry"]["kubernetesGroups"] == ["system:nodes"]


def test_a_cluster_with_node_groups_is_not_deleted(aws: Aws) -> None:
    aws.active()
    _create(aws)

    with pytest.raises(AwsError, match="Cluster has nodegroups attached") as refused:
        aws("DeleteCluster", name="tide")
    assert refused.value.status == 409


def test_a_deleted_group_takes_its_auto_scaling_group_along(aws: Aws) -> None:
    aws.active()
    _create(aws)
    name = _group(aws)["AutoScalingGroupName"]

    aws("DeleteNodegroup", clusterName="tide", nodegroupName="gpu")
    aws.wait(aws.box.settings.delays.nodegroup_s + 1)

    with pytest.raises(AwsError, match=r"No node group found for name: gpu\.") as refused:
        _nodegroup(aws)
    assert refused.value.status == 404
    found = aws("DescribeAutoScalingGroups", service="autoscaling", AutoScalingGroupNames=[name])
    assert found["AutoScalingGroups"] == []


def test_new_sizes_reach_the_auto_scaling_group_at_once(aws: Aws) -> None:
    aws.active()
    _create(aws)
    aws.wait(aws.box.settings.delays.nodegroup_s + 1)
    assert _nodegroup(aws)["status"] == "ACTIVE"

    update = aws(
        "UpdateNodegroupConfig",
        clusterName="tide",
        nodegroupName="gpu",
        scalingConfig={"maxSize": 9},
        taints={"addOrUpdateTaints": ONE_TAINT},
    )["update"]

    assert {"type": "MaxSize", "value": "9"} in update["params"]
    assert _group(aws)["MaxSize"] == 9
    assert _nodegroup(aws)["status"] == "UPDATING"
    assert _node_config(aws)["kubelet"]["flags"][1].endswith("nvidia.com/gpu=true:NoSchedule")
    aws.wait(aws.box.settings.delays.nodegroup_s + 1)
    assert _nodegroup(aws)["status"] == "ACTIVE"


def test_a_group_whose_instances_never_come_fails_with_the_reason(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.active()
    _create(aws)
    from lowtide.local.aws.eks import managed_group

    monkeypatch.setattr(managed_group, "in_service", lambda *_: (0, 2))
    monkeypatch.setattr(managed_group, "last_failure", lambda *_: "no Spot capacity")
    aws.wait(2000)

    found = _nodegroup(aws)
    assert found["status"] == "CREATE_FAILED"
    assert found["health"]["issues"][0]["code"] == "AsgInstanceLaunchFailures"
    assert found["health"]["issues"][0]["message"] == "no Spot capacity"
