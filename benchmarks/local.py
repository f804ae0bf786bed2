"""The embedded AWS: from the start of its process to its first answer, and calls a second.

Run by itself: `python benchmarks/local.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# Run as a script, Python looks for modules beside it and not in the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import boto3

from benchmarks.figure import HEADER, Figure, measured
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import Serving

LOWTIDE = str(Path(sys.executable).with_name("lowtide"))
#: The issue's promise: ready in 2 s.
TARGET_READY_S = 2.0
CLIENTS, CALLS = 8, 400


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "XDG_STATE_HOME": home}
        yield Figure(
            name="embedded AWS: process start to ready, and stop",  # `true` runs once the door is open
            seconds=measured(lambda: _once(environment)),
            target_s=TARGET_READY_S,
        )
        yield Figure(
            name=f"embedded AWS: {CLIENTS} clients, iam:ListUsers",
            seconds=measured(_calls(home)),
            per_run=CALLS,
        )


def _once(environment: dict[str, str]) -> None:
    subprocess.run([LOWTIDE, "local", "aws", "--", "true"], env=environment, check=True)


def _calls(home: str) -> Any:
    def run() -> None:
        with Serving(Settings(folder=Path(home) / "box")) as served:
            given = served.environment()
            client: Any = boto3.client(
                "iam",
                endpoint_url=given["AWS_ENDPOINT_URL"],
                aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
                region_name=given["AWS_REGION"],
            )
            with ThreadPoolExecutor(CLIENTS) as threads:
                list(threads.map(lambda _: client.list_users(), range(CALLS)))

    return run


if __name__ == "__main__":
    print(HEADER)
    for figure in figures():
        print(figure.line())
