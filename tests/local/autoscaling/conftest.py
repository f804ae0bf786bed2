"""One box with Auto Scaling in it, and time that passes when a test says so."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.local.autoscaling.asg_box import Groups, open_groups


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    return open_groups(tmp_path)
