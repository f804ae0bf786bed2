"""The comparison of recorded and played set-ups is itself compared: with the recordings, and with what must not be equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance_local.deciding import masked, of_index, of_run
from tests.conformance_local.recorded import BASE_FLAGS, names, read

Data = Callable[[str], Path]


def event(reason: str, message: str, *, kind: str = "Pod", **more: Any) -> dict[str, Any]:
    return {
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": kind, "namespace": "default"},
        "source": {"component": "cluster-autoscaler"},
        "eventTime": "2026-01-01T00:00:00Z",
        **more,
    }


def test_the_recorded_events_of_every_variant_are_its_lines_in_the_index(shared_data: Data) -> None:
    place = shared_data("live-recordings/broken")
    known = names(place)
    assert len(known) == 18
    for name in known:
        variant = read(place, name)
        assert of_run(variant.events) == of_index(variant.lines), name


def test_every_variant_says_how_it_was_recorded(shared_data: Data) -> None:
    place = shared_data("live-recordings/broken")
    variants = {name: read(place, name) for name in names(place)}
    assert all(one.flags[: len(BASE_FLAGS)] == BASE_FLAGS for one in variants.values())
    assert all(40 <= one.watched_s <= 200 for one in variants.values())
    assert [name for name, one in variants.items() if one.eks_admission] == [
        "no-toleration-eks-admission"
    ]
    assert variants["ice-one-zone"].dry_zones == ("a",)
    assert variants["missing-accelerator-label"].plugin_s == 60


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "pod triggered scale-up: [{gpu-b 0->1 (max: 10)} {gpu-a 0->1 (max: 10)}]",
            "pod triggered scale-up: [{eks-x-1 3->5 (max: 8)} {eks-x-2 0->1 (max: 8)}]",
        ),
        (
            "Failed adding 2 nodes to group gpu-a due to OutOfResource.x; source errors: y",
            "Failed adding 1 nodes to group gpu-c due to OutOfResource.x; source errors: y",
        ),
        (
            'Scale-down: removing empty node "ip-10-0-48-15.us-west-2.compute.internal"',
            'Scale-down: removing empty node "<node>"',
        ),
        (
            "pod didn't trigger scale-up: 3 max node group size reached, 1 Insufficient cpu",
            "pod didn't trigger scale-up: 1 Insufficient cpu, 3 max node group size reached",
        ),
    ],
    ids=["groups and sizes", "a count and a group", "a node", "the order of reasons"],
)
def test_names_counts_and_the_order_of_reasons_do_not_matter(one: str, other: str) -> None:
    assert masked(one) == masked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "pod didn't trigger scale-up: 3 Insufficient nvidia.com/gpu",
            "pod didn't trigger scale-up: 4 Insufficient nvidia.com/gpu",
        ),
        (
            "pod didn't trigger scale-up: 1 in backoff after failed scale-up",
            "pod didn't trigger scale-up: 1 max node group size reached",
        ),
        (
            "pod triggered scale-up: [{gpu-b 0->1 (max: 10)}]",
            "pod triggered scale-up: [{gpu-b 0->1 (max: 10)} {gpu-a 0->1 (max: 10)}]",
        ),
    ],
    ids=["how many groups have a reason", "the reason", "how many groups grow"],
)
def test_what_explains_a_fault_matters(one: str, other: str) -> None:
    assert masked(one) != masked(other)


def test_only_the_first_and_the_last_refusal_of_the_scheduler_count() -> None:
    def refusal(text: str, at: str) -> dict[str, Any]:
        message = f"0/3 nodes are available: {text}. preemption: 0/3 nodes are available."
        return event("FailedScheduling", message, source={}, eventTime=at)

    events = [
        refusal("1 Insufficient cpu, 2 node(s) were unschedulable", "2026-01-01T00:00:02Z"),
        refusal("3 Insufficient cpu", "2026-01-01T00:00:01Z"),
        refusal("2 Insufficient memory", "2026-01-01T00:00:03Z"),
    ]
    assert of_run(events) == {
        ("FailedScheduling first", "Pod", "Insufficient cpu"),
        ("FailedScheduling last", "Pod", "Insufficient memory"),
    }


def test_an_event_that_nobody_recorded_makes_a_run_different() -> None:
    lines = ["ClusterUnhealthy (Warning, ConfigMap): Cluster is unhealthy"]
    unhealthy = event("ClusterUnhealthy", "Cluster is unhealthy", kind="ConfigMap")
    assert of_run([unhealthy]) == of_index(lines)
    timed_out = event("ScaleUpTimedOut", "Nodes added to group a failed to register within 60s")
    assert of_run([unhealthy, timed_out]) != of_index(lines)
