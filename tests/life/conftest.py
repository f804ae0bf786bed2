"""What tests of a cluster's life share: a box without control planes, and the example's file in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.programs import programs_or_skip

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

EXAMPLE = ROOT / "examples" / "noble-gpu" / "cluster.yaml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example's cluster.yaml, which is the current one; nothing of this machine's AWS settings counts."""
    here = tmp_path / "here"
    here.mkdir()
    shutil.copy(EXAMPLE, here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    return here


@pytest.fixture
def served(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A box whose clusters have no control plane, in the environment of every client."""
    pytest.importorskip("moto", reason="needs lowtide[local]")
    from lowtide.local.aws.settings import Settings
    from lowtide.local.serve import Serving

    with Serving(Settings(folder=tmp_path / "box", speed=1000.0)) as serving:
        for name, value in serving.environment().items():
            monkeypatch.setenv(name, value)
        yield serving


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A box whose clusters are real control planes, in the environment of every client; skips the test where their programs are missing."""
    pytest.importorskip("moto", reason="needs lowtide[local]")
    from lowtide.local.aws.settings import Settings
    from lowtide.local.serve import Serving

    programs_or_skip()
    folder = tmp_path_factory.mktemp("life")
    with (
        pytest.MonkeyPatch.context() as patch,
        Serving(Settings(folder=folder / "box", speed=200.0), planes="real") as serving,
    ):
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            patch.delenv(name, raising=False)
        for name, value in serving.environment().items():
            patch.setenv(name, value)
        patch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
        yield serving


@pytest.fixture
def here(real: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example's file in a folder of its own, which is the current one, beside a box with real control planes."""
    shutil.copy(EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
