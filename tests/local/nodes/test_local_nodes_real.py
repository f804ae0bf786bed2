"""Instances in a box with a real control plane: they join, get GPUs, run pods, and leave."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.controlplane.binaries import Binaries
from tests.local.nodes.nodes_box import (
    FLAGS,
    TOLERATION,
    Cloud,
    cloud,
    gpus,
    image_id,
    is_ready,
    plugin,
    stays,
    wait_for,
)

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl on PATH")


@pytest.fixture(scope="module")
def tide(tmp_path_factory: pytest.TempPathFactory, binaries: Binaries) -> Iterator[Cloud]:
    """One cluster for the tests of this file, whose nodes' role is let in."""
    with cloud(tmp_path_factory.mktemp("box")) as whole:
        whole.admit()
        yield whole


def pod(name: str, node: str, run_seconds: str = "") -> dict[str, Any]:
    annotations = {"lowtide.dev/run-seconds": run_seconds} if run_seconds else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "restartPolicy": "Never",
            "tolerations": [TOLERATION],
            "nodeSelector": {"kubernetes.io/hostname": node},
            "containers": [{"name": "main", "image": "nvidia/cuda:12.4.1-base-ubuntu22.04"}],
        },
    }


def plugin_phases(tide: Cloud) -> list[str]:
    found = tide.get("pods", "-n", "kube-system", "-l", "name=plugin")
    return [one["status"]["phase"] for one in found]


def ready_in(tide: Cloud, instance_id: str) -> bool:
    return is_ready(tide.node_of(instance_id))


def test_an_instance_in_service_becomes_a_node_as_its_user_data_say_not_ready_at_first(
    tide: Cloud,
) -> None:
    instance_id = tide.launch(tide.node_config(FLAGS))
    node = wait_for(lambda: tide.node_of(instance_id))
    taints = {(one["key"], one.get("value"), one["effect"]) for one in node["spec"]["taints"]}
    assert ("nvidia.com/gpu", "true", "NoSchedule") in taints
    assert ("node.kubernetes.io/not-ready", None, "NoSchedule") in taints
    labels = node["metadata"]["labels"]
    assert labels["team"] == "vision"
    assert labels["k8s.amazonaws.com/accelerator"] == "nvidia-tesla-t4"
    assert labels["topology.kubernetes.io/zone"] == "us-west-2b"
    assert labels["topology.kubernetes.io/region"] == "us-west-2"
    assert labels["node.kubernetes.io/instance-type"] == "g4dn.xlarge"
    name = node["metadata"]["name"]
    assert name.startswith("ip-10-0-1-")
    assert name.endswith(".us-west-2.compute.internal")
    assert labels["kubernetes.io/hostname"] == name
    assert node["spec"]["providerID"] == f"aws:///us-west-2b/{instance_id}"
    assert node["status"]["capacity"]["cpu"] == "4"
    assert node["status"]["allocatable"]["cpu"] == "3920m"
    assert node["status"]["allocatable"]["pods"] == "29"
    assert gpus(node) is None
    wait_for(lambda: is_ready(tide.node_of(instance_id)))
    wait_for(lambda: [one["key"] for one in (tide.node_of(instance_id) or {})["spec"]["taints"]] == ["nvidia.com/gpu"])  # fmt: skip
    said = wait_for(lambda: (found := dict(tide.said("Node", name))) and "NodeReady" in found and found)  # fmt: skip
    assert said["Starting"] == "Starting kubelet."
    assert said["NodeReady"] == f"Node {name} status is now: NodeReady"
    tide.terminate(instance_id)
    wait_for(lambda: tide.node_of(instance_id) is None)
    assert ("DeletingNode", f"Deleting node {name} because it does not exist in the cloud provider") in wait_for(lambda: [one for one in tide.said("Node", name) if one[0] == "DeletingNode"])  # fmt: skip


def test_gpus_appear_when_the_device_plugins_pod_runs_and_go_when_it_goes(tide: Cloud) -> None:
    instance_id = tide.launch(tide.node_config(FLAGS))
    wait_for(lambda: is_ready(tide.node_of(instance_id)))
    assert stays(lambda: gpus(tide.node_of(instance_id)) is None, for_s=1.5)
    tide.kubectl("create", "-f", "-", document=plugin())
    wait_for(lambda: gpus(tide.node_of(instance_id)) == "1")
    assert gpus(tide.node_of(instance_id), "capacity") == "1"
    tide.kubectl("delete", "daemonset", "plugin", "-n", "kube-system")
    wait_for(lambda: gpus(tide.node_of(instance_id)) == "0")
    tide.kubectl("create", "-f", "-", document=plugin())
    wait_for(lambda: gpus(tide.node_of(instance_id)) == "1")
    tide.kubectl("delete", "daemonset", "plugin", "-n", "kube-system")
    tide.terminate(instance_id)
    wait_for(lambda: tide.node_of(instance_id) is None)


@pytest.mark.slow
def test_a_plugin_finds_no_gpu_where_the_image_has_no_driver_or_the_type_no_gpu(
    tide: Cloud,
) -> None:
    flags = "--node-labels=team=vision"
    plain = tide.launch(tide.node_config(flags), image=image_id("al2023-x86_64-standard"))
    general = tide.launch(tide.node_config(flags), kind="m5.large")
    tide.kubectl("create", "-f", "-", document=plugin())
    for instance_id in (plain, general):
        wait_for(partial(ready_in, tide, instance_id))
    wait_for(lambda: plugin_phases(tide) == ["Running", "Running"])
    assert stays(lambda: gpus(tide.node_of(plain)) is None, for_s=2)
    assert gpus(tide.node_of(general)) is None
    tide.kubectl("delete", "daemonset", "plugin", "-n", "kube-system")
    for instance_id in (plain, general):
        tide.terminate(instance_id)


def test_bottlerocket_offers_its_gpus_without_a_pod(tide: Cloud) -> None:
    described = tide.cluster()
    settings = (
        f'[settings.kubernetes]\ncluster-name = "tide"\napi-server = "{described["endpoint"]}"\n'
        f'cluster-certificate = "{described["certificateAuthority"]["data"]}"\n'
    )
    instance_id = tide.launch(settings, image=image_id("bottlerocket-aws-k8s-1.36-nvidia-x86_64"))
    node = wait_for(lambda: tide.node_of(instance_id))
    assert "Bottlerocket" in node["status"]["nodeInfo"]["osImage"]
    wait_for(lambda: gpus(tide.node_of(instance_id)) == "1")
    tide.terminate(instance_id)


def test_pods_run_until_their_run_seconds_are_over_and_the_kubelet_says_what_it_does(
    tide: Cloud,
) -> None:
    instance_id = tide.launch(tide.node_config(FLAGS))
    name = wait_for(lambda: tide.node_of(instance_id))["metadata"]["name"]
    tide.kubectl("create", "-f", "-", document=pod("short", name, "2"))

    def phase(of: str) -> str:
        return tide.kubectl("get", "pod", of, "-o", "jsonpath={.status.phase}")

    wait_for(lambda: phase("short") == "Running")
    wait_for(lambda: phase("short") == "Succeeded")
    image = "nvidia/cuda:12.4.1-base-ubuntu22.04"
    said = wait_for(lambda: (found := tide.said("Pod", "short")) and len(found) >= 4 and found)
    assert [reason for reason, _ in said] == ["Pulling", "Pulled", "Created", "Started"]
    texts = dict(said)
    assert texts["Pulling"] == f'Pulling image "{image}"'
    assert texts["Pulled"].startswith(f'Successfully pulled image "{image}" in ')
    assert texts["Pulled"].endswith(" including waiting). Image size: 94371840 bytes.")
    tide.kubectl("create", "-f", "-", document=pod("long", name))
    wait_for(lambda: phase("long") == "Running")
    assert stays(lambda: phase("long") == "Running", for_s=3)
    tide.kubectl("delete", "pod", "long")
    said = wait_for(lambda: (found := tide.said("Pod", "long")) and len(found) >= 4 and found)
    assert [reason for reason, _ in said] == ["Pulled", "Created", "Started", "Killing"]
    assert "already present on machine" in dict(said)["Pulled"]
    tide.terminate(instance_id)


@pytest.mark.slow
def test_a_running_pod_that_is_said_once_more_to_be_just_accepted_runs_again(tide: Cloud) -> None:
    instance_id = tide.launch(tide.node_config(FLAGS))
    name = wait_for(lambda: tide.node_of(instance_id))["metadata"]["name"]
    tide.kubectl("create", "-f", "-", document=pod("late", name, "36000"))

    def state() -> str:
        return tide.kubectl(
            "get", "pod", "late", "-o", "jsonpath={.status.containerStatuses[0].state}"
        )

    wait_for(lambda: "running" in state())
    late = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    accepted = {
        "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
        "containerStatuses": [late | {"state": {"waiting": {"reason": "ContainerCreating"}}}],
    }
    patch = json.dumps({"status": accepted})
    tide.kubectl("patch", "pod", "late", "--subresource=status", "--type=merge", "-p", patch)
    wait_for(lambda: "running" in state())
    tide.kubectl("wait", "pod", "late", "--for=condition=Ready", "--timeout=180s")
    tide.kubectl("delete", "pod", "late")
    tide.terminate(instance_id)


def test_an_instance_that_the_cluster_does_not_know_never_becomes_a_node(tide: Cloud) -> None:
    joins = tide.launch(tide.node_config())
    other_name = tide.launch(tide.node_config(name="ebb"))
    no_profile = tide.launch(tide.node_config(), profile="")
    no_text = tide.launch("#!/bin/bash\necho hello\n")
    bad_label = tide.launch(tide.node_config("--node-labels=kubernetes.io/role=gpu"))
    wrong = tide.launch(tide.node_config().replace("https://127.0.0.1", "https://127.0.0.2"))
    wait_for(lambda: tide.node_of(joins))
    lost = (other_name, no_profile, no_text, bad_label, wrong)
    assert tide.served._nodes is not None
    why = wait_for(lambda: set(lost) <= set(tide.served._nodes.refused()) and tide.served._nodes.refused())  # type: ignore[union-attr] # fmt: skip
    assert [tide.node_of(one) for one in lost] == [None] * 5
    assert why[other_name] == "there is no cluster ebb in us-west-2"
    assert "names no instance profile" in why[no_profile]
    assert "no NodeConfig" in why[no_text]
    assert "kubernetes.io/role" in why[bad_label]
    assert "is not the cluster's endpoint" in why[wrong]
    for instance_id in (joins, *lost):
        tide.terminate(instance_id)
    wait_for(lambda: not tide.served._nodes.refused())  # type: ignore[union-attr]
