"""When something is rolled out, and what is said of what is not."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("lightkube")

from lowtide.kube.live import rollout
from lowtide.model.errors import KubernetesError


def _workload(kind: str, generation: int = 2, replicas: int = 2, **status: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "x", "generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 2, **status},
    }


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        (_workload("Deployment", generation=3), "its controller has not seen it yet"),
        (_workload("Deployment", updatedReplicas=1), "1 of 2 pods are of the new form"),
        (_workload("Deployment", updatedReplicas=2, replicas_=3), "0 of 2 pods are available"),
        (
            _workload("Deployment", updatedReplicas=2, availableReplicas=1),
            "1 of 2 pods are available",
        ),
        (_workload("Deployment", updatedReplicas=2, availableReplicas=2), ""),
        (_workload("Deployment", replicas=0), ""),
        (_workload("DaemonSet"), ""),
        (_workload("DaemonSet", desiredNumberScheduled=2), "0 of 2 pods are of the new form"),
        (
            _workload("DaemonSet", desiredNumberScheduled=2, updatedNumberScheduled=2),
            "0 of 2 pods are available",
        ),
    ],
)
def test_what_a_rollout_waits_for(obj: dict[str, Any], words: str) -> None:
    assert rollout.unfinished(obj) == words


def test_old_pods_are_waited_for() -> None:
    obj = _workload("Deployment", updatedReplicas=2, availableReplicas=2)
    obj["status"]["replicas"] = 3
    assert rollout.unfinished(obj) == "1 old pods are still there"


def test_a_rollout_that_passed_its_deadline_is_an_error_with_its_reason() -> None:
    late = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    with pytest.raises(KubernetesError) as raised:
        rollout.unfinished(_workload("Deployment", conditions=[late]))
    assert (raised.value.why, raised.value.exit_code) == ("timed out", 5)


def test_why_a_pod_does_not_run_is_said_in_the_words_of_kubernetes() -> None:
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }
    assert (
        rollout.pod_trouble({"status": {"conditions": [unscheduled]}})
        == "Unschedulable: 0/1 nodes are available"
    )
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    assert (
        rollout.pod_trouble({"status": {"containerStatuses": [waiting]}})
        == "ImagePullBackOff: no such image"
    )
    creating = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    assert rollout.pod_trouble({"status": {"containerStatuses": [creating]}}) == ""
    assert rollout.pod_trouble({}) == ""


def test_a_node_takes_any_pod_when_it_is_ready_and_untainted() -> None:
    node: dict[str, Any] = {
        "spec": {"providerID": "aws:///us-east-1a/i-0123"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert rollout.takes_any_pod(node)
    assert rollout.instance_of(node) == "i-0123"
    node["spec"]["taints"] = [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]
    assert rollout.is_ready(node)
    assert not rollout.takes_any_pod(node)
    node["spec"]["taints"] = [{"key": "soft", "effect": "PreferNoSchedule"}]
    assert rollout.takes_any_pod(node)
    node["status"]["conditions"][0]["status"] = "Unknown"
    assert not rollout.is_ready(node)
    assert rollout.instance_of({}) == ""
