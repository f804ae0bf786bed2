"""No verb uses an IAM action that the record lacks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lowtide.local.controlplane.binaries import Binaries
from tests.conftest import ROOT


@pytest.mark.slow
def test_no_verb_uses_an_action_that_is_not_recorded(binaries: Binaries) -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "iam.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
