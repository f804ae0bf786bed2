"""Control planes for tests: in a folder of the test's own, stopped whatever happens."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lowtide.local.controlplane.binaries import Binaries
from lowtide.local.controlplane.planes import Plane, Planes

STAGES = Path(__file__).parent / "stages.yaml"

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make_planes(tmp_path: Path, binaries: Binaries) -> Iterator[Callable[..., Planes]]:
    """A function that opens Planes, in a folder of that name, with the admission that is given."""
    opened: list[Planes] = []

    def make(name: str = "box", **admission: bool) -> Planes:
        planes = Planes(
            tmp_path / name, admission=admission, binaries=lambda _: binaries, stages=STAGES
        )
        opened.append(planes)
        return planes

    try:
        yield make
    finally:
        for planes in opened:
            planes.stop_all()


@pytest.fixture
def kubectl() -> Kubectl:
    """A function that runs the real kubectl as a plane's admin."""

    def run(plane: Plane, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", f"--kubeconfig={plane.admin_kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
