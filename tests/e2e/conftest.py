"""What the tests of the whole need: the programs of a control plane, and the real clients on PATH."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from tests.local.conftest import binaries
from tests.local.life.home import Home, opened

if TYPE_CHECKING:
    from lowtide.local.controlplane.binaries import Binaries

__all__ = ["binaries"]


@pytest.fixture
def home(tmp_path: Path, binaries: Binaries) -> Iterator[Home]:
    """A home without a box, with the aws CLI and kubectl on PATH."""
    for client in ("aws", "kubectl"):
        if shutil.which(client) is None:
            pytest.skip(f"needs {client} on PATH")
    with opened(tmp_path / "state") as made:
        yield made
