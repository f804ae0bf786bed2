"""One box with EC2 and its neighbours, and time that passes when a test says so."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.local.ec2.ec2_box import Aws, open_aws


@pytest.fixture
def aws(tmp_path: Path) -> Aws:
    return open_aws(tmp_path)
