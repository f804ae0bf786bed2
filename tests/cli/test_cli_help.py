"""Help names what works, shows how, and costs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide import __version__
from lowtide.cli.main import VERBS

Lowtide = Callable[..., Any]


def test_no_arguments_show_the_help(lowtide: Lowtide) -> None:
    ran = lowtide()
    assert ran.code == 0
    assert ran.out == lowtide("--help").out
    assert "Start here:" in ran.out


def test_help_lists_every_verb_with_its_purpose(lowtide: Lowtide) -> None:
    text = lowtide("--help").out
    for verb, (_, purpose) in VERBS.items():
        assert f"{verb} " in text
        assert purpose in text


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_has_examples_of_that_verb(lowtide: Lowtide, verb: str) -> None:
    ran = lowtide(verb, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert f"lowtide {verb}" in ran.out.split("Examples:")[1]


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["completion", "bash"]])
def test_help_version_and_completion_load_nothing_heavy(arguments: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lowtide", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {
        line.rsplit("|", 1)[1].strip().split(".")[0]
        for line in ran.stderr.splitlines()
        if "|" in line
    }
    ours = {
        line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if "lowtide." in line
    }
    assert loaded & {"pydantic", "yaml", "rich", "vl_convert"} == set()
    assert {room for room in ours if room.split(".")[1] not in {"cli", "model"}} == set()


def test_python_dash_m_is_the_same_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "lowtide", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"lowtide {__version__}\n"


def test_version_as_json_is_one_document(lowtide: Lowtide) -> None:
    document = lowtide("version", "-o", "json").document
    assert document["schema"] == "lowtide.version/v1"
    assert document["version"] == __version__


def test_the_bash_completion_script_loads_and_completes_a_verb(
    lowtide: Lowtide, tmp_path: Path
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    command = tmp_path / "bin" / "lowtide"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lowtide "$@"\n')
    command.chmod(0o755)
    asked = (
        lowtide("completion", "bash").out
        + "\nCOMP_WORDS=(lowtide sim); COMP_CWORD=1; _lowtide_completion lowtide\n"
        + 'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    ran = subprocess.run(
        [bash, "--norc", "-c", asked],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.split() == ["simulate"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_get_a_script_that_calls_lowtide(lowtide: Lowtide, shell: str) -> None:
    ran = lowtide("completion", shell)
    assert ran.code == 0
    assert f"_LOWTIDE_COMPLETE={shell}_complete" in ran.out


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_is_read_without_complaint_where_the_shell_is_there(
    lowtide: Lowtide, shell: str, tmp_path: Path
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    script = tmp_path / "completion"
    script.write_text(lowtide("completion", shell).out)
    ran = subprocess.run([program, "-n", str(script)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
