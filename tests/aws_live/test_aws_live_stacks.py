"""Change sets of CloudFormation as the verbs use them, against the box."""

from __future__ import annotations

import json
import time

import pytest

pytest.importorskip("boto3")

from lowtide.aws.live.account import Account
from lowtide.aws.live.stacks import CHANGE_SET, StackRequest, Stacks
from lowtide.model.errors import AwsError


def _request(*values: str) -> StackRequest:
    made = {
        f"P{number}": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": value},
        }
        for number, value in enumerate(values)
    }
    return StackRequest(name="tide", body=json.dumps({"Resources": made}))


def _until(stacks: Stacks, status: str) -> None:
    until = time.monotonic() + 60
    while (found := stacks.look("tide")) is None or found.status != status:
        assert time.monotonic() < until, found
        time.sleep(0.05)


def test_a_change_set_whose_execution_was_begun_is_not_refused_a_second_time(
    account: Account,
) -> None:
    stacks = Stacks(account)
    stacks.create(_request("1"))
    _until(stacks, "CREATE_COMPLETE")
    stacks.ask_change(_request("2"))
    stacks.execute("tide")
    stacks.execute("tide")  # as when the answer to the first was lost
    _until(stacks, "UPDATE_COMPLETE")
    stacks.execute("tide")


def test_a_change_set_that_cannot_be_executed_is_still_refused(account: Account) -> None:
    stacks = Stacks(account)
    stacks.create(_request("1"))
    _until(stacks, "CREATE_COMPLETE")
    stacks.ask_change(_request("1"))  # nothing changes, so it fails
    with pytest.raises(AwsError, match="refused") as refused:
        stacks.execute("tide")
    assert refused.value.code == "InvalidChangeSetStatus"
    assert stacks.change("tide", name=CHANGE_SET) is not None
