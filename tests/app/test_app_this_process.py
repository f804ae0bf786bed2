"""A process is told from all others, and seen to have ended, on this machine alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lowtide.app.this_process import has_ended, this_process, user_and_host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells these things")

SHOW = (
    "from lowtide.app.this_process import this_process; print(this_process(), flush=True); input()"
)


def test_a_process_runs_until_it_has_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        process = other.stdout.readline().strip()
        assert process != this_process()
        assert not has_ended(process)
        other.kill()
        other.wait()
    assert has_ended(process)


def test_this_process_has_not_ended() -> None:
    assert not has_ended(this_process())


def test_a_number_that_belongs_to_another_process_now_is_another_process() -> None:
    machine, _, rest = this_process().partition("] ")
    assert has_ended(f"{machine}] {os.getpid()} 1")
    assert rest.split()[0] == str(os.getpid())


@pytest.mark.parametrize(
    "process",
    ["", "nonsense", "another-boot pid:[1] 1 1", f"{this_process().partition(']')[0]}] x 1"],
)
def test_of_another_machine_nobody_here_can_say(process: str) -> None:
    assert not has_ended(process)


def test_the_host_is_said() -> None:
    assert "@" in user_and_host()
