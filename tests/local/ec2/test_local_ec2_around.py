"""Templates, images, types, zones and networks of EC2, where moto is wrong or silent."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.ec2.templates import launch_data
from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import NVIDIA, REGION, Aws, where


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("RunInstances", {"ImageId": "ami-01234567", "MinCount": 1, "MaxCount": 1}),
        ("CreateVpc", {"CidrBlock": "10.0.0.0/16"}),
        ("CreateLaunchTemplate", {"LaunchTemplateName": "a", "LaunchTemplateData": {}}),
        ("DescribeInstanceTypes", {}),
        ("DescribeSpotPriceHistory", {}),
    ],
)
def test_a_dry_run_says_yes_and_changes_nothing(
    aws: Aws, operation: str, params: dict[str, Any]
) -> None:
    before = len(aws("DescribeVpcs")["Vpcs"])
    with pytest.raises(AwsError) as said:
        aws(operation, DryRun=True, **params)
    assert (said.value.code, said.value.status) == ("DryRunOperation", 412)
    assert len(aws("DescribeVpcs")["Vpcs"]) == before
    assert aws("DescribeInstances")["Reservations"] == []


def test_a_dry_run_terminates_nothing(aws: Aws) -> None:
    (one,) = aws.run()
    with pytest.raises(AwsError, match="DryRun flag is set"):
        aws("TerminateInstances", InstanceIds=[one], DryRun=True)
    assert aws.phase(one) == "pending"


def test_an_operation_that_nobody_serves_is_named(aws: Aws) -> None:
    with pytest.raises(AwsError, match="does not serve ec2:DescribeReservedInstances"):
        aws("DescribeReservedInstances")


def _template(aws: Aws, **data: Any) -> None:
    aws("CreateLaunchTemplate", LaunchTemplateName="node", LaunchTemplateData=data)


def test_a_new_version_of_a_template_takes_from_its_source_what_it_does_not_say(aws: Aws) -> None:
    _template(aws, InstanceType="g5.xlarge", UserData="YQ==", ImageId="ami-01234567")
    aws(
        "CreateLaunchTemplateVersion",
        LaunchTemplateName="node",
        SourceVersion="1",
        LaunchTemplateData={"UserData": "Yg=="},
    )
    data = launch_data(aws.box, REGION, {"LaunchTemplateName": "node", "Version": "$Latest"})
    assert data == {"InstanceType": "g5.xlarge", "UserData": "Yg==", "ImageId": "ami-01234567"}
    default = launch_data(aws.box, REGION, {"LaunchTemplateName": "node"})
    assert default["UserData"] == "YQ=="


def test_the_tags_of_a_template_itself_are_not_those_of_its_instances(aws: Aws) -> None:
    aws(
        "CreateLaunchTemplate",
        LaunchTemplateName="node",
        LaunchTemplateData={"InstanceType": "m5.large"},
        TagSpecifications=[
            {"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}
        ],
    )
    data = launch_data(aws.box, REGION, {"LaunchTemplateName": "node"})
    assert "TagSpecifications" not in data


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"LaunchTemplateName": "node", "Versions": ["newest"]}, "InvalidLaunchTemplateVersion"),
        ({"LaunchTemplateName": "node", "Versions": ["7"]}, "InvalidLaunchTemplateId.VersionNotFound"),
        ({"LaunchTemplateName": "none", "Versions": ["1"]}, "InvalidLaunchTemplateName.NotFoundException"),
        ({"LaunchTemplateId": "lt-0123", "Versions": ["1"]}, "InvalidLaunchTemplateId.NotFound"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_there_is_refused(
    aws: Aws, params: dict[str, Any], code: str
) -> None:
    _template(aws, InstanceType="m5.large")
    with pytest.raises(AwsError) as refused:
        aws("DescribeLaunchTemplateVersions", **params)
    assert refused.value.code == code


def test_a_template_without_data_is_refused(aws: Aws) -> None:
    with pytest.raises(AwsError, match="LaunchTemplateData"):
        _template(aws)


def test_an_image_that_a_parameter_names_is_described(aws: Aws) -> None:
    (image,) = aws("DescribeImages", ImageIds=[aws.image])["Images"]
    assert image["Name"].startswith("amazon-eks-node-al2023-x86_64-nvidia-")
    assert image["OwnerId"] == "602401143452"
    assert image["RootDeviceName"] == "/dev/xvda"


def test_the_search_by_name_that_eksctl_makes_finds_the_image_of_the_parameter(aws: Aws) -> None:
    found = aws(
        "DescribeImages",
        Owners=["602401143452"],
        Filters=[
            where("name", "amazon-eks-node-al2023-x86_64-nvidia-*-1.36-v*"),
            where("virtualization-type", "hvm"),
            where("root-device-type", "ebs"),
            where("is-public", "true"),
            where("state", "available"),
        ],
    )["Images"]
    assert [one["ImageId"] for one in found] == [aws.image]


def test_images_differ_by_region_and_unknown_ones_are_refused(aws: Aws) -> None:
    there = aws("GetParameter", service="ssm", Name=NVIDIA, region="eu-west-1")
    assert there["Parameter"]["Value"] != aws.image
    with pytest.raises(AwsError) as refused:
        aws("DescribeImages", ImageIds=[aws.image, "ami-0123456789abcdef0"])
    assert refused.value.code == "InvalidAMIID.NotFound"


def test_types_come_from_moto_and_those_it_does_not_know_from_the_catalog(aws: Aws) -> None:
    found = aws("DescribeInstanceTypes", InstanceTypes=["g7.2xlarge", "g4dn.xlarge"])
    by_name = {one["InstanceType"]: one for one in found["InstanceTypes"]}
    assert by_name["g4dn.xlarge"]["GpuInfo"]["Gpus"][0]["Name"] == "T4"
    assert by_name["g7.2xlarge"]["VCpuInfo"]["DefaultVCpus"] == 8
    assert by_name["g7.2xlarge"]["GpuInfo"]["Gpus"][0]["Manufacturer"] == "NVIDIA"


def test_types_that_are_not_there_any_more_are_refused(aws: Aws) -> None:
    for name in ("g9.huge", "p2.xlarge", "p3.2xlarge"):
        with pytest.raises(AwsError) as refused:
            aws("DescribeInstanceTypes", InstanceTypes=[name])
        assert refused.value.code == "InvalidInstanceType"


def test_types_are_found_by_patterns_and_listed_in_pages_without_a_gap(aws: Aws) -> None:
    wanted = [where("instance-type", "g7.*", "g6e.*", "g4dn.*")]
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = aws("DescribeInstanceTypes", Filters=wanted, MaxResults=5, **token)
        assert len(answer["InstanceTypes"]) <= 5
        names += [one["InstanceType"] for one in answer["InstanceTypes"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert names == sorted(set(names))
    assert {"g7.48xlarge", "g6e.xlarge", "g4dn.metal"} <= set(names)
    assert {one.partition(".")[0] for one in names} == {"g7", "g6e", "g4dn"}


def test_names_and_pages_of_types_exclude_one_another(aws: Aws) -> None:
    with pytest.raises(AwsError, match="cannot be used with"):
        aws("DescribeInstanceTypes", InstanceTypes=["m5.large"], MaxResults=5)


def test_offerings_tell_zones_apart_and_know_patterns_and_newer_types(aws: Aws) -> None:
    answer = aws(
        "DescribeInstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[where("instance-type", "g4dn.xlarge", "g7.2*")],
    )
    zones: dict[str, set[str]] = {}
    for one in answer["InstanceTypeOfferings"]:
        zones.setdefault(one["InstanceType"], set()).add(one["Location"])
    assert "us-east-1e" not in zones["g4dn.xlarge"]
    assert "us-east-1a" in zones["g4dn.xlarge"] & zones["g7.2xlarge"]
    here = aws(
        "DescribeInstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[where("instance-type", "g4dn.xlarge"), where("location", "us-east-1b")],
    )
    assert [one["Location"] for one in here["InstanceTypeOfferings"]] == ["us-east-1b"]
    region = aws("DescribeInstanceTypeOfferings", Filters=[where("instance-type", "g7.2xlarge")])
    assert [one["Location"] for one in region["InstanceTypeOfferings"]] == [REGION]


def test_a_zone_that_is_not_there_is_refused(aws: Aws) -> None:
    with pytest.raises(AwsError, match=r"Invalid availability zone: \[us-east-1z\]"):
        aws("DescribeAvailabilityZones", ZoneNames=["us-east-1a", "us-east-1z"])
    (zone,) = aws("DescribeAvailabilityZones", ZoneNames=["us-east-1a"])["AvailabilityZones"]
    assert zone["OptInStatus"] == "opt-in-not-required"
    assert zone["NetworkBorderGroup"] == REGION


def test_a_subnet_and_a_group_in_use_are_not_deleted_until_the_instance_has_ended(
    aws: Aws,
) -> None:
    subnet = aws.subnet()
    vpc = aws("DescribeSubnets", SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    group = aws("CreateSecurityGroup", GroupName="n", Description="n", VpcId=vpc)["GroupId"]
    (one,) = aws.run(SubnetId=subnet, SecurityGroupIds=[group])
    for operation, params in (
        ("DeleteSubnet", {"SubnetId": subnet}),
        ("DeleteSecurityGroup", {"GroupId": group}),
    ):
        with pytest.raises(AwsError) as refused:
            aws(operation, **params)
        assert refused.value.code == "DependencyViolation"
    aws("TerminateInstances", InstanceIds=[one])
    with pytest.raises(AwsError, match="has dependencies"):
        aws("DeleteSubnet", SubnetId=subnet)
    aws.wait(60)
    aws("DeleteSubnet", SubnetId=subnet)
    aws("DeleteSecurityGroup", GroupId=group)


@pytest.mark.parametrize(
    ("make", "params", "delete"),
    [
        ("CreateSubnet", {"CidrBlock": "10.0.0.0/24"}, ("DeleteSubnet", "Subnet", "SubnetId")),
        ("CreateSecurityGroup", {"GroupName": "mine", "Description": "mine"}, ("DeleteSecurityGroup", "", "GroupId")),
        ("CreateNetworkAcl", {}, ("DeleteNetworkAcl", "NetworkAcl", "NetworkAclId")),
        ("CreateRouteTable", {}, ("DeleteRouteTable", "RouteTable", "RouteTableId")),
        ("CreateVpcEndpoint", {"ServiceName": "com.amazonaws.us-east-1.s3"}, ("DeleteVpcEndpoints", "VpcEndpoint", "VpcEndpointId")),
        ("CreateEgressOnlyInternetGateway", {}, ("DeleteEgressOnlyInternetGateway", "EgressOnlyInternetGateway", "EgressOnlyInternetGatewayId")),
    ],
)  # fmt: skip
def test_a_vpc_is_not_deleted_while_something_is_in_it(
    aws: Aws, make: str, params: dict[str, Any], delete: tuple[str, str, str]
) -> None:
    vpc = aws("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    answer = aws(make, VpcId=vpc, **params)
    operation, member, key = delete
    made = (answer[member] if member else answer)[key]
    with pytest.raises(AwsError) as refused:
        aws("DeleteVpc", VpcId=vpc)
    assert refused.value.code == "DependencyViolation"
    assert refused.value.message == f"The vpc '{vpc}' has dependencies and cannot be deleted."
    if operation == "DeleteVpcEndpoints":
        aws(operation, VpcEndpointIds=[made])
    else:
        aws(operation, **{key: made})
    aws("DeleteVpc", VpcId=vpc)
    with pytest.raises(AwsError) as gone:
        aws("DeleteVpc", VpcId=vpc)
    assert gone.value.code == "InvalidVpcID.NotFound"


def test_a_vpc_is_not_deleted_while_a_gateway_is_attached(aws: Aws) -> None:
    vpc, other = (aws("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(2))
    gateway = aws("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    aws("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    aws("DeleteVpc", VpcId=other)
    with pytest.raises(AwsError, match="has dependencies and cannot be deleted"):
        aws("DeleteVpc", VpcId=vpc)
    aws("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    aws("DeleteVpc", VpcId=vpc)


def test_a_group_that_another_names_in_a_rule_is_not_deleted(aws: Aws) -> None:
    vpc = aws("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    named, other = (
        aws("CreateSecurityGroup", GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("named", "other")
    )
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "UserIdGroupPairs": [{"GroupId": named}],
    }
    aws("AuthorizeSecurityGroupIngress", GroupId=other, IpPermissions=[rule])
    with pytest.raises(AwsError, match="has a dependent object"):
        aws("DeleteSecurityGroup", GroupId=named)
    aws("RevokeSecurityGroupIngress", GroupId=other, IpPermissions=[rule])
    aws("DeleteSecurityGroup", GroupId=named)


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("DescribeInstances", {"Filters": [{"Values": ["x"]}]}, "InvalidParameterValue"),
        ("DescribeVpcs", {"Filters": [{"Values": ["x"]}]}, "InvalidParameterValue"),
        ("CreateVpc", {"CidrBlock": "10.0.0.0/16", "TagSpecifications": [{}]}, "InvalidParameterValue"),
        ("DescribeInstanceTypeOfferings", {"LocationType": "planet"}, "InvalidParameterValue"),
        ("CreateLaunchTemplateVersion", {"LaunchTemplateData": {}}, "MissingParameter"),
        ("DescribeInstances", {"NextToken": "x"}, "InvalidParameterValue"),
        ("DescribeInstanceTypes", {"NextToken": "\N{SUPERSCRIPT TWO}"}, "InvalidNextToken"),
        ("DescribeInstanceTypeOfferings", {"NextToken": "9" * 5000}, "InvalidNextToken"),
        ("DescribeLaunchTemplateVersions", {"LaunchTemplateName": "x", "Versions": ["\N{SUPERSCRIPT TWO}"]}, "InvalidLaunchTemplateVersion"),
        ("DescribeLaunchTemplateVersions", {"LaunchTemplateName": "x", "MinVersion": "x"}, "InvalidParameterValue"),
        ("RunInstances", {"LaunchTemplate": {"Version": "1"}, "MinCount": 1, "MaxCount": 1}, "MissingParameter"),
    ],
)  # fmt: skip
def test_half_a_parameter_is_refused(
    aws: Aws, operation: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(AwsError) as refused:
        aws(operation, **params)
    assert refused.value.code == code


def test_a_filter_without_values_finds_nothing(aws: Aws) -> None:
    aws.run()
    assert aws("DescribeInstances", Filters=[{"Name": "instance-state-name"}])["Reservations"] == []
