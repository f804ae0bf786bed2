"""Which faults are met where, and what is a right end of a run that met one."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.chaos import faults
from tests.chaos.faults import Fault, faults_in
from tests.chaos.walks import CALL_FAULTS, NEVER_REACHED, judged, places_in
from tests.chaos.world import Ran

LIFE = {
    "calls": {
        "create": [
            {"channel": "aws", "kind": "eks:DescribeCluster", "target": "x", "changes": False},
            {"channel": "aws", "kind": "eks:DescribeCluster", "target": "y", "changes": False},
            {"channel": "aws", "kind": "ssm:PutParameter", "target": "lease", "changes": True},
            {"channel": "kubernetes", "kind": "PATCH roles", "target": "a", "changes": True},
        ]
    },
    "held": {"create": [["VPC", "x", 1], ["resource", "one/Vpc", 1], ["resource", "two/Vpc", 1]]},
}


def test_every_kind_of_fault_has_its_places() -> None:
    found = places_in(LIFE)
    assert found["throttling"] == {"create": ["eks:DescribeCluster", "ssm:PutParameter lease"]}
    assert found["lost answer of Kubernetes"] == {"create": ["PATCH roles a"]}
    assert found["stack failure"] == {"create": ["Vpc"]}
    names = [one.name for one in faults_in(LIFE)]
    assert len(names) == len(set(names)) == 2 * (len(CALL_FAULTS) - 1) + 1 + 1 + 1
    assert "create: access denied at ssm:PutParameter lease" in names


@pytest.mark.parametrize(
    ("kind", "code", "said", "is_right"),
    [
        ("access denied", 4, "error: AWS denied ssm:PutParameter", True),
        ("access denied", 4, "error: AWS refused a call", False),
        ("access denied", 0, "", True),
        ("access denied", 1, "error: AWS denied ssm:PutParameter", False),
        ("access denied", 4, "Traceback (most recent call last)\nssm:PutParameter", False),
        ("throttling", 4, "error: AWS refused a call", False),
        ("throttling", 0, "", True),
        ("expired credentials", 4, "error: the AWS credentials have expired", True),
        ("clock skew", 4, "error: AWS refused the time of this machine's clock", True),
        ("clock skew", 70, "a bug, and the clock", False),
    ],
)
def test_a_run_ends_right_where_it_goes_on_or_says_what_is_wrong(
    kind: str, code: int, said: str, is_right: bool
) -> None:
    _, codes, words = CALL_FAULTS[kind]
    problem = judged(Ran(code=code, said=said), codes, words, "ssm:PutParameter lease")
    assert (problem == "") is is_right


def test_faults_that_hide_each_other_are_each_met_in_a_life_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first fault ends the look, so the others behind it are met only without it."""

    def lived(order: dict[str, Any], *_: object) -> dict[str, Any]:
        first, *others = order["places"]["down"]
        problems = {first: ""} | dict.fromkeys(others, f"{NEVER_REACHED}; 0: gone")
        return {"problems": {"down": problems}, "orphans": []}

    monkeypatch.setattr(faults, "lived", lived)
    three = [
        Fault(kind="lost answer of Kubernetes", stage="down", place=one)
        for one in ("LIST pods", "GET deployments", "GET configmaps")
    ]
    assert [(one.fault, one.problem) for one in faults._walk(three, {})] == [
        (one, "") for one in three
    ]
