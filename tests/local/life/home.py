"""The home of one user's box, in which a test types as that user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from lowtide.local.controlplane.ownership import Process, read_record

PYTHON = [sys.executable, "-m", "lowtide"]


@dataclass
class Home:
    """The home of one user's box."""

    state: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
        self.environment = {
            **kept,
            "XDG_STATE_HOME": str(self.state),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "KUBECONFIG": str(self.state / "kubeconfig"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def folder(self) -> Path:
        return self.state / "lowtide" / "local" / "box"

    def run(self, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a verb of lowtide."""
        return subprocess.run(
            [*PYTHON, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def document(self, *arguments: str) -> Any:
        """Return what a verb prints with ``-o json``."""
        ran = self.run(*arguments, "-o", "json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def up(self, *arguments: str) -> Any:
        """Bring the box up and paste the lines."""
        up = self.document("local", "up", *arguments)
        self.environment |= up["environment"]
        return up

    def shell(
        self, *command: str, folder: Path | None = None, timeout: float = 300.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the shell into which the lines were pasted."""
        return subprocess.run(
            command,
            env=self.environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def aws(self, service: str) -> Any:
        """Return a boto3 client as the pasted lines make it."""
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_REGION"],
        )

    def children(self) -> list[Process]:
        """Return the recorded programs of all clusters, their autoscalers among them."""
        clusters = self.folder / "clusters"
        records = [
            read_record(one) for one in (*clusters.glob("*/"), *clusters.glob("*/autoscaler"))
        ]
        return [child for record in records if record is not None for child in record.children]


@contextmanager
def opened(state: Path) -> Iterator[Home]:
    """A home without a box; what is up in it at the end is brought down."""
    made = Home(state)
    made.state.mkdir()
    try:
        yield made
    finally:
        made.run("local", "down", "--no-keep", timeout=200)
