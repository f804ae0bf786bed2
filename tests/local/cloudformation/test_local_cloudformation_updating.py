"""Stacks are updated in place or by replacement, cleaned up, taken back when that fails, and refused when nothing differs."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, parameter, template, text


def vpc(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", **properties}}


def group(**properties: Any) -> dict[str, Any]:
    whole = {"GroupDescription": "one", "VpcId": {"Ref": "Vpc"}, **properties}
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": whole}


def refused(aws: Aws, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as error:
        aws(operation, **params)
    assert error.value.code == "ValidationError"
    return error.value.message


def stored(aws: Aws) -> dict[str, str]:
    names = [one["Name"] for one in aws("DescribeParameters", service="ssm")["Parameters"]]
    return {
        name: aws("GetParameter", service="ssm", Name=name)["Parameter"]["Value"] for name in names
    }


def since(aws: Aws, name: str, status: str) -> list[tuple[str, str, str]]:
    """Return the events after the last one of a stack with that status, itself included."""
    events = aws.events(name)
    at = max(index for index, one in enumerate(events) if one[:2] == (name, status))
    return events[at:]


def test_an_update_changes_what_differs_in_place_and_says_nothing_of_the_rest(aws: Aws) -> None:
    aws.create(
        "s", template({"A": parameter("1", Name="a"), "B": parameter("1", Name="b", DependsOn="A")})
    )
    body = template({"A": parameter("1", Name="a"), "B": parameter("2", Name="b", DependsOn="A")})
    assert aws.update("s", body) == "UPDATE_COMPLETE"
    assert since(aws, "s", "UPDATE_IN_PROGRESS") == [
        ("s", "UPDATE_IN_PROGRESS", "User Initiated"),
        ("B", "UPDATE_IN_PROGRESS", ""),
        ("B", "UPDATE_COMPLETE", ""),
        ("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ("s", "UPDATE_COMPLETE", ""),
    ]
    assert stored(aws) == {"a": "1", "b": "2"}
    assert aws.stack("s")["LastUpdatedTime"] > aws.stack("s")["CreationTime"]


def test_an_update_that_changes_nothing_is_refused(aws: Aws) -> None:
    body = template({"A": parameter()}, Outputs={"O": {"Value": "1"}})
    aws.create("s", body)
    said = refused(aws, "UpdateStack", StackName="s", TemplateBody=text(body))
    assert said == "No updates are to be performed."
    body["Outputs"]["O"]["Value"] = "2"
    assert aws.update("s", body) == "UPDATE_COMPLETE"
    assert aws.outputs("s") == {"O": "2"}


def test_resources_are_added_and_removed_the_removed_ones_in_the_cleanup(aws: Aws) -> None:
    aws.create(
        "s",
        template(
            {"A": parameter(), "Old": parameter(DependsOn="A"), "Older": parameter(DependsOn="Old")}
        ),
    )
    assert aws.update("s", template({"A": parameter(), "New": parameter()})) == "UPDATE_COMPLETE"
    assert since(aws, "s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") == [
        ("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ("Older", "DELETE_IN_PROGRESS", ""),
        ("Older", "DELETE_COMPLETE", ""),
        ("Old", "DELETE_IN_PROGRESS", ""),
        ("Old", "DELETE_COMPLETE", ""),
        ("s", "UPDATE_COMPLETE", ""),
    ]
    assert aws.statuses("s") == {"A": "CREATE_COMPLETE", "New": "CREATE_COMPLETE"}
    assert len(stored(aws)) == 2


def test_what_cannot_be_changed_is_replaced_and_what_needs_it_follows(aws: Aws) -> None:
    aws.create(
        "s",
        template({"Vpc": vpc(), "Group": group(), "Note": parameter({"Ref": "Group"}, Name="n")}),
    )
    old = aws.resource("s", "Group")["PhysicalResourceId"]
    body = template(
        {
            "Vpc": vpc(),
            "Group": group(GroupDescription="two"),
            "Note": parameter({"Ref": "Group"}, Name="n"),
        }
    )
    assert aws.update("s", body) == "UPDATE_COMPLETE"
    new = aws.resource("s", "Group")["PhysicalResourceId"]
    assert new != old
    assert stored(aws) == {"n": new}
    said = "Requested update requires the creation of a new physical resource; hence creating one."
    assert since(aws, "s", "UPDATE_IN_PROGRESS") == [
        ("s", "UPDATE_IN_PROGRESS", "User Initiated"),
        ("Group", "UPDATE_IN_PROGRESS", said),
        ("Group", "UPDATE_IN_PROGRESS", "Resource creation Initiated"),
        ("Group", "UPDATE_COMPLETE", ""),
        ("Note", "UPDATE_IN_PROGRESS", ""),
        ("Note", "UPDATE_COMPLETE", ""),
        ("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ("Group", "DELETE_IN_PROGRESS", ""),
        ("Group", "DELETE_COMPLETE", ""),
        ("s", "UPDATE_COMPLETE", ""),
    ]
    left = aws("DescribeSecurityGroups", service="ec2")["SecurityGroups"]
    assert old not in [one["GroupId"] for one in left]


def test_a_replaced_resource_whose_policy_says_retain_stays(aws: Aws) -> None:
    kept = {**group(), "UpdateReplacePolicy": "Retain"}
    aws.create("s", template({"Vpc": vpc(), "Group": kept}))
    old = aws.resource("s", "Group")["PhysicalResourceId"]
    kept["Properties"] = group(GroupDescription="two")["Properties"]
    assert aws.update("s", template({"Vpc": vpc(), "Group": kept})) == "UPDATE_COMPLETE"
    assert ("Group", "DELETE_SKIPPED", "") in aws.events("s")
    left = aws("DescribeSecurityGroups", service="ec2")["SecurityGroups"]
    assert old in [one["GroupId"] for one in left]


def test_a_failed_update_goes_back_to_what_was(aws: Aws) -> None:
    aws.create(
        "s", template({"A": parameter("1", Name="a"), "B": parameter("1", Name="b", DependsOn="A")})
    )
    aws.fail("B", "no luck")
    body = template({
        "A": parameter("2", Name="a"),
        "New": parameter("2", Name="new", DependsOn="A"),
        "B": parameter("2", Name="b", DependsOn=["A", "New"]),
    })  # fmt: skip
    assert aws.update("s", body) == "UPDATE_ROLLBACK_COMPLETE"
    assert stored(aws) == {"a": "1", "b": "1"}
    at = ("B", "UPDATE_FAILED", "no luck")
    events = aws.events("s")
    assert events[events.index(at) :] == [
        at,
        ("s", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [B]."),
        ("B", "UPDATE_COMPLETE", ""),
        ("A", "UPDATE_IN_PROGRESS", ""),
        ("A", "UPDATE_COMPLETE", ""),
        ("s", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ("New", "DELETE_IN_PROGRESS", ""),
        ("New", "DELETE_COMPLETE", ""),
        ("s", "UPDATE_ROLLBACK_COMPLETE", ""),
    ]
    assert aws.statuses("s").keys() == {"A", "B"}
    aws.heal()
    assert aws.update("s", body) == "UPDATE_COMPLETE"
    assert stored(aws) == {"a": "2", "b": "2", "new": "2"}


def test_a_failed_update_gives_a_replaced_resource_back_and_deletes_the_new_one(aws: Aws) -> None:
    aws.create("s", template({"Vpc": vpc(), "Group": group()}))
    old = aws.resource("s", "Group")["PhysicalResourceId"]
    aws.fail("Bad")
    body = template(
        {"Vpc": vpc(), "Group": group(GroupDescription="two"), "Bad": parameter(DependsOn="Group")}
    )
    assert aws.update("s", body) == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.resource("s", "Group")["PhysicalResourceId"] == old
    groups = aws("DescribeSecurityGroups", service="ec2")["SecurityGroups"]
    assert [one["GroupId"] for one in groups if one["Description"] in ("one", "two")] == [old]


def test_an_update_without_rollback_stays_failed_and_goes_on_later(aws: Aws) -> None:
    aws.create("s", template({"A": parameter("1", Name="a"), "B": parameter("1", Name="b")}))
    aws.fail("A")
    body = template(
        {
            "A": parameter("2", Name="a"),
            "B": parameter("2", Name="b"),
            "C": parameter("2", Name="c"),
        }
    )
    assert aws.update("s", body, DisableRollback=True) == "UPDATE_FAILED"
    assert aws.reason("s") == "The following resource(s) failed to update: [A]."
    assert stored(aws) == {"a": "1", "b": "2", "c": "2"}
    aws.heal()
    aws("UpdateStack", StackName="s", UsePreviousTemplate=True, DisableRollback=True)
    aws.wait()
    assert (aws.status("s"), stored(aws)) == ("UPDATE_COMPLETE", {"a": "2", "b": "2", "c": "2"})


def test_a_preserved_failed_update_can_be_rolled_back_later(aws: Aws) -> None:
    aws.create("s", template({"A": parameter("1", Name="a"), "B": parameter("1", Name="b")}))
    aws.fail("A")
    body = template(
        {
            "A": parameter("2", Name="a"),
            "B": parameter("2", Name="b"),
            "C": parameter("2", Name="c"),
        }
    )
    assert aws.update("s", body, DisableRollback=True) == "UPDATE_FAILED"
    aws.heal()
    aws("RollbackStack", StackName="s")
    aws.wait()
    assert aws.status("s") == "UPDATE_ROLLBACK_COMPLETE"
    assert stored(aws) == {"a": "1", "b": "1"}


def test_a_rollback_that_fails_can_be_continued_or_skip_what_fails(aws: Aws) -> None:
    aws.create(
        "s", template({"A": parameter("1", Name="a"), "B": parameter("1", Name="b", DependsOn="A")})
    )
    body = template({"A": parameter("2", Name="a"), "B": parameter("2", Name="b", DependsOn="A")})
    aws.fail("B")
    aws("UpdateStack", StackName="s", TemplateBody=text(body))
    aws.wait(1)  # A is being changed; what turns it back will find it gone
    aws("DeleteParameter", service="ssm", Name="a")
    aws.box.faults.append(_refuse_parameter("a"))
    aws.wait()
    assert aws.status("s") == "UPDATE_ROLLBACK_FAILED"
    assert aws.reason("s") == "The following resource(s) failed to update: [A]."
    said = refused(aws, "UpdateStack", StackName="s", TemplateBody=text(body))
    assert said.endswith("is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
    assert "cannot be skipped" in refused(
        aws, "ContinueUpdateRollback", StackName="s", ResourcesToSkip=["B"]
    )
    aws("ContinueUpdateRollback", StackName="s")
    aws.wait()
    assert aws.status("s") == "UPDATE_ROLLBACK_FAILED"
    aws.box.faults.pop()
    aws("ContinueUpdateRollback", StackName="s")
    aws.wait()
    assert (aws.status("s"), stored(aws)) == ("UPDATE_ROLLBACK_COMPLETE", {"a": "1", "b": "1"})


def test_a_resource_that_is_skipped_is_taken_for_what_it_was(aws: Aws) -> None:
    aws.create(
        "s", template({"A": parameter("1", Name="a"), "B": parameter("1", Name="b", DependsOn="A")})
    )
    aws.fail("B")
    body = template({"A": parameter("2", Name="a"), "B": parameter("2", Name="b", DependsOn="A")})
    aws("UpdateStack", StackName="s", TemplateBody=text(body))
    aws.wait(1)
    aws.box.faults.append(_refuse_parameter("a"))
    aws.wait()
    assert aws.status("s") == "UPDATE_ROLLBACK_FAILED"
    aws("ContinueUpdateRollback", StackName="s", ResourcesToSkip=["A"])
    aws.wait()
    assert (aws.status("s"), stored(aws)["a"]) == ("UPDATE_ROLLBACK_COMPLETE", "2")
    assert aws.statuses("s")["A"] == "UPDATE_COMPLETE"


def _refuse_parameter(name: str) -> Any:
    def refuse(_box: object, call: Any) -> None:
        if call.operation == "PutParameter" and call.params["Name"] == name:
            raise AwsError("AccessDeniedException", "not allowed")

    return refuse


def test_an_update_can_be_cancelled_while_it_is_under_way(aws: Aws) -> None:
    aws.create(
        "s", template({"A": parameter("1", Name="a"), "B": parameter("1", Name="b", DependsOn="A")})
    )
    body = template({"A": parameter("2", Name="a"), "B": parameter("2", Name="b", DependsOn="A")})
    aws("UpdateStack", StackName="s", TemplateBody=text(body))
    aws.wait(1)
    aws("CancelUpdateStack", StackName="s")
    aws.wait()
    assert (aws.status("s"), stored(aws)) == ("UPDATE_ROLLBACK_COMPLETE", {"a": "1", "b": "1"})
    assert ("A", "UPDATE_FAILED", "Resource update cancelled") in aws.events("s")
    assert ("s", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated") in aws.events("s")
    assert "cannot be called from current stack status" in refused(
        aws, "CancelUpdateStack", StackName="s"
    )


def test_a_stack_under_way_is_not_updated_again(aws: Aws) -> None:
    aws("CreateStack", StackName="s", TemplateBody=text(template({"A": parameter()})))
    said = refused(aws, "UpdateStack", StackName="s", UsePreviousTemplate=True)
    assert said.endswith("is in CREATE_IN_PROGRESS state and can not be updated.")
    assert (
        refused(aws, "UpdateStack", StackName="t", UsePreviousTemplate=True)
        == "Stack [t] does not exist"
    )


def test_the_type_of_a_resource_cannot_change(aws: Aws) -> None:
    aws.create("s", template({"A": parameter()}))
    said = refused(aws, "UpdateStack", StackName="s", TemplateBody=text(template({"A": vpc()})))
    assert said == (
        "Update of resource type is not permitted. The new template modifies resource type of "
        "the following resources: [A]"
    )


def test_parameters_keep_their_value_or_get_a_new_one(aws: Aws) -> None:
    body = template(
        {"A": parameter({"Fn::Sub": "${X}${Y}"}, Name="a")},
        Parameters={"X": {"Type": "String"}, "Y": {"Type": "String", "Default": "y"}},
    )
    aws.create("s", body, Parameters=[{"ParameterKey": "X", "ParameterValue": "x"}])
    aws(
        "UpdateStack",
        StackName="s",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "X", "UsePreviousValue": True},
            {"ParameterKey": "Y", "ParameterValue": "z"},
        ],
    )
    aws.wait()
    assert stored(aws) == {"a": "xz"}
    said = refused(aws, "UpdateStack", StackName="s", UsePreviousTemplate=True)
    assert said == "Parameters: [X] must have values"
    said = refused(
        aws,
        "CreateStack",
        StackName="t",
        TemplateBody=text(body),
        Parameters=[{"ParameterKey": "X", "UsePreviousValue": True}],
    )
    assert said.startswith("Invalid input for parameter key X. Cannot specify usePreviousValue")


def test_new_tags_of_the_stack_reach_its_resources_and_old_ones_leave(aws: Aws) -> None:
    body = template({"Vpc": vpc(), "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}})
    aws.create("s", body, Tags=[{"Key": "team", "Value": "x"}, {"Key": "old", "Value": "1"}])
    assert aws.update("s", body, Tags=[{"Key": "team", "Value": "y"}]) == "UPDATE_COMPLETE"
    vpc_id = aws.resource("s", "Vpc")["PhysicalResourceId"]
    found = aws("DescribeVpcs", service="ec2", VpcIds=[vpc_id])["Vpcs"][0]["Tags"]
    own = {one["Key"]: one["Value"] for one in found if not one["Key"].startswith("aws:")}
    assert own == {"team": "y"}
    assert aws.stack("s")["Tags"] == [{"Key": "team", "Value": "y"}]
    # A resource without tags has nothing to change.
    assert aws.statuses("s")["Handle"] == "CREATE_COMPLETE"


def test_a_cleanup_that_fails_leaves_the_update_complete_and_says_so(aws: Aws) -> None:
    aws.create("s", template({"Vpc": vpc(), "A": parameter()}))
    vpc_id = aws.resource("s", "Vpc")["PhysicalResourceId"]
    aws("CreateSubnet", service="ec2", VpcId=vpc_id, CidrBlock="10.0.0.0/24")
    assert aws.update("s", template({"A": parameter()})) == "UPDATE_COMPLETE"
    assert aws.reason("s") == "Update successful. One or more resources could not be deleted."
    assert aws.statuses("s").keys() == {"A"}
