"""A watched command dies at its point and at no other, and the inventory sees what is twice or left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.aws.live.account import Account
from tests.chaos.calls import Call
from tests.chaos.inventory import difference, inventory
from tests.chaos.points import AFTER, BEFORE, Point
from tests.conftest import ROOT

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

LEASE = "ssm:PutParameter"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A box without control planes, in the environment of every client."""
    from lowtide.local.aws.settings import Settings
    from lowtide.local.serve import Serving

    (tmp_path / "cluster.yaml").write_text((ROOT / "tests/chaos/cluster.yaml").read_text())
    with Serving(Settings(folder=tmp_path / "box", speed=1000.0)) as serving:
        for name, value in serving.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        yield serving


def _killed(folder: Path, moment: str) -> tuple[int, list[Call]]:
    record = folder / "calls.jsonl"
    point = Point(stage="create", kind=LEASE, moment=moment)
    order = json.dumps({"record": str(record), "kill": point.document()})
    ran = subprocess.run(
        [sys.executable, "-m", "tests.chaos.watched", order, "up", "--yes"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return ran.returncode, [Call(**json.loads(one)) for one in record.read_text().splitlines()]


@pytest.mark.parametrize(("moment", "made"), [(BEFORE, 0), (AFTER, 1)])
def test_a_run_is_killed_before_its_request_is_sent_or_after_the_answer_came(
    served: Serving, tmp_path: Path, moment: str, made: int
) -> None:
    before = inventory(Account("us-east-1"))
    code, calls = _killed(tmp_path, moment)
    assert code == -9
    assert calls[-1].kind == LEASE
    assert [one for one in calls if one.changes] == calls[-1:]
    found = difference(before, inventory(Account("us-east-1")))
    assert found == ("+ 1 parameter /lowtide/chaos/lease",) * made


def test_what_is_twice_and_what_is_missing_is_told() -> None:
    wanted = Counter({("role", "a"): 1, ("VPC", "b"): 1})
    found = Counter({("role", "a"): 2, ("volume", "c"): 1})
    assert difference(wanted, found) == ("+ 1 role a", "+ 1 volume c", "- 1 VPC b")
    assert difference(wanted, wanted) == ()
