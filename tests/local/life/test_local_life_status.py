"""What ``lowtide local status`` tells people, for each state of a box and of its clusters."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.app import local_status
from lowtide.cli.main import run

CLUSTER: dict[str, Any] = {
    "name": "tide",
    "region": "us-east-1",
    "status": "ACTIVE",
    "version": "1.36",
    "endpoint": "https://127.0.0.1:20001",
    "health": "",
    "failure": "",
    "processes": {"etcd": 11, "kube-apiserver": 12},
    "folder": "/f",
    "autoscaler": None,
}


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that returns what is said of a document."""

    def told(**found: Any) -> str:
        monkeypatch.setattr(local_status, "status", lambda: {"folder": "/f", **found})
        assert run(["local", "status"]) == 0
        printed = capsys.readouterr()
        return printed.out + printed.err

    return told


def _running(**cluster: Any) -> dict[str, Any]:
    return {
        "state": "running",
        "url": "http://127.0.0.1:20000",
        "pid": 7,
        "up_seconds": 3725.4,
        "account": "123456789012",
        "region": "us-east-1",
        "speed": 10.0,
        "faults": 1,
        "clusters": [{**CLUSTER, **cluster}],
        "not_joined": {"i-1": "the instance has no role"},
    }


@pytest.mark.parametrize(
    ("autoscaler", "words"),
    [
        (None, "none: its Deployment is not applied"),
        (
            {"kind": "lowtide", "state": "running", "pid": 21, "program": "lowtide's engine"},
            "lowtide's own engine: running, pid 21",
        ),
        (
            {"kind": "upstream", "state": "waiting", "pid": None, "program": "/bin/ca"},
            "upstream's program, /bin/ca: waiting",
        ),
    ],
)
def test_it_says_which_of_the_two_autoscalers_runs(say: Any, autoscaler: Any, words: str) -> None:
    told = say(**_running(autoscaler=autoscaler))
    assert f"  autoscaler  {words}\n" in told


def test_before_its_programs_run_nothing_is_said_of_a_clusters_autoscaler(say: Any) -> None:
    told = say(**_running(processes={}))
    assert "programs    none yet" in told
    assert "autoscaler" not in told
    failed = say(**_running(processes={}, failure="etcd ended 6 times"))
    assert "programs    none\n" in failed


def test_it_says_what_runs_what_is_wrong_and_which_instances_are_no_nodes(say: Any) -> None:
    told = say(**_running(health="kwok is missing", failure="etcd ended 6 times"))
    assert "for 1h02m (pid 7)" in told
    assert "etcd 11, kube-apiserver 12" in told
    assert "problem     kwok is missing" in told
    assert "problem     etcd ended 6 times" in told
    assert "i-1  the instance has no role" in told


@pytest.mark.parametrize(
    ("state", "words", "command"),
    [
        ("absent", "none is kept", "lowtide local up"),
        ("stopped", "is kept", "lowtide local up"),
        ("killed", "was killed", "lowtide local up"),
        ("hanging", "does not answer. (pid 7)", "lowtide local down --keep"),
    ],
)
def test_a_box_that_does_not_serve_is_told_with_the_next_command(
    say: Any, state: str, words: str, command: str
) -> None:
    told = say(state=state, **({"pid": 7} if state == "hanging" else {}))
    assert words in told
    assert command in told
