"""Stacks are deleted backwards; what protects them, or keeps their resources, is respected."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, parameter, template, text

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}


def refused(aws: Aws, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as error:
        aws(operation, **params)
    assert error.value.code == "ValidationError"
    return error.value.message


def names(aws: Aws) -> list[str]:
    return [one["Name"] for one in aws("DescribeParameters", service="ssm")["Parameters"]]


def test_a_stack_is_deleted_backwards_and_remembered_by_its_id(aws: Aws) -> None:
    aws.create("s", template({"A": parameter(), "B": parameter(DependsOn="A")}))
    stack_id = aws.stack("s")["StackId"]
    assert aws.delete("s") == "DELETE_COMPLETE"
    assert aws.events(stack_id)[-6:] == [
        ("s", "DELETE_IN_PROGRESS", "User Initiated"),
        ("B", "DELETE_IN_PROGRESS", ""),
        ("B", "DELETE_COMPLETE", ""),
        ("A", "DELETE_IN_PROGRESS", ""),
        ("A", "DELETE_COMPLETE", ""),
        ("s", "DELETE_COMPLETE", ""),
    ]
    assert names(aws) == []
    assert refused(aws, "DescribeStacks", StackName="s") == "Stack with id s does not exist"
    assert aws("ListStacks")["StackSummaries"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert aws.create("s", template({"A": parameter()})) == "CREATE_COMPLETE"


def test_what_is_not_there_is_deleted_already(aws: Aws) -> None:
    assert aws("DeleteStack", StackName="nobody") == {}
    aws.create("s", template({"A": parameter(Name="a")}))
    aws("DeleteParameter", service="ssm", Name="a")
    assert aws.delete("s") == "DELETE_COMPLETE"


def test_termination_protection_refuses_deletion_until_it_is_lifted(aws: Aws) -> None:
    aws.create("s", template({"A": parameter()}), EnableTerminationProtection=True)
    assert aws.stack("s")["EnableTerminationProtection"] is True
    said = refused(aws, "DeleteStack", StackName="s")
    assert said == "Stack [s] cannot be deleted while TerminationProtection is enabled"
    assert aws.status("s") == "CREATE_COMPLETE"
    aws("UpdateTerminationProtection", StackName="s", EnableTerminationProtection=False)
    assert aws.delete("s") == "DELETE_COMPLETE"


def test_a_resource_in_use_makes_the_deletion_fail_and_can_be_retained_then(aws: Aws) -> None:
    aws.create("s", template({"Vpc": VPC, "A": parameter()}))
    vpc = aws.resource("s", "Vpc")["PhysicalResourceId"]
    aws("CreateSubnet", service="ec2", VpcId=vpc, CidrBlock="10.0.0.0/24")
    said = refused(aws, "DeleteStack", StackName="s", RetainResources=["Vpc"])
    assert "only when the stack is in the DELETE_FAILED state" in said
    assert aws.delete("s") == "DELETE_FAILED"
    assert aws.reason("s") == "The following resource(s) failed to delete: [Vpc]."
    assert aws.statuses("s") == {"Vpc": "DELETE_FAILED", "A": "DELETE_COMPLETE"}
    assert "do not exist: [B]" in refused(aws, "DeleteStack", StackName="s", RetainResources=["B"])
    assert aws.delete("s", RetainResources=["Vpc"]) == "DELETE_COMPLETE"
    assert len(aws("DescribeVpcs", service="ec2", VpcIds=[vpc])["Vpcs"]) == 1


def test_a_foreign_security_group_keeps_the_vpc_of_a_stack(aws: Aws) -> None:
    aws.create("s", template({"Vpc": VPC}))
    vpc = aws.resource("s", "Vpc")["PhysicalResourceId"]
    group = {"GroupName": "mine", "Description": "mine", "VpcId": vpc}
    made = aws("CreateSecurityGroup", service="ec2", **group)
    assert aws.delete("s") == "DELETE_FAILED"
    stack_id = aws.stack("s")["StackId"]
    said = next(why for _, status, why in aws.events("s") if status == "DELETE_FAILED")
    assert f"The vpc '{vpc}' has dependencies and cannot be deleted." in said
    aws("DeleteSecurityGroup", service="ec2", GroupId=made["GroupId"])
    aws("DeleteStack", StackName="s")
    aws.wait()
    assert aws.status(stack_id) == "DELETE_COMPLETE"


def test_a_failed_deletion_is_tried_again_and_waits_a_while_for_what_uses_the_resource(
    aws: Aws,
) -> None:
    aws.create("s", template({"Vpc": VPC}))
    vpc = aws.resource("s", "Vpc")["PhysicalResourceId"]
    made = aws("CreateSubnet", service="ec2", VpcId=vpc, CidrBlock="10.0.0.0/24")
    aws("DeleteStack", StackName="s")
    aws.wait(30)
    assert aws.statuses("s")["Vpc"] == "DELETE_IN_PROGRESS"
    aws("DeleteSubnet", service="ec2", SubnetId=made["Subnet"]["SubnetId"])
    stack_id = aws.stack("s")["StackId"]
    aws.wait()
    assert aws.status(stack_id) == "DELETE_COMPLETE"


def test_a_forced_deletion_of_a_failed_one_leaves_the_resource(aws: Aws) -> None:
    aws.create("s", template({"Vpc": VPC}))
    vpc = aws.resource("s", "Vpc")["PhysicalResourceId"]
    aws("CreateSubnet", service="ec2", VpcId=vpc, CidrBlock="10.0.0.0/24")
    assert "a forced deletion" in refused(
        aws, "DeleteStack", StackName="s", DeletionMode="FORCE_DELETE_STACK"
    )
    assert aws.delete("s") == "DELETE_FAILED"
    assert aws.delete("s", DeletionMode="FORCE_DELETE_STACK") == "DELETE_COMPLETE"


def test_resources_with_the_policy_retain_stay(aws: Aws) -> None:
    aws.create("s", template({"A": parameter(Name="a", DeletionPolicy="Retain"), "B": parameter()}))
    stack_id = aws.stack("s")["StackId"]
    assert aws.delete("s") == "DELETE_COMPLETE"
    assert ("A", "DELETE_SKIPPED", "") in aws.events(stack_id)
    assert names(aws) == ["a"]


def test_a_stack_that_is_being_created_can_be_deleted_with_what_it_has_so_far(aws: Aws) -> None:
    body = template({"A": parameter(), "B": parameter(DependsOn="A")})
    aws("CreateStack", StackName="s", TemplateBody=text(body))
    aws.wait(1)
    assert aws.delete("s") == "DELETE_COMPLETE"
    assert names(aws) == []


def test_a_stack_that_is_being_updated_is_not_deleted(aws: Aws) -> None:
    aws.create("s", template({"A": parameter("1")}))
    aws("UpdateStack", StackName="s", TemplateBody=text(template({"A": parameter("2")})))
    said = refused(aws, "DeleteStack", StackName="s")
    assert said.endswith("cannot be deleted while in status UPDATE_IN_PROGRESS")


def test_deleting_a_cluster_stack_while_the_cluster_is_created_waits_for_the_cluster(
    aws: Aws,
) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "eks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    body = template({
        "Vpc": VPC,
        "A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1a"}},
        "B": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1b"}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Cluster": {"Type": "AWS::EKS::Cluster", "Properties": {"Name": "tide", "RoleArn": {"Fn::GetAtt": "Role.Arn"}, "ResourcesVpcConfig": {"SubnetIds": [{"Ref": "A"}, {"Ref": "B"}]}}},
    })  # fmt: skip
    aws("CreateStack", StackName="s", TemplateBody=text(body), Capabilities=["CAPABILITY_IAM"])
    aws.wait(60)
    assert aws.statuses("s")["Cluster"] == "CREATE_IN_PROGRESS"
    assert aws.delete("s") == "DELETE_COMPLETE"
    assert aws("ListClusters", service="eks")["clusters"] == []
