"""An account to talk to: the embedded AWS, on a loopback port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("boto3")

from lowtide.aws.live.account import Account


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A box without control planes, reached as every client reaches it."""
    pytest.importorskip("moto", reason="needs lowtide[local]")
    from lowtide.local.aws.settings import Settings
    from lowtide.local.serve import Serving

    with Serving(Settings(folder=tmp_path / "box")) as served:
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        yield Account("us-east-1")
