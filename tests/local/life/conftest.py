"""A home of the test's own for the box in the background, which is brought down whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.local.life.home import Home, opened

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries


@pytest.fixture
def home(tmp_path: Path, binaries: Binaries) -> Iterator[Home]:
    """A home without a box."""
    with opened(tmp_path / "state") as made:
        yield made
