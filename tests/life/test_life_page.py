"""docs/life.md says what is done."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lowtide.explain.cluster_status import _state
from lowtide.model.node_groups import SeenInstance
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


def _rows(marker: str) -> list[list[str]]:
    page = (ROOT / "docs" / "life.md").read_text("utf-8")
    _head, _line, *rows = (
        page.partition(f"<!-- {marker} -->\n")[2].partition("\n\n")[0].splitlines()
    )
    return [[cell.strip().strip("`") for cell in row.strip("| ").split(" | ")] for row in rows]


def _enum(service: str, shape: str) -> set[str]:
    session = pytest.importorskip("botocore.session").get_session()
    return set(session.get_service_model(service).shape_for(shape).enum)


@pytest.mark.parametrize(
    ("marker", "shape"),
    [("cluster", "ClusterStatus"), ("node groups", "NodegroupStatus"), ("add-ons", "AddonStatus")],
)
def test_the_page_has_every_state_that_eks_knows(marker: str, shape: str) -> None:
    rows = _rows(marker)
    states = [one[0] for one in rows]
    assert len(states) == len(set(states))
    assert set(states) == _enum("eks", shape)
    assert all(len(one) == len(rows[0]) and all(one) for one in rows), "no cell is empty"


def test_the_page_says_in_which_states_a_cluster_has_an_api_server_to_ask() -> None:
    pytest.importorskip("boto3")
    from lowtide.app.down_plan import LIVE
    from lowtide.app.kubeconfig import _USABLE

    said = {one[0]: (one[3], one[4]) for one in _rows("cluster")}
    assert said == {
        state: ("written" if state in _USABLE else "refused", "yes" if state in LIVE else "no")
        for state in _enum("eks", "ClusterStatus")
    }


def test_the_page_has_the_word_that_status_has_for_a_node() -> None:
    rows = _rows("nodes")
    assert {one[0] for one in rows} <= _enum("autoscaling", "LifecycleState")
    for lifecycle, kubernetes, word, _ in rows:
        instance = SeenInstance(
            id="i", instance_type="g4dn.xlarge", zone="a", state=lifecycle, spot=True
        )
        assert _state(instance, _node(kubernetes)) == word


def _node(words: str) -> dict[str, Any] | None:
    """Return a node as ``kubectl get nodes`` would call it."""
    if words == "nothing":
        return None
    ready, _, closed = words.partition(",")
    spec = {"unschedulable": True} if closed else {}
    status = {"type": "Ready", "status": "True" if ready == "Ready" else "False"}
    return {"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": [status]}}
