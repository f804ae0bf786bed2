"""At each call that ``up`` makes to AWS something goes wrong: no traceback, the right exit code, and the next run goes on.

Each call meets one fault, the next call the next one. FAULTS=all lets every call meet every fault.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.app.design import design
from lowtide.app.files import Inputs
from lowtide.aws.live.account import Account
from lowtide.aws.live.stacks import Stacks
from lowtide.cli.main import run
from lowtide.local.aws import faults
from tests.life.conftest import EXAMPLE

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

pytestmark = pytest.mark.slow

#: What goes wrong, and the exit codes that are right then: 0 is going on, 4 is that AWS said no.
FAULTS: tuple[tuple[dict[str, Any], set[int]], ...] = (
    ({"kind": "throttling", "times": 1}, {0}),
    ({"kind": "throttling", "times": 7}, {0, 4}),
    ({"kind": "drop-connection", "times": 1}, {0}),
    ({"kind": "access-denied", "times": 1}, {0, 4}),
    ({"kind": "error", "code": "InternalFailure", "times": 1}, {0, 4}),
    ({"kind": "expired-token", "times": 1}, {0, 4}),
    ({"kind": "clock-skew", "seconds": 3600, "times": 1}, {0, 4}),
)


class Runs:
    """Runs of ``up``, each of which has something to change, and the calls that they make."""

    def __init__(self, served: Serving, capsys: pytest.CaptureFixture[str]) -> None:
        self._served = served
        self._capsys = capsys
        self._text = EXAMPLE.read_text("utf-8")
        self._size = 4
        self.calls: dict[tuple[str, str], None] = {}

    def __call__(self) -> tuple[int, str]:
        """Change the file, run, and return exit code and words."""
        self._size = 4 + (self._size + 1) % 5
        Path("cluster.yaml").write_text(
            self._text.replace("maxSize: 10", f"maxSize: {self._size}", 1), "utf-8"
        )
        self._capsys.readouterr()
        code = run(["up", "--yes", "--addons", "none"])
        return code, self._capsys.readouterr().err

    def noted(self) -> tuple[int, str]:
        """Run and note the calls."""

        def note(box: Any, call: Any) -> None:
            if call.caller.access_key_id:
                self.calls[call.service, call.operation] = None

        self._served.box.faults.insert(0, note)
        try:
            return self()
        finally:
            self._served.box.faults.remove(note)


@pytest.fixture
def runs(
    real: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Runs]:
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    yield Runs(real, capsys)
    faults.remove(real.box)


def _chosen(number: int) -> tuple[tuple[dict[str, Any], set[int]], ...]:
    return FAULTS if os.environ.get("FAULTS") == "all" else (FAULTS[number % len(FAULTS)],)


def _is_whole() -> bool:
    wanted = {one.name for one in design(Inputs(cluster="cluster.yaml")).stacks}
    found = {one.name: one.status for one in Stacks(Account("us-east-1")).all()}
    return wanted == set(found) and all(
        re.fullmatch(r"\w+_COMPLETE", one) for one in found.values()
    )


def test_at_every_call_a_fault_is_waited_out_or_named_and_the_next_run_goes_on(
    runs: Runs, real: Serving
) -> None:
    for _ in range(2):  # creating and changing
        code, words = runs.noted()
        assert code == 0, words
    wrong, count = [], 0
    for number, (service, operation) in enumerate(sorted(runs.calls)):
        for fault, right in _chosen(number):
            count += 1
            faults.add(real.box, {**fault, "service": service, "operation": operation})
            code, words = runs()
            faults.remove(real.box)
            is_told = code == 0 or {"error:", "why:"} <= set(words.split())
            if code not in right or not is_told or "Traceback" in words:
                wrong.append((service, operation, fault, code, words[-600:]))
            if code != 0:
                code, words = runs()
                if code != 0:
                    wrong.append((service, operation, fault, code, words[-600:]))
    print(f"{count} faults, {count - len(wrong)} ended right")
    assert not wrong, "\n".join(map(str, wrong))
    assert count >= 15
    assert _is_whole()
