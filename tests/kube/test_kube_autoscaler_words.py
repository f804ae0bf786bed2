"""What the autoscaler says of itself is one sentence, read from what the real one writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide.kube.autoscaler_words import autoscaler_program, autoscaler_words

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


IMAGE = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1"
DEPLOYED: dict[str, Any] = {
    "spec": {
        "replicas": 1,
        "template": {"spec": {"containers": [{"image": "proxy:1"}, {"image": IMAGE}]}},
    },
    "status": {"availableReplicas": 1},
}


def written_by(*managers: str) -> dict[str, Any]:
    """A status whose last field belongs to the last manager, as the API server notes it."""
    fields: list[dict[str, Any]] = [{"f:metadata": {"f:annotations": {}}}] * (len(managers) - 1)
    owned = [*fields, {"f:data": {".": {}, "f:status": {}}}]
    entries = [
        {"manager": who, "operation": "Update", "fieldsV1": one}
        for who, one in zip(managers, owned, strict=True)
    ]
    return {"metadata": {"managedFields": entries}}


@pytest.mark.parametrize(
    ("managers", "kind"),
    [
        (("cluster-autoscaler",), "upstream"),
        (("lowtide",), "lowtide"),
        (("lowtide", "cluster-autoscaler"), "upstream"),
        (("kubectl-edit",), ""),
    ],
)
def test_which_program_runs_is_known_by_who_wrote_its_status(
    managers: tuple[str, ...], kind: str
) -> None:
    found = autoscaler_program(DEPLOYED, written_by(*managers))
    assert found is not None
    assert (found.kind, found.image, found.ready, found.wanted) == (kind, IMAGE, 1, 1)


def test_what_ran_before_is_not_taken_for_what_runs_now() -> None:
    stopped = {**DEPLOYED, "status": {}}
    found = autoscaler_program(stopped, written_by("lowtide"))
    assert found is not None
    assert (found.kind, found.ready, found.wanted) == ("", 0, 1)
    new = autoscaler_program(DEPLOYED, None)
    assert new is not None
    assert new.kind == ""
    assert autoscaler_program(None, written_by("lowtide")) is None
