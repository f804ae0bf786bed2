"""Streams that are closed, full or know ASCII alone: a process gets them from its shell, so it is a process that is tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "noble-gpu" / "cluster.yaml"
NEEDS_FULL = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a device that is always full"
)


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which `lowtide` is the command and $CLUSTER a cluster file."""
    return subprocess.run(
        ["sh", "-c", f'lowtide() {{ "$PYTHON" -m lowtide "$@"; }}; {line}'],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHON": sys.executable, "CLUSTER": str(EXAMPLE), **environment},
    )


@pytest.mark.parametrize(
    "verb",
    [
        "check -f $CLUSTER",
        "prices --gpu T4",
        "simulate -f $CLUSTER",
        "compare $CLUSTER $CLUSTER",
        "--help",
    ],
)
def test_a_closed_stdout_takes_the_result_of_every_verb_in_silence(verb: str) -> None:
    ran = shell(f"lowtide {verb} >&-")
    assert ran.returncode == 0, ran.stderr
    assert b"error" not in ran.stderr


@pytest.mark.parametrize(
    ("verb", "code"), [("check -f no-such.yaml", 2), ("chekc", 2), ("simulate -f $CLUSTER", 0)]
)
def test_a_closed_stderr_does_not_change_the_exit_code(verb: str, code: int) -> None:
    assert shell(f"lowtide {verb} 2>&-").returncode == code


def test_a_closed_stdin_is_an_empty_file() -> None:
    ran = shell("lowtide check -f - <&-")
    assert ran.returncode == 2
    assert b"LT010" in ran.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
)
def test_a_terminal_that_knows_ascii_alone_gets_the_plots_in_ascii(
    environment: dict[str, str],
) -> None:
    ran = shell("lowtide simulate -f $CLUSTER", **{"PYTHONIOENCODING": "ascii", **environment})
    assert ran.returncode == 0, ran.stderr
    words = ran.stdout.decode("ascii")
    assert "+-----" in words
    assert "#####" in words
    assert "?" not in words


def test_a_json_document_keeps_a_file_name_that_is_not_utf8() -> None:
    ran = shell("lowtide check -o json -f $(printf '\\377').yaml", PYTHONIOENCODING="utf-8:strict")
    assert ran.returncode == 2
    (finding,) = json.loads(ran.stdout)["findings"]
    assert "\udcff.yaml" in finding["message"]


def test_a_json_document_is_whole_on_an_ascii_stream() -> None:
    ran = shell("lowtide check -o json -f zürich.yaml", PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    (finding,) = json.loads(ran.stdout.decode("ascii"))["findings"]
    assert "zürich.yaml" in finding["message"]


@NEEDS_FULL
@pytest.mark.parametrize("line", ["--help", "--version", "", "simulate --help"])
def test_help_and_version_meet_a_full_disk_in_words(line: str) -> None:
    ran = shell(f"lowtide {line} >/dev/full")
    assert ran.returncode == 1
    assert b"No space left on device" in ran.stderr
    assert b"Traceback" not in ran.stderr
    assert b"bug" not in ran.stderr


@pytest.mark.parametrize("line", ["--help", "simulate --help", "--version"])
def test_a_reader_of_help_may_stop_early(line: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lowtide", *line.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 0
