"""Whatever AWS does at whatever call, the verbs of daily work answer in words and with the right exit code."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lowtide.local.aws import faults
from tests.account.conftest import Cloud, Lowtide
from tests.account.test_account_node_groups import FILE, group

VERBS = (
    ("check", "--live"),
    ("prices", "refresh"),
    ("kubeconfig",),
    ("status",),
    ("scale", "gpu", "--max", "3"),
    ("upgrade",),
)
#: Of a whole answer: nothing found, findings, AWS's no, and an API server that is not there.
ANSWERS = {0, 3, 4, 5}


@pytest.fixture
def gpu(cloud: Cloud, vision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster with its file and one group."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    group(cloud)


def clear(cloud: Cloud) -> None:
    with cloud.served.box.lock:
        faults.remove(cloud.served.box)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "throttling", "times": 1},
        {"kind": "drop-connection", "times": 1},
        {"kind": "error", "code": "RequestTimeout", "times": 1},
    ],
    ids=lambda one: str(one["kind"]),
)
def test_a_call_that_fails_once_is_made_again(
    cloud: Cloud, gpu: None, lowtide: Lowtide, fault: dict[str, object]
) -> None:
    Path("cluster.yaml").write_text(FILE)
    for verb in VERBS:
        before = lowtide(*verb).code
        cloud.fault(**fault)
        ran = lowtide(*verb)
        clear(cloud)
        assert (verb, ran.code) == (verb, before), ran.err


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "expired-token"}, "expired"),
        ({"kind": "clock-skew", "seconds": 4000}, "clock"),
        ({"kind": "access-denied", "service": "eks"}, "eks:"),
        ({"kind": "access-denied", "service": "autoscaling"}, "autoscaling:"),
        ({"kind": "access-denied"}, "denied"),
    ],
    ids=["expired", "skew", "no-eks", "no-autoscaling", "nothing"],
)
def test_a_refusal_is_told_in_words_and_never_as_a_bug(
    cloud: Cloud, gpu: None, lowtide: Lowtide, fault: dict[str, object], words: str
) -> None:
    Path("cluster.yaml").write_text(FILE)
    cloud.fault(**fault)
    codes = set()
    for verb in VERBS:
        ran = lowtide(*verb)
        codes.add(ran.code)
        assert ran.code in ANSWERS, (verb, ran.err)
        assert "Traceback" not in ran.err
        if ran.code == 4:
            assert words in ran.err, (verb, ran.err)
    assert 4 in codes


def test_watching_ends_with_ctrl_c(
    cloud: Cloud, vision: str, lowtide: Lowtide, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def interrupt(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    ran = lowtide(
        "status", "--name", vision, "--region", "us-east-1", "--watch", "--every", "7", "-o", "json"
    )
    assert ran.code == 130
    assert looks == [7.0, 7.0]
    assert ran.out.count('"schema": "lowtide.status/v1"') == 2
