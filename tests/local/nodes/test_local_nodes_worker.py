"""The thread that does things at their time, and again where a server was away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from lowtide.kube.live.client import Unreachable
from lowtide.local.aws.errors import AwsError
from lowtide.local.nodes import worker as module
from lowtide.local.nodes.worker import Worker
from lowtide.model.errors import KubernetesError


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A worker that does not wait long before it tries again."""
    monkeypatch.setattr(module, "_RETRY_S", 0.001)
    one = Worker("test")
    one.start()
    yield one
    one.stop()


def failing(times: int, error: Exception, tries: list[int]) -> Callable[[], None]:
    def work() -> None:
        tries.append(1)
        if len(tries) <= times:
            raise error

    return work


def wait(worker: Worker) -> None:
    """Wait until everything that was due has been done."""
    done = threading.Event()
    worker.after(0.2, done.set)
    assert done.wait(20)


def test_things_are_done_in_the_order_of_their_times(worker: Worker) -> None:
    done: list[str] = []
    worker.after(0.1, lambda: done.append("late"))
    worker.after(0.0, lambda: done.append("first"))
    worker.after(0.0, lambda: done.append("second"))
    wait(worker)
    assert done == ["first", "second", "late"]


@pytest.mark.parametrize("error", [Unreachable("away"), AwsError("Throttling", "Rate exceeded")])
def test_what_fails_because_somebody_is_away_is_done_again_until_it_works(
    worker: Worker, error: Exception
) -> None:
    tries: list[int] = []
    worker.after(0, failing(12, error, tries))
    wait(worker)
    assert len(tries) == 13


def test_what_the_server_refuses_is_given_up_after_some_tries(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []
    with caplog.at_level(logging.WARNING):
        worker.after(0, failing(100, KubernetesError("no", why="because"), tries))
        wait(worker)
    assert len(tries) == 5
    assert "gave up: no (because)" in caplog.text


def test_a_defect_does_not_end_the_work(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []
    worker.after(0, failing(100, ZeroDivisionError(), tries))
    wait(worker)
    assert len(tries) == 1
    assert "ZeroDivisionError" in caplog.text


def test_nothing_is_done_after_the_stop() -> None:
    one, done = Worker("test"), threading.Event()
    one.start()
    one.after(0, one.stop)
    one._thread.join(20)
    one.after(0, done.set)
    assert not one._thread.is_alive()
    assert not done.is_set()
    one.stop()
