"""What the autoscaler says of itself is one sentence, read from what the real one writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lowtide.kube.autoscaler_words import autoscaler_words

RUNNING = {"spec": {"replicas": 1}, "status": {"availableReplicas": 1}}


def status_map(text: str) -> dict[str, Any]:
    return {"data": {"status": text}}


def test_the_status_of_the_real_autoscaler_is_understood(
    shared_data: Callable[[str], Path],
) -> None:
    text = shared_data("live-recordings/walk/status-1-scaleup.yaml").read_text()
    assert autoscaler_words(RUNNING, status_map(text)) == "running; calls the cluster healthy"


def test_an_unhealthy_cluster_and_a_back_off_are_named() -> None:
    text = """
clusterWide: {health: {status: Unhealthy}}
nodeGroups:
- name: gpu-a
  scaleUp: {status: Backoff, backoffInfo: {errorMessage: no more instances}}
- name: gpu-b
  scaleUp: {status: NoActivity, backoffInfo: {}}
"""
    words = autoscaler_words(RUNNING, status_map(text))
    assert words == (
        "running; calls the cluster unhealthy, so all scaling is stopped; "
        "gpu-a is in back-off: no more instances"
    )


def test_an_autoscaler_that_does_not_run_is_said_to_be_so() -> None:
    assert autoscaler_words(None, None) == "not installed"
    assert autoscaler_words({"spec": {"replicas": 0}}, None) == "scaled to 0"
    assert autoscaler_words({"spec": {"replicas": 1}}, None) == "0 of 1 pods are available"


def test_words_of_an_older_autoscaler_are_no_trouble() -> None:
    for text in ("Cluster-autoscaler status at 2020\nhealthy: [", "[]", "", "a: b: c"):
        assert autoscaler_words(RUNNING, status_map(text)) == "running"
    assert autoscaler_words(RUNNING, None) == "running"
