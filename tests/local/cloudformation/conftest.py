"""A box of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.local.cloudformation.stacks_box import Aws, open_aws


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    opened = open_aws(tmp_path)
    yield opened
    opened.box.stop()
