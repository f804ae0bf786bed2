"""Each request of the Cluster Autoscaler, as its Go client writes it, and the fields of the answer that it reads.

The provider dereferences some of them without looking: an answer without them ends it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.serve import Serving
from tests.local.eks.eks_box import EC2_TRUST, EKS_TRUST
from tests.local.front.conftest import Client

ENABLED, OWNED = "k8s.io/cluster-autoscaler/enabled", "k8s.io/cluster-autoscaler/blue"
TEMPLATE_TAG = "k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu"
ZONE = "us-east-1a"
INSTANCE = "i-[0-9a-f]{17}"
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"
GROUPS = "DescribeAutoScalingGroupsResult/AutoScalingGroups/member"
ACTIVITIES = "DescribeScalingActivitiesResult/Activities/member"
MIXED = f"{GROUPS}/MixedInstancesPolicy/LaunchTemplate"
DATA = "launchTemplateVersionSet/item/launchTemplateData"
SHORT = Delays(
    cluster_create_s=0,
    nodegroup_s=0,
    role_s=0,
    instance_in_service_s=0,
    terminate_s=0,
    launch_retry_s=1e7,
)

Fields = Mapping[str, list[str]]


def form(service: str, operation: str, *fields: tuple[str, str]) -> tuple[str, str]:
    """Return the service and the body as the Go client sends it."""
    version = "2016-11-15" if service == "ec2" else "2011-01-01"
    return service, urlencode([("Action", operation), *fields, ("Version", version)])


def by_tags(*filters: tuple[str, str]) -> tuple[str, str]:
    """Return the search by --node-group-auto-discovery: all filters must hold."""
    words = [
        pair
        for number, (name, value) in enumerate(filters, start=1)
        for pair in (
            (f"Filters.member.{number}.Name", name),
            (f"Filters.member.{number}.Values.member.1", value),
        )
    ]
    return form("autoscaling", "DescribeAutoScalingGroups", *words, ("MaxRecords", "100"))


def by_name(*names: str) -> tuple[str, str]:
    words = [(f"AutoScalingGroupNames.member.{at}", one) for at, one in enumerate(names, start=1)]
    return form("autoscaling", "DescribeAutoScalingGroups", *words, ("MaxRecords", "100"))


def send(
    client: Client, service: str, body: str, *, path: str = "/"
) -> tuple[int, bytes, Mapping[str, str]]:
    """Send one signed request: a form, or without a body a GET."""
    environment = client.served.environment()
    method = "POST" if body else "GET"
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"} if body else {}
    url = f"http://127.0.0.1:{client.served.port}{path}"
    request = AWSRequest(method, url, data=body, headers={"User-Agent": "aws-sdk-go", **kind})
    key = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    return client.http(method, path, body, {k: str(v) for k, v in request.headers.items()})


def texts(answer: bytes, path: str) -> list[str]:
    """Return what the elements at a path hold, in their order."""
    root = ET.fromstring(answer)  # noqa: S314 - our own box
    found = root.findall("/".join(f"{{*}}{one}" for one in path.split("/")))
    return [one.text or "" for one in found]


def until(client: Client, name: str, in_service: int) -> None:
    """Wait until a group has so many instances in service."""
    ends = time.monotonic() + 60
    while True:
        answer = client.aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])  # fmt: skip
        instances = answer["AutoScalingGroups"][0]["Instances"]
        if [one["LifecycleState"] for one in instances] == ["InService"] * in_service:
            return
        assert time.monotonic() < ends, "waited too long"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A box with groups of every make, a managed node group, and a type that EC2 does not have."""
    folder = tmp_path_factory.mktemp("box")
    with Serving(Settings(folder=folder, delays=SHORT, speed=1000)) as serving:
        made = Client(served=serving)
        subnets = network(made)
        groups(made, subnets[0])
        managed(made, subnets)
        yield made


def network(client: Client) -> list[str]:
    ec2 = client.aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=zone)
        for at, zone in enumerate((ZONE, "us-east-1b"))
    ]
    data = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "g4dn.xlarge"}
    ec2.create_launch_template(LaunchTemplateName="node", LaunchTemplateData=data)
    return [one["Subnet"]["SubnetId"] for one in made]


def groups(client: Client, subnet: str) -> None:
    newest = {"LaunchTemplateName": "node", "Version": "$Latest"}
    client.fault("capacity", instance_type="g5.xlarge")
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": newest,
            "Overrides": [{"InstanceType": "g5.xlarge"}, {"InstanceType": "g4dn.xlarge"}],
        }
    }
    missing = {"LaunchTemplate": {**policy["LaunchTemplate"], "Overrides": [{"InstanceType": "g5.xlarge"}]}}  # fmt: skip
    wanted: dict[str, tuple[int, dict[str, Any]]] = {
        "found": (1, {"LaunchTemplate": newest}),
        "resized": (0, {"LaunchTemplate": newest}),
        "shrunk": (2, {"LaunchTemplate": newest}),
        "mixed": (0, {"MixedInstancesPolicy": policy}),
        "short": (1, {"MixedInstancesPolicy": missing}),
    }
    for name, (desired, bought) in wanted.items():
        tags = {ENABLED: "true", OWNED: "owned", TEMPLATE_TAG: "1"} if name == "found" else {ENABLED: "true"}  # fmt: skip
        client.aws("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=3,
            DesiredCapacity=desired,
            VPCZoneIdentifier=subnet,
            Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()],
            **bought,
        )  # fmt: skip
        until(client, name, 0 if name == "short" else desired)


def managed(client: Client, subnets: list[str]) -> None:
    iam, eks = client.aws("iam"), client.aws("eks")
    roles = [
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for name, trust in (("cluster", EKS_TRUST), ("node", EC2_TRUST))
    ]
    eks.create_cluster(name="demo", roleArn=roles[0], resourcesVpcConfig={"subnetIds": subnets})
    eks.get_waiter("cluster_active").wait(name="demo", WaiterConfig={"Delay": 1})
    eks.create_nodegroup(
        clusterName="demo",
        nodegroupName="gpu",
        subnets=subnets,
        nodeRole=roles[1],
        amiType="AL2023_x86_64_NVIDIA",
        instanceTypes=["g4dn.xlarge"],
        capacityType="SPOT",
        diskSize=80,
        labels={"pool": "gpu"},
        taints=[{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
        tags={"team": "vision"},
        scalingConfig={"minSize": 0, "maxSize": 2, "desiredSize": 0},
    )


#: What was asked, the status, and by path the texts (patterns) of the answer.
ROWS: dict[str, tuple[tuple[str, str], int, Fields]] = {
    "groups by the keys of tags": (
        by_tags(("tag-key", ENABLED), ("tag-key", OWNED)),
        200,
        {
            f"{GROUPS}/AutoScalingGroupName": ["found"],
            f"{GROUPS}/MinSize": ["0"],
            f"{GROUPS}/MaxSize": ["3"],
            f"{GROUPS}/DesiredCapacity": ["1"],
            f"{GROUPS}/AvailabilityZones/member": [ZONE],
            f"{GROUPS}/LaunchTemplate/LaunchTemplateName": ["node"],
            f"{GROUPS}/LaunchTemplate/Version": [r"\$Latest"],
            f"{GROUPS}/Instances/member/InstanceId": [INSTANCE],
            f"{GROUPS}/Instances/member/AvailabilityZone": [ZONE],
            f"{GROUPS}/Instances/member/HealthStatus": ["Healthy"],
            f"{GROUPS}/Instances/member/LifecycleState": ["InService"],
            f"{GROUPS}/Tags/member/Key": [OWNED, ENABLED, TEMPLATE_TAG],
            f"{GROUPS}/Tags/member/Value": ["owned", "true", "1"],
            "DescribeAutoScalingGroupsResult/NextToken": [],
        },
    ),
    "groups by a tag and its value": (
        by_tags(("tag-key", ENABLED), (f"tag:{OWNED}", "owned")),
        200,
        {f"{GROUPS}/AutoScalingGroupName": ["found"]},
    ),
    "no group has the tag": (
        by_tags(("tag-key", ENABLED), (f"tag:{OWNED}", "shared")),
        200,
        {f"{GROUPS}/AutoScalingGroupName": []},
    ),
    "groups by name, those alone that are there": (
        by_name("mixed", "nowhere", "found"),
        200,
        {f"{GROUPS}/AutoScalingGroupName": ["found", "mixed"]},
    ),
    "a group of several types": (
        by_name("mixed"),
        200,
        {
            f"{GROUPS}/DesiredCapacity": ["0"],
            f"{GROUPS}/Instances/member": [],
            f"{MIXED}/LaunchTemplateSpecification/LaunchTemplateName": ["node"],
            f"{MIXED}/LaunchTemplateSpecification/Version": [r"\$Latest"],
            f"{MIXED}/Overrides/member/InstanceType": ["g5.xlarge", "g4dn.xlarge"],
        },
    ),
    "a new size": (
        form(
            "autoscaling",
            "SetDesiredCapacity",
            ("AutoScalingGroupName", "resized"),
            ("DesiredCapacity", "1"),
            ("HonorCooldown", "false"),
        ),
        200,
        {"ResponseMetadata/RequestId": ["[0-9a-f-]{36}"]},
    ),
    "a size above the maximum": (
        form(
            "autoscaling",
            "SetDesiredCapacity",
            ("AutoScalingGroupName", "found"),
            ("DesiredCapacity", "4"),
            ("HonorCooldown", "false"),
        ),
        400,
        {
            "Error/Code": ["ValidationError"],
            "Error/Message": [".* value 4 is above max value 3 for the AutoScalingGroup."],
        },
    ),
    "why a group stays short": (
        form("autoscaling", "DescribeScalingActivities", ("AutoScalingGroupName", "short")),
        200,
        {
            f"{ACTIVITIES}/AutoScalingGroupName": ["short"],
            f"{ACTIVITIES}/StatusCode": ["Failed"],
            f"{ACTIVITIES}/StartTime": [DATE],
            f"{ACTIVITIES}/Description": ["Launching a new EC2 instance.+"],
            f"{ACTIVITIES}/StatusMessage": [".*sufficient g5.xlarge capacity.*"],
        },
    ),
    "what a launch template starts": (
        form(
            "ec2",
            "DescribeLaunchTemplateVersions",
            ("LaunchTemplateName", "node"),
            ("LaunchTemplateVersion.1", "$Latest"),
        ),
        200,
        {f"{DATA}/instanceType": ["g4dn.xlarge"], f"{DATA}/imageId": ["ami-0123456789abcdef0"]},
    ),
    "the first version of a launch template": (
        form(
            "ec2",
            "DescribeLaunchTemplateVersions",
            ("LaunchTemplateName", "node"),
            ("LaunchTemplateVersion.1", "1"),
        ),
        200,
        {"launchTemplateVersionSet/item/versionNumber": ["1"]},
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_an_answer_has_the_fields_that_the_autoscaler_reads(client: Client, row: str) -> None:
    (service, body), wanted, fields = ROWS[row]
    status, said, _ = send(client, service, body)
    assert status == wanted, said
    for path, patterns in fields.items():
        found = texts(said, path)
        assert len(found) == len(patterns), (path, found, said)
        for pattern, text in zip(patterns, found, strict=True):
            assert re.fullmatch(pattern, text, re.DOTALL), (path, found)


def test_the_end_of_an_instance_is_answered_with_its_activity_and_lowers_the_size_at_once(
    client: Client,
) -> None:
    _, before, _ = send(client, *by_name("shrunk"))
    going = texts(before, f"{GROUPS}/Instances/member/InstanceId")[0]
    fields = (("InstanceId", going), ("ShouldDecrementDesiredCapacity", "true"))
    status, said, _ = send(
        client, *form("autoscaling", "TerminateInstanceInAutoScalingGroup", *fields)
    )
    activity = "TerminateInstanceInAutoScalingGroupResult/Activity"
    assert status == 200, said
    assert texts(said, f"{activity}/Description") == [f"Terminating EC2 instance: {going}"]
    assert texts(said, f"{activity}/ActivityId")[0]
    _, after, _ = send(client, *by_name("shrunk"))
    assert texts(after, f"{GROUPS}/DesiredCapacity") == ["1"]


def test_groups_come_in_pages_that_follow_one_another(client: Client) -> None:
    names: list[str] = []
    token: list[tuple[str, str]] = []
    while True:
        _, said, _ = send(
            client,
            *form("autoscaling", "DescribeAutoScalingGroups", ("MaxRecords", "1"), *token),
        )
        names += texts(said, f"{GROUPS}/AutoScalingGroupName")
        following = texts(said, "DescribeAutoScalingGroupsResult/NextToken")
        if not following:
            break
        token = [("NextToken", following[0])]
    assert {"found", "resized", "shrunk", "mixed", "short"} < set(names)
    assert len(names) == len(set(names)) == 6  # the sixth is the managed node group's


def test_a_managed_node_group_is_described_with_labels_taints_and_tags(client: Client) -> None:
    status, said, _ = send(client, "eks", "", path="/clusters/demo/node-groups/gpu")
    assert status == 200, said
    found = json.loads(said)["nodegroup"]
    wanted = {
        "nodegroupName": "gpu",
        "clusterName": "demo",
        "labels": {"pool": "gpu"},
        "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
        "tags": {"team": "vision"},
        "amiType": "AL2023_x86_64_NVIDIA",
        "capacityType": "SPOT",
        "diskSize": 80,
        "version": found["version"],
    }
    assert {name: found[name] for name in wanted} == wanted
    assert re.fullmatch(r"1\.\d\d", found["version"])


def test_a_group_that_eks_does_not_know_is_refused_with_its_type_in_the_header(
    client: Client,
) -> None:
    status, said, headers = send(client, "eks", "", path="/clusters/demo/node-groups/none")
    assert (status, headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
    assert "none" in json.loads(said)["message"]
