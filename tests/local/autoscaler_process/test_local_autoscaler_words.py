"""What the autoscaler writes into a cluster: events as client-go's recorder lets them through, and the status ConfigMap."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lowtide.engine.status import AutoscalerStatus, GroupStatus, NodeCounts
from lowtide.kube.live.client import NotFound
from lowtide.local.autoscaler.clock import RealClock
from lowtide.local.autoscaler.events import STATUS_MAP, Recorder
from lowtide.local.autoscaler.status_map import StatusMap
from lowtide.model.errors import KubernetesError
from lowtide.twin.kernel import Priority

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "train", "namespace": "default", "uid": "u-1", "resourceVersion": "7"},
}
STATUS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": STATUS_MAP, "namespace": "kube-system", "uid": "u-2"},
}


class Written:
    """Keeps what is written, as an API server would."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.is_away = False

    def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        if self.is_away:
            raise KubernetesError("the API server cannot be reached", why="refused")
        self.objects[obj["metadata"]["name"]] = obj
        return obj

    def replace(self, obj: dict[str, Any]) -> dict[str, Any]:
        if obj["metadata"]["name"] not in self.objects:
            raise NotFound("no such object")
        return self.create(obj)

    def patch(self, _kind: object, name: str, patch: dict[str, Any], *, namespace: str) -> None:
        del namespace
        self.objects[name] |= patch

    @property
    def events(self) -> list[tuple[str, int]]:
        return [(one["message"], one["count"]) for one in self.objects.values()]


class Time:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def written() -> Written:
    """An API server that keeps what is written."""
    return Written()


@pytest.fixture
def time() -> Time:
    """A time."""
    return Time()


@pytest.fixture
def recorder(written: Written, time: Time) -> Recorder:
    """A recorder over both."""
    return Recorder(written, time)  # type: ignore[arg-type] # the three calls that it makes


def test_an_event_says_who_about_what_and_when(recorder: Recorder, written: Written) -> None:
    recorder.record(POD, "TriggeredScaleUp", "pod triggered scale-up: []", warning=False)
    (event,) = written.objects.values()
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "default",
        "name": "train",
        "uid": "u-1",
    }
    assert (event["type"], event["reason"], event["count"]) == ("Normal", "TriggeredScaleUp", 1)
    assert event["source"] == {"component": "cluster-autoscaler"}
    assert event["metadata"]["namespace"] == "default"
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2027-01-15T08:00:00Z"


def test_a_second_event_of_a_reason_is_kept_back_for_five_minutes(
    recorder: Recorder, written: Written, time: Time
) -> None:
    recorder.record(POD, "NotTriggerScaleUp", "one", warning=False)
    time.now += 299
    recorder.record(POD, "NotTriggerScaleUp", "two", warning=False)
    assert written.events == [("one", 1)]
    time.now += 2
    recorder.record(POD, "NotTriggerScaleUp", "two", warning=False)
    assert written.events == [("one", 1), ("two", 2)]


def test_an_equal_event_raises_the_count_of_the_first(
    recorder: Recorder, written: Written, time: Time
) -> None:
    for _ in range(3):
        recorder.record(POD, "NotTriggerScaleUp", "one", warning=False)
        time.now += 301
    assert written.events == [("one", 3)]


def test_on_the_status_map_one_of_each_text_goes_through(
    recorder: Recorder, written: Written
) -> None:
    for group in "abca":
        recorder.record(STATUS, "ScaledUpGroup", f"group {group}", warning=False)
    assert written.events == [("group a", 1), ("group b", 1), ("group c", 1)]


def test_the_tenth_text_and_those_after_it_are_combined(
    recorder: Recorder, written: Written
) -> None:
    for number in range(12):
        recorder.record(STATUS, "ScaledUpGroup", f"group {number}", warning=False)
    texts = [text for text, _ in written.events]
    assert texts[:9] == [f"group {number}" for number in range(9)]
    assert texts[9:] == ["(combined from similar events): group 11"]


def test_an_event_that_cannot_be_written_is_no_failure_of_the_autoscaler(
    recorder: Recorder, written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    written.is_away = True
    recorder.record(POD, "ScaleDown", "deleting pod for node scale down", warning=False)
    assert "event ScaleDown of train not written: refused" in caplog.text


def status(scale_up: str = "NoActivity", candidates: int = 0) -> AutoscalerStatus:
    counts = NodeCounts(registered=2, ready=1, unready=1, resource_unready=1)
    group = GroupStatus(
        name="gpu-a",
        healthy=True,
        target=1,
        min_size=0,
        max_size=10,
        counts=counts,
        scale_up=scale_up,
        candidates=candidates,
        backoff_code="placeholder-cannot-be-fulfilled" if scale_up == "Backoff" else "",
        backoff_message="AWS cannot provision any more instances for this node group",
    )
    return AutoscalerStatus(healthy=True, counts=counts, groups=(group,))


def read(written: Written) -> Any:
    return yaml.safe_load(written.objects[STATUS_MAP]["data"]["status"])


def test_the_status_has_the_fields_of_the_recorded_one(
    written: Written, shared_data: Callable[[str], Path]
) -> None:
    StatusMap(written).write(status("Backoff", candidates=1), 1_800_000_000_000)  # type: ignore[arg-type] # two calls
    ours = read(written)
    place = shared_data("live-recordings/broken")
    recorded: set[str] = set()
    for file in place.glob("*/status-cm.yaml"):
        recorded |= _paths(yaml.safe_load(file.read_text("utf-8")))
    assert _paths(ours) <= recorded
    assert recorded - _paths(ours) <= {
        "nodeGroups.health.nodeCounts.registered.beingDeleted",
        "clusterWide.health.nodeCounts.registered.beingDeleted",
    }


def _paths(value: Any, at: str = "") -> set[str]:
    """Return the fields' names by their paths; items of a list count as one."""
    if isinstance(value, Mapping):
        return {
            path for key, one in value.items() for path in _paths(one, f"{at}.{key}".lstrip("."))
        }
    if isinstance(value, list):
        return {path for one in value for path in _paths(one, at)}
    return {at}


def test_a_condition_keeps_the_time_at_which_it_last_changed(written: Written) -> None:
    keeper = StatusMap(written)  # type: ignore[arg-type] # two calls
    for minute, scale_up in enumerate(("NoActivity", "NoActivity", "InProgress", "InProgress")):
        keeper.write(status(scale_up), 1_800_000_000_000 + minute * 60_000)
        assert read(written)["clusterWide"]["scaleUp"]["status"] == scale_up
    found = read(written)["nodeGroups"][0]["scaleUp"]
    assert found["lastTransitionTime"] == "2027-01-15T08:02:00Z"
    assert found["lastProbeTime"] == "2027-01-15T08:03:00Z"


def test_an_autoscaler_that_starts_says_so(written: Written) -> None:
    StatusMap(written).initialize(1_800_000_000_000)  # type: ignore[arg-type] # two calls
    assert read(written)["autoscalerStatus"] == "Initializing"


def test_callbacks_come_in_their_order_posted_ones_at_once_and_cancelled_ones_never() -> None:
    clock, seen = RealClock(), []
    now = clock.now_ms
    clock.at(now + 60, lambda: seen.append("late"), priority=Priority.AUTOSCALER)
    clock.at(now + 20, lambda: seen.append("early"), priority=Priority.AUTOSCALER)
    cancelled = clock.at(now + 30, lambda: seen.append("never"))
    clock.cancel(cancelled)
    clock.at(now + 90, clock.stop)
    running = threading.Thread(target=clock.run)
    clock.post(lambda: seen.append("posted"))
    running.start()
    running.join(10)
    assert not running.is_alive()
    assert seen == ["posted", "early", "late"]
