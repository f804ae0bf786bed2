"""Change sets say what would happen and why, make it when asked, and are refused where they are stale or empty."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, parameter, template, text


def look(aws: Aws, body: Any, name: str = "c", stack: str = "s", **params: Any) -> dict[str, Any]:
    """Create a change set, wait for it, and describe it."""
    made = aws(
        "CreateChangeSet", StackName=stack, ChangeSetName=name, TemplateBody=text(body), **params
    )
    aws.wait()
    return aws("DescribeChangeSet", ChangeSetName=made["Id"])


def refused(aws: Aws, operation: str, **params: Any) -> AwsError:
    with pytest.raises(AwsError) as error:
        aws(operation, **params)
    return error.value


def vpc(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", **properties}}


def group(**properties: Any) -> dict[str, Any]:
    whole = {"GroupDescription": "one", "VpcId": {"Ref": "Vpc"}, **properties}
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": whole}


def test_a_new_stack_is_looked_at_before_it_is_made(aws: Aws) -> None:
    found = look(
        aws,
        template({"A": parameter(), "B": parameter()}),
        ChangeSetType="CREATE",
        Description="first",
    )
    assert (found["Status"], found["ExecutionStatus"], found["Description"]) == (
        "CREATE_COMPLETE",
        "AVAILABLE",
        "first",
    )
    assert [one["ResourceChange"]["Action"] for one in found["Changes"]] == ["Add", "Add"]
    assert aws.status("s") == "REVIEW_IN_PROGRESS"
    assert aws.statuses("s") == {}
    aws("ExecuteChangeSet", ChangeSetName="c", StackName="s")
    assert (
        aws("DescribeChangeSet", ChangeSetName=found["ChangeSetId"])["ExecutionStatus"]
        == "EXECUTE_IN_PROGRESS"
    )
    aws.wait()
    assert aws.status("s") == "CREATE_COMPLETE"
    assert aws.stack("s")["ChangeSetId"] == found["ChangeSetId"]
    assert (
        aws("DescribeChangeSet", ChangeSetName=found["ChangeSetId"])["ExecutionStatus"]
        == "EXECUTE_COMPLETE"
    )
    assert aws("ListChangeSets", StackName="s")["Summaries"] == []
    assert aws.events("s")[0] == ("s", "REVIEW_IN_PROGRESS", "User Initiated")


def test_a_change_set_without_changes_fails_with_the_words_that_deploy_looks_for(aws: Aws) -> None:
    body = template({"A": parameter()})
    aws.create("s", body)
    found = look(aws, body)
    assert (found["Status"], found["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert found["StatusReason"] == (
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set."
    )
    no = refused(aws, "ExecuteChangeSet", ChangeSetName="c", StackName="s")
    assert no.code == "InvalidChangeSetStatus"
    assert no.message.endswith("cannot be executed in its current status of [FAILED]")
    # Outputs alone are a change too.
    assert look(aws, {**body, "Outputs": {"O": {"Value": "1"}}}, "d")["Status"] == "CREATE_COMPLETE"


def test_a_replacement_and_what_follows_from_it_is_told_beforehand(aws: Aws) -> None:
    rule = {
        "Type": "AWS::EC2::SecurityGroupIngress",
        "Properties": {"GroupId": {"Ref": "Group"}, "IpProtocol": "-1", "CidrIp": "10.0.0.0/8"},
    }
    note = parameter({"Fn::GetAtt": "Group.GroupId"}, Name="n")
    still = parameter({"Ref": "Vpc"})
    parts = {"Vpc": vpc(), "Rule": rule, "Note": note, "Still": still}
    aws.create("s", template({**parts, "Group": group()}))
    found = look(aws, template({**parts, "Group": group(GroupDescription="two")}))
    changes = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]
        for one in found["Changes"]
    }
    assert changes.keys() == {"Group", "Rule", "Note"}
    assert {name: one["Replacement"] for name, one in changes.items()} == {
        "Group": "True",
        "Rule": "Conditional",
        "Note": "False",
    }
    assert changes["Group"]["PolicyAction"] == "ReplaceAndDelete"
    assert changes["Group"]["Scope"] == ["Properties"]
    assert changes["Group"]["Details"] == [
        {
            "Target": {
                "Attribute": "Properties",
                "Name": "GroupDescription",
                "RequiresRecreation": "Always",
            },
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }
    ]
    assert changes["Rule"]["Details"][0]["Evaluation"] == "Dynamic"
    assert changes["Rule"]["Details"][0]["ChangeSource"] == "ResourceReference"
    assert changes["Rule"]["Details"][0]["CausingEntity"] == "Group"
    assert changes["Note"]["Details"][0]["ChangeSource"] == "ResourceAttribute"
    assert changes["Note"]["Details"][0]["CausingEntity"] == "Group.GroupId"
    # What was said is what happens.
    old = {name: aws.resource("s", name)["PhysicalResourceId"] for name in changes}
    aws("ExecuteChangeSet", ChangeSetName="c", StackName="s")
    aws.wait()
    assert aws.status("s") == "UPDATE_COMPLETE"
    new = {name: aws.resource("s", name)["PhysicalResourceId"] for name in changes}
    assert {name: old[name] != new[name] for name in old} == {
        "Group": True,
        "Rule": True,
        "Note": False,
    }


def test_properties_before_and_after_are_shown_where_they_are_asked_for(aws: Aws) -> None:
    aws.create("s", template({"Vpc": vpc(), "Group": group(), "Old": parameter("1", Name="o")}))
    body = template(
        {"Vpc": vpc(), "Group": group(GroupDescription="two"), "New": parameter({"Ref": "Group"})}
    )
    plain = look(aws, body)
    assert not any("Context" in key for one in plain["Changes"] for key in one["ResourceChange"])
    found = aws("DescribeChangeSet", ChangeSetName="c", StackName="s", IncludePropertyValues=True)
    changes = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]
        for one in found["Changes"]
    }
    assert json.loads(changes["Group"]["BeforeContext"])["Properties"]["GroupDescription"] == "one"
    assert json.loads(changes["Group"]["AfterContext"])["Properties"]["GroupDescription"] == "two"
    assert json.loads(changes["Old"]["BeforeContext"])["Properties"]["Name"] == "o"
    assert (
        json.loads(changes["New"]["AfterContext"])["Properties"]["Value"]
        == "{{changeSet:KNOWN_AFTER_APPLY}}"
    )


def test_parameters_tags_policies_and_removals_are_causes_and_actions_of_their_own(
    aws: Aws,
) -> None:
    body = template(
        {"A": parameter({"Ref": "Size"}), "B": parameter(), "Kept": parameter(DeletionPolicy="Retain"), "Gone": parameter()},
        Parameters={"Size": {"Type": "String", "Default": "1"}},
    )  # fmt: skip
    aws.create("s", body)
    del body["Resources"]["Kept"], body["Resources"]["Gone"]
    body["Resources"]["B"]["DeletionPolicy"] = "Retain"
    found = look(aws, body, Parameters=[{"ParameterKey": "Size", "ParameterValue": "2"}])
    changes = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]
        for one in found["Changes"]
    }
    assert changes["A"]["Details"][0] == {
        "Target": {"Attribute": "Properties", "Name": "Value", "RequiresRecreation": "Never"},
        "Evaluation": "Static",
        "ChangeSource": "ParameterReference",
        "CausingEntity": "Size",
    }
    assert changes["B"]["Scope"] == ["DeletionPolicy"]
    assert (changes["Kept"]["Action"], changes["Kept"]["PolicyAction"]) == ("Remove", "Retain")
    assert (changes["Gone"]["Action"], changes["Gone"]["PolicyAction"]) == ("Remove", "Delete")
    assert found["Parameters"] == [{"ParameterKey": "Size", "ParameterValue": "2"}]
    tagged = look(aws, body, "d", Tags=[{"Key": "team", "Value": "x"}])
    scopes = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]["Scope"]
        for one in tagged["Changes"]
    }
    assert scopes["A"] == ["Tags"]


def test_a_new_version_of_a_launch_template_changes_what_asks_for_its_number(aws: Aws) -> None:
    def body(kind: str) -> dict[str, Any]:
        data = {"LaunchTemplateData": {"InstanceType": kind}}
        lt = {"Type": "AWS::EC2::LaunchTemplate", "Properties": data}
        return template(
            {"Lt": lt, "Note": parameter({"Fn::GetAtt": "Lt.LatestVersionNumber"}, Name="n")}
        )

    aws.create("s", body("g4dn.xlarge"))
    found = look(aws, body("g5.xlarge"))
    changes = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]
        for one in found["Changes"]
    }
    assert {name: one["Replacement"] for name, one in changes.items()} == {
        "Lt": "False",
        "Note": "False",
    }
    assert changes["Note"]["Details"][0]["Evaluation"] == "Dynamic"
    aws("ExecuteChangeSet", ChangeSetName="c", StackName="s")
    aws.wait()
    assert aws("GetParameter", service="ssm", Name="n")["Parameter"]["Value"] == "2"


def test_what_cannot_be_evaluated_fails_the_change_set(aws: Aws) -> None:
    found = look(
        aws, template({"A": parameter({"Fn::ImportValue": "nobody"})}), ChangeSetType="CREATE"
    )
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "No export named nobody found.")


def test_stack_and_change_set_must_fit_each_other(aws: Aws) -> None:
    body = text(template({"A": parameter()}))
    asked: dict[str, Any] = {"StackName": "s", "ChangeSetName": "c", "TemplateBody": body}
    assert refused(aws, "CreateChangeSet", **asked).message == "Stack [s] does not exist"
    aws.create("s", body)
    assert refused(aws, "CreateChangeSet", ChangeSetType="CREATE", **asked).message == (
        "Stack [s] already exists and cannot be created again with the changeSet [c]."
    )
    assert (
        "does not import"
        in refused(aws, "CreateChangeSet", ChangeSetType="IMPORT", **asked).message
    )
    aws("CreateChangeSet", **{**asked, "TemplateBody": text(template({"A": parameter("y")}))})
    again = refused(aws, "CreateChangeSet", **asked)
    assert again.code == "AlreadyExistsException"
    for operation in ("DescribeChangeSet", "ExecuteChangeSet"):
        no = refused(aws, operation, ChangeSetName="none", StackName="s")
        assert (no.code, no.message) == ("ChangeSetNotFound", "ChangeSet [none] does not exist")
        assert "StackName must be specified" in refused(aws, operation, ChangeSetName="c").message


def test_executing_one_change_set_deletes_the_others_and_an_update_makes_them_obsolete(
    aws: Aws,
) -> None:
    aws.create("s", template({"A": parameter("1")}))
    look(aws, template({"A": parameter("2")}), "two")
    look(aws, template({"A": parameter("3")}), "three")
    assert [one["ChangeSetName"] for one in aws("ListChangeSets", StackName="s")["Summaries"]] == [
        "two",
        "three",
    ]
    aws("ExecuteChangeSet", ChangeSetName="two", StackName="s")
    aws.wait()
    assert (
        refused(aws, "DescribeChangeSet", ChangeSetName="three", StackName="s").code
        == "ChangeSetNotFound"
    )
    look(aws, template({"A": parameter("4")}), "four")
    aws.update("s", template({"A": parameter("5")}))
    no = refused(aws, "ExecuteChangeSet", ChangeSetName="four", StackName="s")
    assert no.message.endswith("cannot be executed in its current status of [OBSOLETE]")
    aws("DeleteChangeSet", ChangeSetName="four", StackName="s")
    aws("DeleteChangeSet", ChangeSetName="four", StackName="s")
    assert aws("ListChangeSets", StackName="s")["Summaries"] == []


def test_executed_again_with_the_same_token_it_is_the_same_request(aws: Aws) -> None:
    aws.create("s", template({"A": parameter("1")}))
    look(aws, template({"A": parameter("2")}))
    asked = {"ChangeSetName": "c", "StackName": "s"}
    aws("ExecuteChangeSet", **asked, ClientRequestToken="mine")
    aws("ExecuteChangeSet", **asked, ClientRequestToken="mine")
    no = refused(aws, "ExecuteChangeSet", **asked, ClientRequestToken="yours")
    assert no.code == "InvalidChangeSetStatus"
    aws.wait()
    assert aws.status("s") == "UPDATE_COMPLETE"


def test_a_change_set_says_what_happens_when_it_fails(aws: Aws) -> None:
    aws.fail("A")
    look(aws, template({"A": parameter()}), ChangeSetType="CREATE", OnStackFailure="DO_NOTHING")
    aws("ExecuteChangeSet", ChangeSetName="c", StackName="s")
    aws.wait()
    assert aws.status("s") == "CREATE_FAILED"
    look(aws, template({"A": parameter()}), stack="t", ChangeSetType="CREATE")
    aws("ExecuteChangeSet", ChangeSetName="c", StackName="t")
    aws.wait()
    assert aws.status("t") == "ROLLBACK_COMPLETE"
    executed = aws("DescribeChangeSet", ChangeSetName=aws.stack("t")["ChangeSetId"])
    assert executed["ExecutionStatus"] == "EXECUTE_FAILED"


def test_a_stack_that_was_only_looked_at_is_deleted_at_once(aws: Aws) -> None:
    look(aws, template({"A": parameter()}), ChangeSetType="CREATE")
    assert aws.delete("s") == "DELETE_COMPLETE"
    assert refused(aws, "DescribeStacks", StackName="s").message == "Stack with id s does not exist"
