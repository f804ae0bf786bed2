"""docs/life.md says what is done."""

from __future__ import annotations

import re

from lowtide.model.stacks import SeenStack, WantedStack
from lowtide.resolve.converge import next_steps
from tests.conftest import ROOT

_ROW = re.compile(r"^\| (.+) \| (.+) \|$", re.MULTILINE)
_WORD = re.compile(r"`([A-Z_]+)`")
#: CloudFormation user guide, "Stack status codes", without those of imports.
STATES = {
    "CREATE_COMPLETE", "CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS",
    "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS",
}  # fmt: skip


def _table() -> dict[str, str]:
    page = (ROOT / "docs" / "life.md").read_text("utf-8")
    section = page.partition("<!-- states -->")[2].partition("\n\n")[0]
    return {state: done for first, done in _ROW.findall(section) for state in _WORD.findall(first)}


def test_the_page_has_every_state_of_a_stack() -> None:
    assert set(_table()) == STATES


def test_the_page_says_of_every_state_what_is_done() -> None:
    wanted = [WantedStack(name="a")]
    done = {
        state: next_steps(wanted, (), {"a": SeenStack(name="a", status=state)}, {}, has_nodes=True)[
            0
        ].verb.value
        for state in STATES
    }
    assert _table() == done
