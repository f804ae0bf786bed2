"""``lowtide local aws`` and ``lowtide local fault``, as somebody types them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.cli.local import LOCAL_VERBS
from lowtide.cli.main import run

PYTHON = [sys.executable, "-m", "lowtide"]
#: Stands in for the aws CLI: service, operation, and pairs of option and value.
BOTO3 = """
import boto3, sys
service, operation, *rest = sys.argv[1:]
given = {name.strip("-").capitalize(): value for name, value in zip(rest[::2], rest[1::2])}
print(getattr(boto3.client(service), operation.replace("-", "_"))(**given))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "XDG_STATE_HOME": str(tmp_path / "state")}


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTHON, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A served box and the variables that it printed."""
    started = subprocess.Popen(
        [*PYTHON, "local", "aws"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    try:
        lines = [started.stdout.readline().strip() for _ in range(5)]
        yield started, dict(line.removeprefix("export ").split("=", 1) for line in lines)
    finally:
        if started.poll() is None:
            started.terminate()
        started.communicate(timeout=60)


def test_a_command_runs_beside_the_box_and_its_exit_code_is_ours(
    environment: dict[str, str],
) -> None:
    script = (
        "import boto3, sys; "
        "print(boto3.client('sts').get_caller_identity()['Account']); sys.exit(7)"
    )
    ran = _run(environment, "local", "aws", "--", sys.executable, "-c", script)
    assert (ran.returncode, ran.stdout) == (7, "123456789012\n"), ran.stderr
    killed = "import os; os.kill(os.getpid(), 15)"
    assert _run(environment, "local", "aws", "--", sys.executable, "-c", killed).returncode == 143
    assert list((Path(environment["XDG_STATE_HOME"]) / "lowtide" / "local").iterdir()) == []


@pytest.mark.slow
def test_what_was_made_in_a_box_with_a_state_file_is_there_in_the_next_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    kept = tmp_path / "aws.state"

    def typed(*command: str) -> str:
        client = [sys.executable, "-c", BOTO3] if shutil.which("aws") is None else ["aws"]
        ran = _run(environment, "local", "aws", "--state", str(kept), "--", *client, *command)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    typed("ssm", "put-parameter", "--name", "/kept", "--value", "tide", "--type", "String")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "tide" in typed("ssm", "get-parameter", "--name", "/kept")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    without = ("local", "aws", "--", sys.executable, "-c", BOTO3)
    assert _run(environment, *without, "ssm", "get-parameter", "--name", "/kept").returncode != 0


def test_a_command_that_cannot_be_run_is_named(environment: dict[str, str]) -> None:
    ran = _run(environment, "local", "aws", "--", "no-such-command")
    assert ran.returncode == 2
    assert "no-such-command cannot be run" in ran.stderr
    assert "No such file or directory" in ran.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_served_box_prints_the_lines_to_paste_and_stops_cleanly(
    running: tuple[subprocess.Popen[str], dict[str, str]], sent: signal.Signals
) -> None:
    started, printed = running
    assert list(printed) == [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ]
    assert printed["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    started.send_signal(sent)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 0
    assert said.endswith("Stopped.\n")
    assert "Traceback" not in said


def test_faults_are_put_listed_cleared_and_the_box_stopped_by_the_fault_verb(
    running: tuple[subprocess.Popen[str], dict[str, str]], environment: dict[str, str]
) -> None:
    started, _ = running
    put = _run(environment, "local", "fault", "slow", "--service", "eks", "--seconds", "2")
    assert put.returncode == 0, put.stderr
    assert "id=f-1" in put.stdout
    listed = json.loads(_run(environment, "local", "fault", "list", "-o", "json").stdout)
    assert listed["faults"] == [{"id": "f-1", "kind": "slow", "service": "eks", "seconds": 2.0}]
    assert _run(environment, "local", "fault", "clear", "f-1").returncode == 0
    assert _run(environment, "local", "fault", "clear", "f-1").returncode == 2
    bad = _run(environment, "local", "fault", "flood")
    assert bad.returncode == 2
    assert "kind is one of throttling" in bad.stderr
    assert _run(environment, "local", "fault", "list", "--port", "1").returncode == 2
    assert _run(environment, "local", "fault", "stop").returncode == 0
    assert started.wait(60) == 0


def test_without_a_box_the_fault_verb_says_how_to_start_one(environment: dict[str, str]) -> None:
    ran = _run(environment, "local", "fault", "list")
    assert ran.returncode == 2
    assert "no box is running" in ran.stderr
    assert "lowtide local aws" in ran.stderr


def test_a_box_that_was_killed_leaves_nothing_after_the_next_start(
    environment: dict[str, str],
) -> None:
    home = Path(environment["XDG_STATE_HOME"]) / "lowtide" / "local"
    script = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    assert _run(environment, "local", "aws", "--", sys.executable, "-c", script).returncode == -9
    assert len(list(home.iterdir())) == 1
    assert _run(environment, "local", "aws", "--", sys.executable, "-c", "").returncode == 0
    assert list(home.iterdir()) == []


def test_a_port_in_use_is_named(
    running: tuple[subprocess.Popen[str], dict[str, str]], environment: dict[str, str]
) -> None:
    port = running[1]["AWS_ENDPOINT_URL"].rpartition(":")[2]
    ran = _run(environment, "local", "aws", "--port", port, "--", "true")
    assert ran.returncode == 1
    assert f"Port {port} cannot be used" in ran.stderr


@pytest.mark.parametrize("given", ["X", "X=yes", "=on"])
def test_an_admission_choice_is_on_or_off(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["local", "aws", "--admission", given]) == 2
    assert "KEY=on or KEY=off" in capsys.readouterr().err


def test_without_the_extra_the_install_command_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert run(["local", "aws", "--", "true"]) == 2
    assert "pip install 'lowtide[local]'" in capsys.readouterr().err


@pytest.mark.parametrize("verb", LOCAL_VERBS)
def test_the_help_of_each_local_verb_has_examples_of_that_verb(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["local", verb, "--help"]) == 0
    assert f"lowtide local {verb}" in capsys.readouterr().out.split("Examples:")[1]
