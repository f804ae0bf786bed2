"""Refused pods with their cause, from the facts of the file and the run."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.explain.refusals import refusals_of
from lowtide.model.quantity import GIB
from lowtide.model.run import RefusedPods
from tests.explain.records import (
    HOUR,
    MINUTE,
    SMALL,
    cluster,
    general_group,
    group,
    instance,
    pod,
    record,
)

CLUSTER = cluster(general_group(), group("gpu-a", SMALL))
GPU_SHORT = ("Insufficient nvidia.com/gpu",)
GENERAL = {"node/general-1": GPU_SHORT, "group/general": GPU_SHORT}


def refused(*names: str, cause: str = "", **reasons: tuple[str, ...]) -> RefusedPods:
    by_subject = {
        **GENERAL,
        **{f"group/{name.replace('_', '-')}": w for name, w in reasons.items()},
    }
    return RefusedPods(
        pods=tuple(f"default/{name}" for name in names), cause=cause, reasons=by_subject
    )


def causes(run_cluster: Any = CLUSTER, **changes: Any) -> list[str]:
    return [one.cause for one in refusals_of(record(HOUR, **changes), run_cluster)]


def test_a_pod_of_two_gpus_is_measured_against_the_files_types() -> None:
    assert causes(
        pods=(pod("p", 0, outcome="pending", gpus=2),),
        refused=(refused("p", gpu_a=("max node group size reached",)),),
    ) == [
        "It asks for 2 nvidia.com/gpu, and the largest node of its groups offers 1 nvidia.com/gpu."
    ]


def test_memory_is_measured_against_what_a_node_can_give_not_what_it_has() -> None:
    assert causes(
        pods=(pod("p", 0, outcome="pending", memory_bytes=31 * GIB // 2),),
        refused=(refused("p", gpu_a=("Insufficient memory",)),),
    ) == [
        "It asks for 15.50 GiB of memory, and the largest node of its groups offers 15.00 GiB of memory."
    ]


def test_only_the_run_says_which_tags_the_autoscaler_looks_for() -> None:
    # Its flags may ask for other tags than lowtide's own, so a group without those is no finding.
    untagged = group("gpu-a", SMALL, asg_tags={"team/autoscaled": "true"})

    (cause,) = causes(
        cluster(general_group(), untagged),
        pods=(pod("p", 0, outcome="pending"),),
        refused=(refused("p"),),
    )

    assert "lack its discovery tags" not in cause
    assert cause.startswith("The autoscaler knows other node groups but not gpu-a")


@pytest.mark.parametrize(
    ("ready_ms", "gpu_ready_ms", "ended_ms", "is_the_plugin"),
    [
        (MINUTE, None, None, True),
        (MINUTE, None, 20 * MINUTE, True),  # given up by the autoscaler after a while
        (MINUTE, 2 * MINUTE, None, False),  # offered its GPUs
        (58 * MINUTE, None, None, False),  # may still be starting when the run ends
        (None, None, None, False),  # never joined
    ],
)
def test_nodes_that_stayed_without_gpus_point_to_the_device_plugin(
    ready_ms: int | None, gpu_ready_ms: int | None, ended_ms: int | None, *, is_the_plugin: bool
) -> None:
    node = instance("gpu-a", 0, ended_ms, node_ready_ms=ready_ms, gpu_ready_ms=gpu_ready_ms)

    (cause,) = causes(
        instances=(node,),
        pods=(pod("p", 0, outcome="pending"),),
        refused=(refused("p", gpu_a=("max node group size reached",)),),
    )

    assert ("no device plugin pod runs" in cause) is is_the_plugin


def test_a_pod_without_gpus_waits_for_any_group() -> None:
    full = cluster(general_group(), group("gpu-a", SMALL))

    assert causes(
        full,
        pods=(pod("p", 0, outcome="pending", gpus=0),),
        refused=(
            RefusedPods(
                pods=("default/p",),
                cause="",
                reasons={
                    "group/general": ("max node group size reached",),
                    "group/gpu-a": ("node(s) had untolerated taint {nvidia.com/gpu: true}",),
                },
            ),
        ),
    ) == ["Every node group that could be tried is at its maximum size (maxSize): general."]


def test_pods_with_one_cause_share_an_entry_and_keep_every_reason() -> None:
    first = refused("p", gpu_a=("max node group size reached",))
    second = RefusedPods(
        pods=("default/q",),
        cause="",
        reasons={
            "group/gpu-a": ("max node group size reached",),
            "node/general-1": ("Too many pods",),
        },
    )

    (only,) = refusals_of(
        record(
            pods=(pod("p", 0, outcome="pending"), pod("q", 0, outcome="pending")),
            refused=(first, second),
        ),
        CLUSTER,
    )

    assert only == RefusedPods(
        pods=("default/p", "default/q"),
        cause="Every node group that could be tried is at its maximum size (maxSize): gpu-a.",
        reasons={
            "node/general-1": ("Insufficient nvidia.com/gpu", "Too many pods"),
            "group/general": GPU_SHORT,
            "group/gpu-a": ("max node group size reached",),
        },
    )


def test_the_runs_word_that_no_autoscaler_was_running_is_believed() -> None:
    said = "no autoscaler is running: its pod cannot be placed"

    assert causes(refused=(refused("p", cause=said),)) == [
        "No autoscaler is running (its pod cannot be placed), so no node is added for it."
    ]


def test_any_other_word_of_the_run_gives_way_to_the_cause_that_the_file_explains() -> None:
    full = refused("p", cause="no node can take it", gpu_a=("max node group size reached",))

    assert causes(refused=(full,)) == [
        "Every node group that could be tried is at its maximum size (maxSize): gpu-a."
    ]
