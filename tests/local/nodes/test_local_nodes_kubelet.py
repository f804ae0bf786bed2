"""What a kubelet says of a pod as it changes."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.nodes.kubelet import Images, said
from lowtide.model.policy import Timings
from lowtide.model.quantity import MIB

STARTED, RUNS = "2026-11-29T10:00:00Z", "2026-11-29T10:00:42Z"


def pod(phase: str = "Pending", *, name: str = "p", policy: str = "IfNotPresent", restarts: int = 0, **metadata: str) -> dict[str, Any]:  # fmt: skip
    status: dict[str, Any] = {"phase": phase}
    if phase != "Pending" or metadata.pop("accepted", ""):
        status["startTime"] = STARTED
    if phase != "Pending":
        state = {"running": {"startedAt": RUNS}}
        status["podIP"] = "10.1.0.2"
        status["containerStatuses"] = [
            {"name": "main", "restartCount": restarts, "state": state},
        ]
    return {
        "metadata": {"name": name, "namespace": "d", "uid": name, "resourceVersion": "1", **metadata},
        "spec": {
            "nodeName": "n",
            "initContainers": [{"name": "first", "image": "busybox:1"}],
            "containers": [{"name": "main", "image": "nvcr.io/x:1", "imagePullPolicy": policy}],
        },
        "status": status,
    }  # fmt: skip


def words(before: Any, now: Any, images: Images) -> list[tuple[str, str]]:
    return [
        (one.reason, one.about["fieldPath"].partition("{")[2][:-1])
        for one in said(before, now, images)
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1ms"), (0.25, "250ms"), (1.0, "1s"), (42.5, "42.5s"), (90.0, "1m30s")],
)
def test_a_pull_takes_as_long_as_the_pod_took_to_start(seconds: float, words: str) -> None:
    times = iter([10.0, 10.0, 10.0, 10.0 + seconds])
    images = Images(lambda: next(times))
    accepted = pod(accepted="yes")
    said(None, accepted, images)
    notes = said(accepted, pod("Running"), images)
    assert f'"nvcr.io/x:1" in {words} ({words} including waiting)' in notes[3].message


def test_images_are_pulled_by_the_first_pod_of_a_node_and_there_for_the_next() -> None:
    images = Images(lambda: 7.0)
    bound, accepted, runs = pod(), pod(accepted="yes"), pod("Running")
    assert words(None, bound, images) == []
    assert words(bound, accepted, images) == [("Pulling", "first"), ("Pulling", "main")]
    notes = said(accepted, runs, images)
    assert [one.reason for one in notes] == ["Pulled", "Created", "Started"] * 2
    size = round(Timings().image_mib * MIB)
    assert notes[3].message == (
        f'Successfully pulled image "nvcr.io/x:1" in 1ms (1ms including waiting). Image size: {size} bytes.'
    )
    assert {one.host for one in notes} == {"n"}
    second = pod(accepted="yes", name="q")
    assert words(None, second, images) == []
    notes = said(second, pod("Running", name="q"), images)
    assert "already present on machine" in notes[0].message
    images.forget("n")
    assert words(None, second, images) == [("Pulling", "first"), ("Pulling", "main")]


def test_an_image_that_is_always_pulled_is_pulled_again() -> None:
    images = Images()
    said(None, pod("Running"), images)
    assert words(None, pod(accepted="yes", policy="Always"), images) == [("Pulling", "main")]


def test_a_pod_that_runs_when_it_is_first_seen_says_everything() -> None:
    reasons = [reason for reason, _ in words(None, pod("Running"), Images())]
    assert reasons == ["Pulling"] * 2 + ["Pulled", "Created", "Started"] * 2


def test_a_container_that_is_started_again_says_so() -> None:
    images = Images()
    before, after = pod("Running"), pod("Running", restarts=1)
    assert words(before, after, images) == [
        ("Pulled", "main"),
        ("Created", "main"),
        ("Started", "main"),
    ]
    assert words(after, after, images) == []


def test_containers_of_a_pod_that_is_deleted_while_it_runs_are_stopped_once() -> None:
    images = Images()
    runs, killed = pod("Running"), pod("Running", deletionTimestamp=RUNS)
    assert [one.message for one in said(runs, killed, images)] == ["Stopping container main"]
    assert said(killed, pod("Failed", deletionTimestamp=RUNS), images) == []
    assert said(pod(accepted="yes"), pod(accepted="yes", deletionTimestamp=RUNS), images) == []


def test_a_pod_that_ended_before_it_was_seen_running_still_says_that_it_ran() -> None:
    images = Images()
    accepted = pod(accepted="yes")
    said(None, accepted, images)
    reasons = [reason for reason, _ in words(accepted, pod("Succeeded"), images)]
    assert reasons == ["Pulled", "Created", "Started"] * 2
