"""Where the programs of a control plane are missing, the tests say so in one line, with the command that builds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.conftest import ROOT

#: One test of each folder that needs them.
NEED_THEM = (
    "tests/conformance_local/test_conformance_local_world.py",
    "tests/kube_live/test_kube_live_apply.py",
    "tests/life/test_life_demo_local.py::test_the_example_goes_up_and_down_and_the_last_words_prove_it",
    "tests/life/test_life_up_box.py",
    "tests/local/life/test_local_life_autoscaler.py",
)


def test_all_that_need_the_programs_are_skipped_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *NEED_THEM]  # fmt: skip
    nothing = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ran = subprocess.run(
        command, cwd=ROOT, env={**kept, **nothing}, capture_output=True, text=True, check=False
    )
    skipped = [line for line in ran.stdout.splitlines() if line.startswith("SKIPPED")]
    assert ran.returncode == 0, ran.stdout
    assert [line.partition(": ")[2] for line in skipped] == [
        "needs the programs of a control plane: lowtide local build"
    ], ran.stdout
