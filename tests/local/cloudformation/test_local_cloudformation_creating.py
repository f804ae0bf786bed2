"""Stacks are created in order and in parallel, say what happens as AWS does, and are taken back when they fail."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lowtide.local.aws import faults
from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, parameter, template, text

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
SUBNET = {
    "Type": "AWS::EC2::Subnet",
    "Properties": {
        "VpcId": {"Ref": "Vpc"},
        "CidrBlock": {"Fn::Select": [1, {"Fn::Cidr": [{"Fn::GetAtt": "Vpc.CidrBlock"}, 4, 8]}]},
        "AvailabilityZone": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
    },
}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
        }
    },
}  # fmt: skip
CREATED = [("CREATE_IN_PROGRESS", ""), ("CREATE_IN_PROGRESS", "Resource creation Initiated")]


def refused(aws: Aws, operation: str, **params: Any) -> AwsError:
    with pytest.raises(AwsError) as error:
        aws(operation, **params)
    return error.value


def test_a_stack_is_created_in_the_order_of_its_references_with_aws_events(aws: Aws) -> None:
    assert aws.create("net", template({"Subnet": SUBNET, "Vpc": VPC})) == "CREATE_COMPLETE"
    assert aws.events("net") == [
        ("net", "CREATE_IN_PROGRESS", "User Initiated"),
        *(("Vpc", *one) for one in CREATED),
        ("Vpc", "CREATE_COMPLETE", ""),
        *(("Subnet", *one) for one in CREATED),
        ("Subnet", "CREATE_COMPLETE", ""),
        ("net", "CREATE_COMPLETE", ""),
    ]
    subnet_id = aws.resource("net", "Subnet")["PhysicalResourceId"]
    subnet = aws("DescribeSubnets", service="ec2", SubnetIds=[subnet_id])["Subnets"][0]
    assert (subnet["CidrBlock"], subnet["AvailabilityZone"]) == ("10.0.1.0/24", "us-east-1a")
    assert subnet["VpcId"] == aws.resource("net", "Vpc")["PhysicalResourceId"]


def test_the_zones_are_those_of_the_stacks_region(aws: Aws) -> None:
    body = template(
        {"Vpc": VPC, "Subnet": SUBNET},
        Outputs={"Zone": {"Value": {"Fn::GetAtt": "Subnet.AvailabilityZone"}}},
    )
    aws("CreateStack", StackName="net", TemplateBody=text(body), region="eu-west-1")
    aws.wait()
    assert aws.stack("net", region="eu-west-1")["Outputs"][0]["OutputValue"] == "eu-west-1a"
    assert aws("DescribeStacks")["Stacks"] == []


def test_resources_that_do_not_need_each_other_are_made_at_the_same_time(aws: Aws) -> None:
    aws(
        "CreateStack",
        StackName="many",
        TemplateBody=text(template({f"P{n}": parameter() for n in range(20)})),
    )
    aws.wait(0)
    assert set(aws.statuses("many").values()) == {"CREATE_IN_PROGRESS"}
    assert len(aws.statuses("many")) == 20
    aws.wait(aws.box.settings.delays.resource_s + 1)
    assert aws.status("many") == "CREATE_COMPLETE"


def test_a_resource_takes_the_time_of_the_settings_divided_by_speed(aws: Aws) -> None:
    aws(
        "CreateStack",
        StackName="role",
        TemplateBody=text(template({"Role": ROLE})),
        Capabilities=["CAPABILITY_IAM"],
    )
    aws.wait(aws.box.settings.delays.role_s - 1)
    assert aws.status("role") == "CREATE_IN_PROGRESS"
    aws.wait(2)
    assert aws.status("role") == "CREATE_COMPLETE"


def test_a_resource_that_is_made_slow_takes_longer_and_the_others_do_not(aws: Aws) -> None:
    faults.add(aws.box, {"kind": "slow-resource", "resource": "A", "seconds": 600})
    aws(
        "CreateStack",
        StackName="s",
        TemplateBody=text(template({"A": parameter(), "B": parameter()})),
    )
    aws.wait(599)
    assert aws.statuses("s") == {"A": "CREATE_IN_PROGRESS", "B": "CREATE_COMPLETE"}
    aws.wait(10)
    assert aws.status("s") == "CREATE_COMPLETE"


def test_several_stacks_are_created_at_the_same_time(aws: Aws) -> None:
    for name in ("a", "b", "c"):
        aws("CreateStack", StackName=name, TemplateBody=text(template({"P": parameter(name)})))
    aws.wait(aws.box.settings.delays.resource_s + 1)
    assert {aws.status(name) for name in ("a", "b", "c")} == {"CREATE_COMPLETE"}


def test_a_failed_resource_cancels_the_others_and_rolls_the_stack_back(aws: Aws) -> None:
    aws.fail("Bad", "no luck")
    body = template(
        {
            "Good": parameter(),
            "Role": ROLE,
            "Bad": parameter(DependsOn="Good"),
            "Late": parameter(DependsOn="Bad"),
        }
    )
    assert aws.create("s", body, Capabilities=["CAPABILITY_IAM"]) == "ROLLBACK_COMPLETE"
    events = aws.events("s")
    at = events.index(("Bad", "CREATE_FAILED", "no luck"))
    assert events[at:] == [
        ("Bad", "CREATE_FAILED", "no luck"),
        ("Role", "CREATE_FAILED", "Resource creation cancelled"),
        ("s", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Role, Bad]. Rollback requested by user."),
        ("Role", "DELETE_IN_PROGRESS", ""),
        ("Bad", "DELETE_COMPLETE", ""),
        ("Good", "DELETE_IN_PROGRESS", ""),
        ("Good", "DELETE_COMPLETE", ""),
        ("Role", "DELETE_COMPLETE", ""),
        ("s", "ROLLBACK_COMPLETE", ""),
    ]  # fmt: skip
    assert not any(name == "Late" for name, *_ in events)
    assert aws("DescribeParameters", service="ssm")["Parameters"] == []


def test_the_services_refusal_is_the_reason_of_the_failed_resource(aws: Aws) -> None:
    wrong = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/4"}}
    assert aws.create("s", template({"Vpc": wrong})) == "ROLLBACK_COMPLETE"
    reason = next(one for _, status, one in aws.events("s") if status == "CREATE_FAILED")
    assert re.fullmatch(
        r'Resource handler returned message: "The CIDR \'10.0.0.0/4\' is invalid. \(Service: Ec2, Status Code: 400, '
        r'Request ID: [-0-9a-f]{36}\)" \(RequestToken: [-0-9a-f]{36}, HandlerErrorCode: InvalidRequest\)',
        reason,
    )


def test_properties_that_the_schema_does_not_have_fail_the_resource_not_the_call(aws: Aws) -> None:
    wrong = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "Colour": "red"}}
    assert aws.create("s", template({"Vpc": wrong})) == "ROLLBACK_COMPLETE"
    assert (
        "Vpc",
        "CREATE_FAILED",
        (
            "Properties validation failed for resource Vpc with message:\n"
            "[#: extraneous key [Colour] is not permitted]"
        ),
    ) in aws.events("s")


def test_on_failure_do_nothing_keeps_what_was_made_and_goes_on_elsewhere(aws: Aws) -> None:
    aws.fail("Bad", "no luck")
    body = template(
        {
            "Bad": parameter(),
            "Good": parameter(),
            "After": parameter(DependsOn="Good"),
            "Late": parameter(DependsOn="Bad"),
        }
    )
    assert aws.create("s", body, OnFailure="DO_NOTHING") == "CREATE_FAILED"
    assert aws.reason("s") == "The following resource(s) failed to create: [Bad]."
    assert aws.statuses("s") == {
        "Bad": "CREATE_FAILED",
        "Good": "CREATE_COMPLETE",
        "After": "CREATE_COMPLETE",
    }
    aws.heal()
    assert refused(aws, "UpdateStack", StackName="s", UsePreviousTemplate=True).message.endswith(
        "is in CREATE_FAILED state and can not be updated."
    )
    aws("UpdateStack", StackName="s", UsePreviousTemplate=True, DisableRollback=True)
    aws.wait()
    assert aws.status("s") == "UPDATE_COMPLETE"
    assert {"Bad", "Good", "After", "Late"} == aws.statuses("s").keys()


def test_a_preserved_failure_can_be_rolled_back_later(aws: Aws) -> None:
    aws.fail("Bad")
    body = template({"Bad": parameter(DependsOn="Good"), "Good": parameter()})
    assert aws.create("s", body, DisableRollback=True) == "CREATE_FAILED"
    aws("RollbackStack", StackName="s")
    aws.wait()
    assert aws.status("s") == "ROLLBACK_COMPLETE"
    assert aws("DescribeParameters", service="ssm")["Parameters"] == []


def test_on_failure_delete_deletes_the_stack(aws: Aws) -> None:
    aws.fail("Bad")
    aws(
        "CreateStack",
        StackName="s",
        TemplateBody='{"Resources": {"Bad": {"Type": "AWS::SSM::Parameter"}}}',
        OnFailure="DELETE",
    )
    stack_id = aws.stack("s")["StackId"]
    aws.wait()
    assert aws.status(stack_id) == "DELETE_COMPLETE"
    assert (
        "s",
        "DELETE_IN_PROGRESS",
        "The following resource(s) failed to create: [Bad]. Delete requested by user.",
    ) in aws.events(stack_id)
    with pytest.raises(AwsError, match="Stack with id s does not exist"):
        aws.stack("s")


def test_a_rollback_that_cannot_delete_is_rollback_failed(aws: Aws) -> None:
    body = template({"Vpc": VPC, "Bad": parameter(DependsOn="Vpc")})
    aws("CreateStack", StackName="s", TemplateBody=text(body))
    aws.wait(1)
    vpc = aws.resource("s", "Vpc")["PhysicalResourceId"]
    aws("CreateSubnet", service="ec2", VpcId=vpc, CidrBlock="10.0.0.0/24")
    aws.fail("Bad")
    aws.wait()
    assert (aws.status("s"), aws.statuses("s")["Vpc"]) == ("ROLLBACK_FAILED", "DELETE_FAILED")
    assert aws.reason("s") == "The following resource(s) failed to delete: [Vpc]."
    assert (
        "has dependencies and cannot be deleted" in aws.resource("s", "Vpc")["ResourceStatusReason"]
    )


def test_a_resource_with_retain_outlives_the_rollback_unless_it_says_except_on_create(
    aws: Aws,
) -> None:
    aws.fail("Bad")
    body = template({
        "Kept": parameter(Name="kept", DeletionPolicy="Retain"),
        "Gone": parameter(Name="gone", DeletionPolicy="RetainExceptOnCreate"),
        "Bad": parameter(DependsOn=["Kept", "Gone"]),
    })  # fmt: skip
    assert aws.create("s", body) == "ROLLBACK_COMPLETE"
    assert aws.statuses("s")["Kept"] == "DELETE_SKIPPED"
    assert [one["Name"] for one in aws("DescribeParameters", service="ssm")["Parameters"]] == [
        "kept"
    ]


def test_a_creation_that_takes_longer_than_its_timeout_is_rolled_back(aws: Aws) -> None:
    chain = {f"P{n}": parameter(DependsOn=f"P{n - 1}") if n else parameter() for n in range(30)}
    assert aws.create("s", template(chain), TimeoutInMinutes=1) == "ROLLBACK_COMPLETE"
    assert (
        "s",
        "ROLLBACK_IN_PROGRESS",
        "Stack creation time exceeded the specified timeout. Rollback requested by user.",
    ) in aws.events("s")


def test_a_stack_that_exists_is_not_created_again_and_one_that_rolled_back_not_updated(
    aws: Aws,
) -> None:
    aws.fail("P")
    aws.create("s", template({"P": parameter()}))
    again = refused(
        aws,
        "CreateStack",
        StackName="s",
        TemplateBody='{"Resources": {}}'.replace("{}", '{"P": {"Type": "AWS::SSM::Parameter"}}'),
    )
    assert (again.code, again.message) == ("AlreadyExistsException", "Stack [s] already exists")
    stack_id = aws.stack("s")["StackId"]
    assert refused(aws, "UpdateStack", StackName="s", UsePreviousTemplate=True).message == (
        f"Stack:{stack_id} is in ROLLBACK_COMPLETE state and can not be updated."
    )


def test_capabilities_templates_names_and_tags_are_checked_before_anything_is_made(
    aws: Aws,
) -> None:
    import json

    role = json.dumps(template({"Role": ROLE}))
    good = json.dumps(template({"P": parameter()}))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"StackName": "s", "TemplateBody": role}, "Requires capabilities : [CAPABILITY_IAM]"),
        ({"StackName": "1s", "TemplateBody": good}, "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"),
        ({"StackName": "s" * 129, "TemplateBody": good}, "Member must have length less than or equal to 128"),
        ({"StackName": "s"}, "Either Template URL or Template Body must be specified."),
        ({"StackName": "s", "TemplateURL": "https://b.s3.amazonaws.com/t"}, "TemplateURL must reference a valid S3 object to which you have access."),
        ({"StackName": "s", "TemplateBody": good, "Tags": [{"Key": "aws:x", "Value": "y"}]}, "reserved"),
        ({"StackName": "s", "TemplateBody": good, "Parameters": [{"ParameterKey": "Q", "ParameterValue": "1"}]}, "Parameters: [Q] do not exist in the template"),
        ({"StackName": "s", "TemplateBody": good, "ResourceTypes": ["AWS::EC2::*"]}, "Resource type AWS::SSM::Parameter is not allowed by parameter ResourceTypes"),
        ({"StackName": "s", "TemplateBody": good, "OnFailure": "DELETE", "DisableRollback": True}, "either DisableRollback or OnFailure"),
        ({"StackName": "s", "TemplateBody": good, "StackPolicyBody": "{}"}, "does not serve StackPolicyBody"),
        ({"StackName": "s", "TemplateBody": '{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}'}, "does not make resources of type AWS::S3::Bucket"),
    ]  # fmt: skip
    for params, words in cases:
        assert words in refused(aws, "CreateStack", **params).message
    assert aws("ListStacks")["StackSummaries"] == []


def test_parameters_of_the_parameter_store_are_resolved_and_shown(aws: Aws) -> None:
    aws("PutParameter", service="ssm", Name="/size", Value="big", Type="String")
    body = template(
        {"P": parameter({"Ref": "Size"})},
        Parameters={"Size": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/size"}, "Pin": {"Type": "String", "NoEcho": True}},
        Outputs={"Size": {"Value": {"Fn::GetAtt": "P.Value"}}, "Plain": {"Value": "{{resolve:ssm:/size}}"}},
    )  # fmt: skip
    aws.create("s", body, Parameters=[{"ParameterKey": "Pin", "ParameterValue": "secret"}])
    assert aws.outputs("s") == {"Size": "big", "Plain": "big"}
    assert aws.stack("s")["Parameters"] == [
        {"ParameterKey": "Size", "ParameterValue": "/size", "ResolvedValue": "big"},
        {"ParameterKey": "Pin", "ParameterValue": "****"},
    ]
    missing = template(
        {"P": parameter()},
        Parameters={"A": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/none"}},
    )
    words = refused(aws, "CreateStack", StackName="t", TemplateBody=text(missing)).message
    assert words == "Unable to fetch parameters [/none] from parameter store for this account."


def test_resources_and_outputs_whose_condition_is_false_are_left_out(aws: Aws) -> None:
    body = template(
        {"A": parameter(), "B": parameter(Condition="No", DependsOn="A"), "C": parameter(DependsOn="B")},
        Conditions={"No": {"Fn::Equals": ["a", "b"]}},
        Outputs={"B": {"Value": {"Ref": "B"}, "Condition": "No"}, "C": {"Value": {"Fn::If": ["No", {"Ref": "B"}, "none"]}}},
    )  # fmt: skip
    assert aws.create("s", body) == "CREATE_COMPLETE"
    assert aws.statuses("s").keys() == {"A", "C"}
    assert aws.outputs("s") == {"C": "none"}


def test_a_reference_to_what_a_condition_leaves_out_is_refused_before_anything_is_made(
    aws: Aws,
) -> None:
    sections: dict[str, Any] = {"Conditions": {"No": {"Fn::Equals": ["a", "b"]}}}
    for block, body in {
        "Resources": template({"A": parameter(Condition="No"), "B": parameter({"Ref": "A"})}, **sections),
        "Outputs": template({"A": parameter(Condition="No"), "B": parameter()}, Outputs={"O": {"Value": {"Fn::Sub": "${A}"}}}, **sections),
    }.items():  # fmt: skip
        said = refused(aws, "CreateStack", StackName="s", TemplateBody=text(body)).message
        assert (
            said
            == f"Template format error: Unresolved resource dependencies [A] in the {block} block of the template"
        )


def test_resources_carry_the_stacks_tags_and_those_by_which_aws_marks_them(aws: Aws) -> None:
    vpc = {
        "Type": "AWS::EC2::VPC",
        "Properties": {
            "CidrBlock": "10.0.0.0/16",
            "Tags": [{"Key": "own", "Value": "1"}, {"Key": "both", "Value": "resource"}],
        },
    }
    tags = [{"Key": "team", "Value": "x"}, {"Key": "both", "Value": "stack"}]
    aws.create("s", template({"Vpc": vpc}), Tags=tags)
    vpc_id, stack_id = aws.resource("s", "Vpc")["PhysicalResourceId"], aws.stack("s")["StackId"]
    found = aws("DescribeVpcs", service="ec2", VpcIds=[vpc_id])["Vpcs"][0]["Tags"]
    assert {one["Key"]: one["Value"] for one in found} == {
        "own": "1",
        "both": "resource",
        "team": "x",
        "aws:cloudformation:stack-name": "s",
        "aws:cloudformation:stack-id": stack_id,
        "aws:cloudformation:logical-id": "Vpc",
    }


def test_a_defect_of_a_handler_is_an_internal_failure_of_its_resource(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lowtide.local.aws.cloudformation import making
    from lowtide.local.aws.cloudformation.resources.kind import Kind

    def breaks(_work: object) -> str:
        raise ZeroDivisionError("secret detail")

    broken = Kind(create=breaks, delete=lambda _work: None)
    monkeypatch.setattr(making, "kind_of", lambda _type: broken)
    assert aws.create("s", template({"P": parameter()})) == "ROLLBACK_COMPLETE"
    reason = next(one for _, status, one in aws.events("s") if status == "CREATE_FAILED")
    assert reason.startswith('Resource handler returned message: "Internal Failure')
    assert "secret" not in reason
