"""Why a stack failed, from its events."""

from __future__ import annotations

import itertools

from lowtide.model.stacks import StackEvent
from lowtide.resolve.first_cause import first_cause

_ids = itertools.count()


def _event(logical_id: str, status: str, reason: str = "") -> StackEvent:
    kind = "AWS::CloudFormation::Stack" if logical_id == "tide" else "AWS::EC2::VPC"
    number = next(_ids)
    return StackEvent(
        id=str(number),
        at_s=number,
        logical_id=logical_id,
        type=kind,
        status=status,
        reason=reason,
        is_stack=logical_id == "tide",
    )


CREATION = (
    _event("tide", "CREATE_IN_PROGRESS", "User Initiated"),
    _event("Vpc", "CREATE_IN_PROGRESS"),
    _event("Role", "CREATE_FAILED", "Resource creation cancelled"),
    _event("Vpc", "CREATE_FAILED", "The maximum number of VPCs has been reached."),
    _event("tide", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Vpc]."),
    _event("Vpc", "DELETE_COMPLETE"),
    _event("tide", "ROLLBACK_COMPLETE"),
)


def test_the_first_cause_is_the_resource_that_failed_by_itself() -> None:
    cause = "Vpc (AWS::EC2::VPC) CREATE_FAILED: The maximum number of VPCs has been reached."
    assert first_cause(CREATION) == cause


def test_a_later_deletion_that_went_well_does_not_hide_it() -> None:
    deletion = (_event("tide", "DELETE_IN_PROGRESS"), _event("tide", "DELETE_COMPLETE"))
    assert "maximum number of VPCs" in first_cause((*CREATION, *deletion))


def test_a_later_failure_wins_over_an_earlier_one() -> None:
    deletion = (_event("tide", "DELETE_IN_PROGRESS"), _event("Vpc", "DELETE_FAILED", "in use"))
    assert first_cause((*CREATION, *deletion)) == "Vpc (AWS::EC2::VPC) DELETE_FAILED: in use"


def test_a_stack_that_failed_as_a_whole_says_so_itself() -> None:
    whole = (_event("tide", "CREATE_IN_PROGRESS"), _event("tide", "CREATE_FAILED", "Throttled"))
    assert first_cause(whole) == "tide CREATE_FAILED: Throttled"


def test_without_a_failure_there_is_no_cause() -> None:
    assert first_cause((_event("tide", "CREATE_COMPLETE"),)) == ""
    assert first_cause(()) == ""
