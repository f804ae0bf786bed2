"""What ``status`` says to people of pods that wait."""

from __future__ import annotations

import pytest

from lowtide.model.catalog import PriceDates
from lowtide.model.cluster_status import (
    AutoscalerProgram,
    ClusterStatus,
    CostNow,
    GpuCount,
    WaitingPods,
)
from lowtide.report.status import status_json, status_text

NO_PLACE = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
NO_VICTIM = " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
TRIGGERED = "pod triggered scale-up: [{gpu-a 0->4 (max: 10)} {gpu-b 0->3 (max: 10)}]"


def _status(*waiting: WaitingPods, program: AutoscalerProgram | None = None) -> ClusterStatus:
    return ClusterStatus(
        name="x",
        region="us-east-1",
        account="123456789012",
        status="ACTIVE",
        version="1.36",
        ours=True,
        at="2026-11-29T12:00:00+00:00",
        groups=(),
        nodes=(),
        gpus=GpuCount(asked=1, held=0, offered=0),
        waiting=waiting,
        pods_running=0,
        cost=CostNow(nodes=0.0, fixed=0.1, around=0.0),
        price_dates=PriceDates(on_demand="2026-07-20", spot="2025-06-28"),
        autoscaler="running",
        program=program,
    )


def _said_of_a_pod_that_waits_because(reason: str) -> str:
    waiting = WaitingPods(
        owner="Deployment default/train",
        pods=("default/train-0",),
        gpus=1,
        reason=reason,
        since_s=9.0,
    )
    return status_text(_status(waiting), width=400, color=False)


def test_the_autoscalers_word_is_whole_behind_the_schedulers_and_preemption_is_left_out() -> None:
    said = _said_of_a_pod_that_waits_because(f"{NO_PLACE}{NO_VICTIM} ({TRIGGERED})")
    assert f"{NO_PLACE} ({TRIGGERED})" in said
    assert "reemption" not in said


def test_without_the_autoscalers_word_the_schedulers_sentence_ends_before_preemption() -> None:
    said = _said_of_a_pod_that_waits_because(f"{NO_PLACE}{NO_VICTIM}")
    assert NO_PLACE in said
    assert "reemption" not in said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("upstream", "it is upstream's program, cluster-autoscaler:v1.36.1; 1 of 2 pods ready"),
        (
            "lowtide",
            "it is lowtide's own engine, in place of cluster-autoscaler:v1.36.1; 1 of 2 pods",
        ),
        (
            "",
            "its image is cluster-autoscaler:v1.36.1; which program runs shows with its first status",
        ),
    ],
)
def test_which_autoscaler_runs_is_said_to_people_and_programs(kind: str, words: str) -> None:
    program = AutoscalerProgram(kind=kind, image="cluster-autoscaler:v1.36.1", ready=1, wanted=2)
    status = _status(program=program)
    assert words in status_text(status, width=120, color=False)
    assert status_json(status)["autoscaler_program"] == {
        "kind": kind or None,
        "image": "cluster-autoscaler:v1.36.1",
        "ready_pods": 1,
        "wanted_pods": 2,
    }


@pytest.mark.parametrize("width", range(60, 121))
def test_how_many_pods_of_the_autoscaler_are_ready_is_never_broken_over_two_lines(
    width: int,
) -> None:
    program = AutoscalerProgram(kind="", image="cluster-autoscaler:v1.36.1", ready=0, wanted=0)
    rows = status_text(_status(program=program), width=width, color=False).splitlines()
    assert any("0 of 0 pods ready" in row for row in rows)
    assert all(len(row) <= width for row in rows)


def test_where_none_is_installed_no_program_is_named() -> None:
    assert status_json(_status())["autoscaler_program"] is None
    assert "program" not in status_text(_status(), width=120, color=False)
