"""What only a whole process shows: pipes, interrupts, and both ways to start it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LOWTIDE = [sys.executable, "-m", "lowtide"]


def test_a_reader_that_stops_early_is_no_error() -> None:
    """`lowtide prices | head -1` closes the pipe long before the table ends."""
    with subprocess.Popen(
        [*LOWTIDE, "prices"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        words = process.stderr.read()
        assert process.wait(timeout=120) == 0
    assert "Traceback" not in words
    assert "Broken" not in words


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_in_words() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*LOWTIDE, "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 1
    assert "No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_closed_stdout_is_no_error() -> None:
    ran = subprocess.run(
        ["sh", "-c", '"$0" -m lowtide version >&-', sys.executable],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_data_goes_to_stdout_and_words_to_stderr() -> None:
    ran = subprocess.run([*LOWTIDE, "init", "-f", "-"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("#")
    assert ran.stderr == ""


def test_an_error_leaves_stdout_empty_and_exits_with_two() -> None:
    ran = subprocess.run(
        [*LOWTIDE, "check", "-f", "no-such.yaml"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "no-such.yaml" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def opened_for_writing(pipe: Path, process: subprocess.Popen[str]) -> int:
    """Return the writing end once the process has opened the reading end, so that it is really waiting."""
    while process.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
    message = f"the command ended by itself: {process.communicate()}"
    raise AssertionError(message)


def interrupted(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """Send a signal until the process ends: one that lands between open() and read() is seen only with the next."""
    for _ in range(30):
        process.send_signal(number)
        try:
            return process.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    message = f"it did not end: {process.communicate()}"
    raise AssertionError(message)


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """Children hear SIGINT, also where the tests themselves were started in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_is_heard")
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated.")],
)
def test_ctrl_c_and_sigterm_end_with_their_code_and_one_word(
    tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    pipe = tmp_path / "cluster.yaml"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [*LOWTIDE, "check", "-f", str(pipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        writing_end = opened_for_writing(pipe, process)
        try:
            out, err = interrupted(process, number)
        finally:
            os.close(writing_end)
    assert process.returncode == code
    assert out == ""
    assert err.strip() == word


@pytest.mark.parametrize(
    ("before", "raised"),
    [
        ("raise KeyboardInterrupt", "while modules are imported"),
        (
            "class A:\n    def __set_name__(self, *_): raise KeyboardInterrupt\nclass B: a = A()",
            "wrapped",
        ),
    ],
)
def test_ctrl_c_during_imports_is_one_word_too(tmp_path: Path, before: str, raised: str) -> None:
    (tmp_path / "click.py").write_text(before)
    ran = subprocess.run(
        LOWTIDE,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (130, "", "Interrupted."), raised


def test_check_imports_no_more_than_it_reads(tmp_path: Path) -> None:
    cluster = tmp_path / "cluster.yaml"
    subprocess.run([*LOWTIDE, "init", "-f", cluster], capture_output=True, check=True)
    code = (
        "import sys; from lowtide.cli.main import run; run(['check', '-f', sys.argv[1]]); "
        "print(*(name for name in sys.modules if name.startswith('lowtide.')), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, cluster], capture_output=True, text=True, check=True
    )
    loaded = set(ran.stderr.split())
    assert "lowtide.resolve.cluster" in loaded
    unread = {"lowtide.spec.policy", "lowtide.spec.workloads"}
    unused = {"lowtide.model.scenario", "lowtide.model.run", "lowtide.report.series"}
    assert loaded & (unread | unused) == set()
