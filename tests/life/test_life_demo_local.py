"""``lowtide demo --local``: the example's life can be watched, and the box is gone afterwards, however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.app.demo_local import COMMANDS
from lowtide.cli.main import run
from tests.conftest import ROOT
from tests.programs import programs_or_skip

if TYPE_CHECKING:
    from collections.abc import Mapping

DEMO = [sys.executable, "-m", "lowtide", "demo", "--local"]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nobody has built or installed the programs of a control plane."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LOWTIDE_BINARIES", raising=False)


def test_without_the_programs_it_names_the_ways_to_get_them(
    empty: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--local"]) != 0
    assert "lowtide local build" in capsys.readouterr().err


def test_as_a_second_act_it_says_what_is_missing_and_ends_well(
    empty: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "--local", "--if-built"]) == 0
    said = capsys.readouterr().err
    assert "The same in a real control plane: lowtide demo --local. Not yet here" in said
    assert "lowtide local build" in said


def test_in_a_checkout_the_second_act_names_the_make_that_gets_it(
    empty: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert run(["demo", "--local", "--if-built"]) == 0
    said = capsys.readouterr().err
    assert "The same in a real control plane: make demo-local. Not yet here" in said
    assert "gets what is missing" in said


def test_without_kubectl_it_says_where_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["demo", "--local"]) == 2
    words = capsys.readouterr().err
    assert "kubectl is missing" in words
    assert "https://kubernetes.io/docs/tasks/tools/" in words


def test_it_has_no_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--local", "-o", "json"]) == 2
    assert "demo --local has no document" in capsys.readouterr().err


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a demo whose boxes lie in a folder of the test; skips it where the programs are missing."""
    programs_or_skip()
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


def _left(folder: Path) -> tuple[list[str], list[str]]:
    """Return folders of boxes and demos that are still there, and processes that were started with a path in them."""
    boxes = [str(one) for one in (folder / "lowtide" / "local").glob("aws-*")]
    demos = [str(one) for one in folder.glob("lowtide-demo-*")]
    running = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = one.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words:
            running.append(words.decode(errors="replace"))
    return boxes + demos, running


@pytest.mark.slow
def test_the_example_goes_up_and_down_and_the_last_words_prove_it(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    ran = subprocess.run(DEMO, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    places = [ran.stdout.index(f"$ {one}\n") for one in COMMANDS]
    assert places == sorted(places)
    assert len(re.findall(r"g4dn\.xlarge +us-east-1[abc]\n", ran.stdout)) == 10
    assert "GPUs: 10 asked for, 10 held by pods, 10 offered by nodes" in ran.stdout
    last = ran.stdout.rstrip().splitlines()[-1]
    assert last.startswith("Nothing of noble-gpu-example is left in us-east-1: looked for ")
    assert _left(tmp_path) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_broken_off_it_leaves_no_box(
    how: signal.Signals, environment: Mapping[str, str], tmp_path: Path
) -> None:
    started = subprocess.Popen(
        DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert started.stdout is not None
    for line in started.stdout:
        if "$ kubectl apply" in line:
            break
    assert any("kube-apiserver" in one for one in _left(tmp_path)[1])
    started.send_signal(how)
    words, _ = started.communicate(timeout=60)
    assert started.returncode == 130
    assert words.rstrip().splitlines()[-1] == "Interrupted."
    assert "Traceback" not in words
    assert _left(tmp_path) == ([], [])
