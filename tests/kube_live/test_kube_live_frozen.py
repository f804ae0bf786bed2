"""An API server that takes connections and never answers is told in words, not in those of the TLS library."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="needs lowtide[local]")

from lowtide.kube.live import kinds, reaching
from lowtide.kube.live.client import Unreachable
from lowtide.local.controlplane import certificates


@pytest.fixture
def frozen() -> Iterator[int]:
    """The port of a server that lets connections in and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def ca(tmp_path: Path) -> str:
    pair = certificates.Pair(certificate=tmp_path / "ca.pem", key=tmp_path / "ca.key")
    certificates._authority(pair, "kubernetes")
    return base64.b64encode(pair.certificate.read_bytes()).decode()


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_server_that_never_answers_is_said_to_be_one(
    scheme: str, frozen: int, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "TIMEOUT_S", 0.2)
    place = f"{scheme}://127.0.0.1:{frozen}"
    with (
        reaching.reach("vision", place, ca, lambda: "token") as cluster,
        pytest.raises(Unreachable) as failed,
    ):
        cluster.list(kinds.NODE)
    assert failed.value.what == "the API server cannot be reached"
    assert failed.value.why == "it did not answer within 0.2 s"
    assert failed.value.where == f"cluster vision, {place}"
