"""Generated stacks with generated failures: nothing hangs, and what is rolled back is what was."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, open_aws, parameter, template, text

_LETTERS = "ABCDE"
_END = {
    *("CREATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_FAILED"),
    *("UPDATE_ROLLBACK_COMPLETE", "DELETE_COMPLETE"),
}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a template of parameters that need each other; a parameter's name is what cannot be changed in place."""
    names: list[str] = draw(st.lists(st.sampled_from(_LETTERS), min_size=1, unique=True))
    resources: dict[str, Any] = {}
    for name in names:
        value: Any = draw(st.sampled_from(["1", "2"]))
        refers: bool = draw(st.booleans())
        if resources and refers:
            other = draw(st.sampled_from(sorted(resources)))
            value = {"Fn::Sub": f"${{{other}}} {value}"}
        stored = f"{name}-{draw(st.sampled_from(['a', 'b']))}"
        resources[name] = parameter(value, Name=stored)
        depends: bool = draw(st.booleans())
        if len(resources) > 1 and depends:
            resources[name]["DependsOn"] = draw(st.sampled_from(sorted(set(resources) - {name})))
    return template(resources)


def stored(aws: Aws) -> dict[str, str]:
    names = [one["Name"] for one in aws("DescribeParameters", service="ssm")["Parameters"]]
    return {
        name: aws("GetParameter", service="ssm", Name=name)["Parameter"]["Value"] for name in names
    }


_steps = st.lists(
    st.tuples(
        bodies(), st.sets(st.sampled_from(_LETTERS), max_size=2), st.booleans(), st.booleans()
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=_steps)
def test_whatever_fails_a_stack_comes_to_an_end_and_a_rollback_to_what_was(
    steps: list[tuple[dict[str, Any], set[str], bool, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        aws = open_aws(Path(folder))
        try:
            for step in steps:
                _take(aws, *step)
            aws.heal()
            stack_id = aws.stack("s")["StackId"] if aws("DescribeStacks")["Stacks"] else ""
            aws("DeleteStack", StackName="s")
            aws.wait()
            assert not stack_id or aws.status(stack_id) == "DELETE_COMPLETE", aws.events(stack_id)
            assert stored(aws) == {}
        finally:
            aws.box.stop()


def test_what_a_failed_update_made_is_not_lost_when_the_next_one_cannot_replace_it(
    aws: Aws,
) -> None:
    first = {"A": parameter(Name="a")}
    _take(aws, template(first), set(), keeps=False, cancels=False)
    more = {**first, "B": parameter(Name="b"), "C": parameter(Name="c")}
    _take(aws, template(more), {"B"}, keeps=True, cancels=False)
    assert stored(aws).keys() == {"a", "c"}
    _take(aws, template({"C": parameter(Name="other")}), {"C"}, keeps=True, cancels=False)
    assert aws.delete("s") == "DELETE_COMPLETE"
    assert stored(aws) == {}


def _take(aws: Aws, body: dict[str, Any], failing: set[str], keeps: bool, cancels: bool) -> None:
    """Create or update the stack while some resources fail, and check where that ends."""
    before = stored(aws)
    is_there = bool(aws("DescribeStacks")["Stacks"])
    for name in failing:
        aws.fail(name, times=1)
    try:
        operation = "UpdateStack" if is_there else "CreateStack"
        aws(operation, StackName="s", TemplateBody=text(body), DisableRollback=keeps)
    except AwsError as error:
        if error.code != "ValidationError":
            raise
        aws.heal()  # nothing differs, or the stack's status forbids it
        return
    if cancels and is_there:
        aws.wait(1)
        if aws.status("s") == "UPDATE_IN_PROGRESS":
            aws("CancelUpdateStack", StackName="s")
    aws.wait()
    aws.heal()
    status = aws.status("s")
    assert status in _END, aws.events("s")
    events = aws.events("s")
    if status == "UPDATE_ROLLBACK_COMPLETE" and not _was_preserved(events):
        assert stored(aws) == before, events
    if status == "ROLLBACK_COMPLETE":
        assert stored(aws) == {}, events
    if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        wanted = {one["Properties"]["Name"] for one in body["Resources"].values()}
        assert stored(aws).keys() == wanted, events
        assert aws.statuses("s").keys() == body["Resources"].keys()


def _was_preserved(events: list[tuple[str, str, str]]) -> bool:
    """Whether a failure was kept before: a rollback goes back to before that one then."""
    return any(
        name == "s" and status in {"CREATE_FAILED", "UPDATE_FAILED"} for name, status, _ in events
    )
