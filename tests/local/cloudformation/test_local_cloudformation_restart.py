"""A box that stops while stacks are under way goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.cloudformation.stacks_box import open_aws, parameter, template, text

CHAIN = {f"P{n}": parameter(DependsOn=f"P{n - 1}") if n else parameter() for n in range(6)}


@pytest.mark.parametrize("steps", [0, 1, 3, 7])
def test_a_creation_goes_on_after_a_restart(tmp_path: Path, steps: int) -> None:
    state = tmp_path / "aws.state"
    before = open_aws(tmp_path, state_file=state)
    before("CreateStack", StackName="s", TemplateBody=text(template(CHAIN)))
    for _ in range(steps):
        before.box.run_due(before.box.due[0].at)
    seen = before.events("s")
    before.box.stop()
    after = open_aws(tmp_path, state_file=state)
    assert after.events("s") == seen
    after.wait()
    assert after.status("s") == "CREATE_COMPLETE"
    assert len(after("DescribeParameters", service="ssm")["Parameters"]) == 6
    assert after.events("s")[: len(seen)] == seen
    assert after.delete("s") == "DELETE_COMPLETE"
    after.box.stop()


def test_a_rollback_and_change_sets_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "aws.state"
    before = open_aws(tmp_path, state_file=state)
    before.create(
        "s", template({"A": parameter("1", Name="a"), "B": parameter("1", DependsOn="A")})
    )
    before.create("t", template({"A": parameter("1")}))
    before(
        "CreateChangeSet",
        StackName="t",
        ChangeSetName="c",
        TemplateBody=text(template({"A": parameter("2")})),
    )
    before.wait()
    before.fail("B", times=1)
    body = template({"A": parameter("2", Name="a"), "B": parameter("2", DependsOn="A")})
    before("UpdateStack", StackName="s", TemplateBody=text(body))
    while before.status("s") != "UPDATE_ROLLBACK_IN_PROGRESS":
        before.box.run_due(before.box.due[0].at)
    before.box.stop()
    after = open_aws(tmp_path, state_file=state)
    after.wait()
    assert after.status("s") == "UPDATE_ROLLBACK_COMPLETE"
    assert after("GetParameter", service="ssm", Name="a")["Parameter"]["Value"] == "1"
    after("ExecuteChangeSet", StackName="t", ChangeSetName="c")
    after.wait()
    assert after.status("t") == "UPDATE_COMPLETE"
    after.box.stop()
