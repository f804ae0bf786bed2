"""Stacks, resources, events and templates are shown as AWS shows them, in pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, parameter, template, text

BODY = template(
    {"A": {**parameter({"Ref": "Size"}, Name="a"), "Metadata": {"why": "because"}}, "B": parameter(DependsOn="A")},
    AWSTemplateFormatVersion="2010-09-09",
    Description="two parameters",
    Metadata={"of": "all"},
    Parameters={"Size": {"Type": "String", "Default": "s", "AllowedValues": ["s", "m"], "Description": "how big"}},
    Outputs={"A": {"Value": {"Ref": "A"}}},
)  # fmt: skip


def refused(aws: Aws, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as error:
        aws(operation, **params)
    assert error.value.code == "ValidationError"
    return error.value.message


def test_a_stack_is_described_with_everything_that_was_said_of_it(aws: Aws) -> None:
    aws.create(
        "s",
        BODY,
        Capabilities=["CAPABILITY_IAM"],
        Tags=[{"Key": "k", "Value": "v"}],
        NotificationARNs=["arn:x"],
        TimeoutInMinutes=30,
        RoleARN="arn:role",
    )
    found = aws.stack("s")
    assert found["StackId"].startswith("arn:aws:cloudformation:us-east-1:123456789012:stack/s/")
    assert aws.stack(found["StackId"]) == found
    times = {key: found.pop(key) for key in ("CreationTime", "StackId")}
    assert times["CreationTime"].tzinfo is not None
    assert found == {
        "StackName": "s",
        "Description": "two parameters",
        "Parameters": [{"ParameterKey": "Size", "ParameterValue": "s"}],
        "RollbackConfiguration": {},
        "StackStatus": "CREATE_COMPLETE",
        "DisableRollback": False,
        "NotificationARNs": ["arn:x"],
        "TimeoutInMinutes": 30,
        "Capabilities": ["CAPABILITY_IAM"],
        "Outputs": [{"OutputKey": "A", "OutputValue": "a"}],
        "RoleARN": "arn:role",
        "Tags": [{"Key": "k", "Value": "v"}],
        "EnableTerminationProtection": False,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }


def test_resources_are_found_by_stack_by_name_and_by_their_own_id(aws: Aws) -> None:
    aws.create("s", BODY)
    listed = aws("ListStackResources", StackName="s")["StackResourceSummaries"]
    assert [(one["LogicalResourceId"], one["ResourceStatus"]) for one in listed] == [
        ("A", "CREATE_COMPLETE"),
        ("B", "CREATE_COMPLETE"),
    ]
    by_id = aws("DescribeStackResources", PhysicalResourceId="a")["StackResources"]
    assert [one["LogicalResourceId"] for one in by_id] == ["A", "B"]
    by_name = aws("DescribeStackResources", StackName="s", LogicalResourceId="B")["StackResources"]
    assert [one["LogicalResourceId"] for one in by_name] == ["B"]
    assert json.loads(aws.resource("s", "A")["Metadata"]) == {"why": "because"}
    said = refused(aws, "DescribeStackResource", StackName="s", LogicalResourceId="C")
    assert said == "Resource C does not exist for stack s"
    assert (
        refused(aws, "DescribeStackResources", PhysicalResourceId="none")
        == "Stack for none does not exist"
    )


def test_what_does_not_exist_is_said_in_each_operations_own_words(aws: Aws) -> None:
    assert refused(aws, "DescribeStacks", StackName="n") == "Stack with id n does not exist"
    assert refused(aws, "DescribeStackEvents", StackName="n") == "Stack [n] does not exist"
    assert refused(aws, "ListStackResources", StackName="n") == "Stack with id n does not exist"
    assert refused(aws, "GetTemplate", StackName="n") == "Stack with id n does not exist"
    assert (
        refused(aws, "UpdateTerminationProtection", StackName="n", EnableTerminationProtection=True)
        == "Stack [n] does not exist"
    )


def test_stacks_are_listed_by_status_newest_first_and_in_pages(aws: Aws) -> None:
    for number in range(101):
        aws("CreateStack", StackName=f"s{number}", TemplateBody=text(template({"A": parameter()})))
    first = aws("DescribeStacks")
    assert (len(first["Stacks"]), first["Stacks"][0]["StackName"]) == (100, "s100")
    rest = aws("DescribeStacks", NextToken=first["NextToken"])
    assert [one["StackName"] for one in rest["Stacks"]] == ["s0"]
    assert "NextToken" not in rest
    assert aws("ListStacks", StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"] == []
    assert len(aws("ListStacks", StackStatusFilter=["CREATE_IN_PROGRESS"])["StackSummaries"]) == 100
    assert refused(aws, "ListStacks", NextToken="nonsense") == "Invalid NextToken"


def test_events_come_newest_first_with_ids_types_and_properties(aws: Aws) -> None:
    aws.create("s", BODY, ClientRequestToken="mine")
    events = aws("DescribeStackEvents", StackName="s")["StackEvents"]
    assert events[0]["ResourceStatus"] == "CREATE_COMPLETE"
    assert len({one["EventId"] for one in events}) == len(events)
    last = events[0]
    assert (last["ResourceType"], last["PhysicalResourceId"]) == (
        "AWS::CloudFormation::Stack",
        last["StackId"],
    )
    made = next(one for one in events if one["LogicalResourceId"] == "A")
    assert (made["PhysicalResourceId"], json.loads(made["ResourceProperties"])["Value"]) == (
        "a",
        "s",
    )
    assert {one["ClientRequestToken"] for one in events} == {"mine"}


def test_a_template_is_given_back_as_it_was_given(aws: Aws) -> None:
    written = "Resources:\n  W: # a comment\n    Type: AWS::CloudFormation::WaitConditionHandle\n"
    aws("CreateStack", StackName="s", TemplateBody=written)
    aws.wait()
    assert aws("GetTemplate", StackName="s")["TemplateBody"] == written
    aws("CreateChangeSet", StackName="s", ChangeSetName="c", TemplateBody=text(BODY))
    assert json.loads(aws("GetTemplate", StackName="s", ChangeSetName="c")["TemplateBody"]) == BODY


def test_a_template_is_summed_up_by_stack_and_by_text(aws: Aws) -> None:
    aws.create("s", BODY)
    for found in (
        aws("GetTemplateSummary", StackName="s"),
        aws("GetTemplateSummary", TemplateBody=text(BODY)),
    ):
        assert found == {
            "Parameters": [
                {
                    "ParameterKey": "Size",
                    "DefaultValue": "s",
                    "ParameterType": "String",
                    "NoEcho": False,
                    "Description": "how big",
                    "ParameterConstraints": {"AllowedValues": ["s", "m"]},
                }
            ],
            "Description": "two parameters",
            "ResourceTypes": ["AWS::SSM::Parameter"],
            "Version": "2010-09-09",
            "Metadata": '{"of": "all"}',
            "ResourceIdentifierSummaries": [
                {
                    "ResourceType": "AWS::SSM::Parameter",
                    "LogicalResourceIds": ["A", "B"],
                    "ResourceIdentifiers": ["Name"],
                }
            ],
        }


def test_a_template_is_validated_without_being_made(aws: Aws) -> None:
    role = {"R": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}}}
    found = aws("ValidateTemplate", TemplateBody=text(template(role)))
    assert found["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert (
        found["CapabilitiesReason"]
        == "The following resource(s) require capabilities: [AWS::IAM::Role]"
    )
    said = refused(
        aws, "ValidateTemplate", TemplateBody=text(template({"A": {"Type": "AWS::No::Such"}}))
    )
    assert said == "Template format error: Unrecognized resource types: [AWS::No::Such]"
    # A bucket is a type of AWS's: it is valid, though the box makes none.
    aws("ValidateTemplate", TemplateBody=text(template({"A": {"Type": "AWS::S3::Bucket"}})))


def test_an_operation_that_is_not_served_says_so_and_moto_does_not_answer(aws: Aws) -> None:
    with pytest.raises(AwsError, match="does not serve cloudformation:ListTypes") as no:
        aws("ListTypes")
    assert no.value.code == "InvalidAction"
