"""A box that serves on a free loopback port, with moto behind it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

import boto3
from botocore.config import Config

from lowtide.local.aws.settings import Settings
from lowtide.local.serve import Serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Reaches one box as its user and as its admin."""

    served: Serving

    def aws(self, service: str, **changed: Any) -> Any:
        """Return a boto3 client that tries once; keyword arguments change its credentials or region."""
        environment = self.served.environment()
        settings: dict[str, Any] = {
            "endpoint_url": environment["AWS_ENDPOINT_URL"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
            "region_name": environment["AWS_REGION"],
            "config": Config(retries={"total_max_attempts": 1}, max_pool_connections=30),
        }
        return boto3.client(service, **{**settings, **changed})

    def http(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Send one bare request and return status, body and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def admin(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Ask the admin door with the right token."""
        status, body, _ = self.http(
            method,
            f"/_lowtide{path}",
            None if document is None else json.dumps(document),
            {"Authorization": f"Bearer {self.served.door.token}"},
        )
        return status, json.loads(body)

    def fault(self, kind: str, **fields: Any) -> None:
        """Put a fault in force."""
        status, said = self.admin("POST", "/faults", {"kind": kind, **fields})
        assert status == 200, said


class Opener:
    """Opens boxes in one folder, one at a time: the process has one moto."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: Serving | None = None

    def __call__(self, **settings: Any) -> Client:
        """Stop the box that runs, if one does, and open the next."""
        self.stop()
        self._running = Serving(Settings(folder=self._folder, **settings)).__enter__()
        return Client(served=self._running)

    def stop(self) -> None:
        """Stop the box that runs."""
        running, self._running = self._running, None
        if running is not None:
            running.__exit__(None, None, None)


@pytest.fixture
def open_client(tmp_path: Path) -> Iterator[Opener]:
    """Open boxes; each is stopped at the test's end or before the next one opens."""
    opener = Opener(tmp_path / "box")
    yield opener
    opener.stop()


@pytest.fixture
def client(open_client: Opener) -> Client:
    """One running box with its state in memory."""
    return open_client()
