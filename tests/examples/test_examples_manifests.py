from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lowtide.app.files import Inputs, load
from lowtide.kube.addons import render_files
from lowtide.kube.flags import is_autoscaler, is_device_plugin, template_options
from lowtide.model.kube import Taint
from lowtide.model.workload import DaemonSet, Job, Replicated
from lowtide.spec.manifests import load_manifests

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu"
MANIFESTS = sorted(
    one for one in EXAMPLE.rglob("*.yaml") if one.name not in {"cluster.yaml", "scenario.yaml"}
)
GPU_TAINT = Taint(key="nvidia.com/gpu", value="true")
REGENERATE = "run .venv/bin/python tests/examples/regenerate.py"


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def pod_specs(path: Path) -> Iterator[dict[str, Any]]:
    for one in documents(path):
        if one["kind"] == "Pod":
            yield one["spec"]
        elif "template" in one.get("spec", {}):
            yield one["spec"]["template"]["spec"]


def test_the_addons_are_what_lowtide_renders_for_the_cluster_file() -> None:
    cluster = load(Inputs(cluster=str(EXAMPLE / "cluster.yaml"))).cluster
    assert cluster is not None

    for path, text in render_files(cluster).items():
        assert documents(EXAMPLE / path) == list(yaml.safe_load_all(text)), REGENERATE
        assert (EXAMPLE / path).read_text(encoding="utf-8") == text, REGENERATE


@pytest.mark.parametrize("minor", ["1.33", "1.34", "1.35", "1.36"])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda one: one.name)
def test_every_manifest_is_strictly_valid(path: Path, minor: str) -> None:
    for one in documents(path):
        assert kubernetes_validate.validate(one, minor, strict=True) == minor


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda one: one.name)
def test_every_container_is_pinned_bounded_and_unprivileged(path: Path) -> None:
    for spec in pod_specs(path):
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag, container["image"]
            assert tag != "latest"
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not security.get("privileged")
            profile = {**spec.get("securityContext", {}), **security}["seccompProfile"]
            assert profile == {"type": "RuntimeDefault"}


def test_only_the_device_plugin_runs_as_root_and_touches_the_host() -> None:
    """Its socket lies in the kubelet's folder, which is root's."""
    rooted = {
        path.name
        for path in MANIFESTS
        for spec in pod_specs(path)
        if spec.get("securityContext", {}).get("runAsNonRoot") is not True
    }
    mounted = {
        (path.name, volume["hostPath"]["path"])
        for path in MANIFESTS
        for spec in pod_specs(path)
        for volume in spec.get("volumes", ())
        if "hostPath" in volume
    }

    assert rooted == {"nvidiplugin.yaml"}
    assert mounted == {("nvidiplugin.yaml", "/var/lib/kubelet/device-plugins")}


def test_the_autoscaler_is_recognised_and_runs_with_its_flags() -> None:
    (deployment,) = [
        one for one in load_manifests(EXAMPLE / "autoscaler") if isinstance(one, Replicated)
    ]

    options, problems = template_options(deployment.template)

    assert is_autoscaler(deployment.template)
    assert problems == ()
    assert options.balance_similar_node_groups
    assert options.balancing_labels == ("lowtide.dev/pool",)
    assert options.discovery_tags == (
        ("k8s.io/cluster-autoscaler/enabled", ""),
        ("k8s.io/cluster-autoscaler/noble-gpu-example", ""),
    )


def test_the_plugin_is_recognised_and_reaches_the_tainted_nodes() -> None:
    (plugin,) = load_manifests(EXAMPLE / "nvidiplugin.yaml")

    assert isinstance(plugin, DaemonSet)
    assert is_device_plugin(plugin.template)
    assert any(one.tolerates(GPU_TAINT) for one in plugin.template.tolerations)
    (term,) = plugin.template.affinity.node_required
    assert term.expressions[0].matches({"k8s.amazonaws.com/accelerator": "nvidia-tesla-t4"})
    assert not term.expressions[0].matches({})


@pytest.mark.parametrize("name", ["cudaexample.yaml", "gpu-pod.yaml", "training-job.yaml"])
def test_every_workload_asks_for_a_gpu_tolerates_the_taint_and_selects_a_group(name: str) -> None:
    file = yaml.safe_load((EXAMPLE / "cluster.yaml").read_text(encoding="utf-8"))
    labels = [one["labels"] for one in file["nodeGroups"] if "taints" in one]
    (template,) = [
        one.template for one in load_manifests(EXAMPLE / name) if hasattr(one, "template")
    ]

    assert template.gpus == 1
    assert any(one.tolerates(GPU_TAINT) for one in template.tolerations)
    assert len(labels) == 3
    assert all(template.node_selector.items() <= one.items() for one in labels)


def test_the_deployment_has_ten_pods_that_scale_down_cleanly() -> None:
    (deployment,) = load_manifests(EXAMPLE / "cudaexample.yaml")

    assert isinstance(deployment, Replicated)
    assert deployment.replicas == 10
    assert deployment.template.local_volumes == ()  # an emptyDir would keep its node for ever
    assert deployment.template.run_seconds is None


def test_the_training_job_is_safe_on_spot() -> None:
    (job,) = [one for one in load_manifests(EXAMPLE / "training-job.yaml") if isinstance(one, Job)]
    (raw,) = [one for one in documents(EXAMPLE / "training-job.yaml") if one["kind"] == "Job"]
    annotation = "cluster-autoscaler.kubernetes.io/safe-to-evict"
    first_rule = raw["spec"]["podFailurePolicy"]["rules"][0]

    assert job.template.annotations[annotation] == "false"
    assert job.template.grace_seconds <= 110  # of the 120 s that spot gives
    assert job.template.run_seconds == 3600
    assert first_rule["action"] == "Ignore"
    assert first_rule["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert job.template.restart_policy == "Never"  # the only one that podFailurePolicy allows
    assert job.backoff_limit > 0


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda one: one.name)
def test_kubectl_reads_every_manifest(path: Path) -> None:
    """A dry run asks a server for its kinds; ``label --local`` reads and prints without one."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("needs kubectl on PATH")

    done = subprocess.run(
        [kubectl, "label", "--local", "-f", str(path), "lowtide.dev/read=yes", "-o", "name"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(documents(path))
