"""The example, broken in the ways people break it: the twin fails as EKS fails, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowtide.model.simulation import Simulation
from tests.acceptance.laboratory import (
    AS_FILE,
    Edit,
    reasons,
    run_example,
    swap,
    without_lines,
)

NO_ADMISSION = """\
apiVersion: lowtide.dev/v1alpha1
kind: Policy
admission: {extendedResourceToleration: false}
"""
INSUFFICIENT = "Insufficient nvidia.com/gpu"


def no_toleration(text: str) -> str:
    start, end = text.index("      # Allowed onto nodes"), text.index("      securityContext:")
    return text[:start] + text[end:]


def other_taint(text: str) -> str:
    return (
        text.replace("key: nvidia.com/gpu #", "key: team.example/gpu #")
        .replace("      - key: nvidia.com/gpu\n", "      - key: team.example/gpu\n")
        .replace("node-template/taint/nvidia.com/gpu", "node-template/taint/team.example/gpu")
    )


def plugin_without_toleration(text: str) -> str:
    start = text.index("      tolerations:")
    end = text.index(
        "      ", text.index("effect: NoSchedule", start) + len("effect: NoSchedule\n")
    )
    return text[:start] + text[end:]


def without_step(name: str) -> Edit:
    def edit(text: str) -> str:
        assert name in text
        return text.replace(f"{name}, ", "").replace(f", {name}]", "]")

    return edit


def assert_nothing_ran(result: Simulation) -> None:
    assert result.pods.running == result.pods.finished == result.pods.stopped == 0
    assert sum(len(one.pods) for one in result.pods.refused) == 10


def test_another_taint_key_than_the_workload_tolerates(tmp_path: Path) -> None:
    result = run_example(tmp_path, {"cluster.yaml": other_taint})
    assert_nothing_ran(result)
    assert "node(s) had untolerated taint {team.example/gpu: true}" in reasons(result)
    assert result.nodes.gpu_launched == 0


def test_no_toleration_runs_by_the_admission_of_eks(tmp_path: Path) -> None:
    result = run_example(tmp_path, {"cudaexample.yaml": no_toleration})
    assert (result.pods.stopped, result.pods.refused) == (20, ())


def test_no_toleration_fails_without_that_admission(tmp_path: Path) -> None:
    result = run_example(
        tmp_path, {"cudaexample.yaml": no_toleration}, files={"lowtide.yaml": NO_ADMISSION}
    )
    assert_nothing_ran(result)
    assert "node(s) had untolerated taint {nvidia.com/gpu: true}" in reasons(result)


def test_a_selector_that_no_group_has(tmp_path: Path) -> None:
    selector = "k8s.amazonaws.com/accelerator: nvidia-tesla-t4"
    result = run_example(
        tmp_path, {"cudaexample.yaml": swap(selector, "k8s.amazonaws.com/accelerator: nvidia-h100")}
    )
    assert_nothing_ran(result)
    (refused,) = result.pods.refused
    for name, _ in result.gpu_groups:
        assert refused.reasons[f"group/{name}"] == (
            "node(s) didn't match Pod's node affinity/selector",
        )


def test_two_gpus_on_one_gpu_types(tmp_path: Path) -> None:
    result = run_example(
        tmp_path, {"cudaexample.yaml": swap("nvidia.com/gpu: 1", "nvidia.com/gpu: 2")}
    )
    assert_nothing_ran(result)
    (refused,) = result.pods.refused
    assert all(refused.reasons[f"group/{name}"] == (INSUFFICIENT,) for name, _ in result.gpu_groups)
    assert result.nodes.gpu_launched == 0


def test_a_device_plugin_without_toleration_never_brings_a_gpu(tmp_path: Path) -> None:
    result = run_example(tmp_path, {"nvidiplugin.yaml": plugin_without_toleration})
    assert_nothing_ran(result)
    assert result.nodes.gpu_launched >= 10
    assert all(usage.gpu_ready_ms is None for usage in result.instances)
    assert INSUFFICIENT in reasons(result)
    assert "plugin" in result.pods.refused[0].cause


def test_no_device_plugin_never_brings_a_gpu(tmp_path: Path) -> None:
    result = run_example(tmp_path, {"scenario.yaml": without_step("nvidiplugin.yaml")})
    assert_nothing_ran(result)
    assert result.nodes.gpu_launched >= 10
    assert all(usage.gpu_ready_ms is None for usage in result.instances)
    assert "plugin" in result.pods.refused[0].cause


def test_no_autoscaler_leaves_the_groups_at_zero(tmp_path: Path) -> None:
    result = run_example(tmp_path, {"scenario.yaml": without_step("autoscaler")})
    assert_nothing_ran(result)
    assert result.nodes.gpu_launched == 0
    assert "No autoscaler is running" in result.pods.refused[0].cause
    assert result.ended == "quiet"


def test_a_missing_discovery_tag_hides_the_groups(tmp_path: Path) -> None:
    result = run_example(
        tmp_path,
        {"cluster.yaml": without_lines("k8s.io/cluster-autoscaler/enabled")},
        files={"lowtide.yaml": AS_FILE},
    )
    assert_nothing_ran(result)
    assert result.nodes.gpu_launched == 0
    cause = result.pods.refused[0].cause
    assert "tag k8s.io/cluster-autoscaler/enabled is missing" in cause


def test_a_maximum_of_zero(tmp_path: Path) -> None:
    result = run_example(tmp_path, {"cluster.yaml": swap("maxSize: 10", "maxSize: 0")})
    assert_nothing_ran(result)
    (refused,) = result.pods.refused
    assert all(
        refused.reasons[f"group/{name}"] == ("max node group size reached",)
        for name, _ in result.gpu_groups
    )


def test_a_misspelt_flag_stops_the_autoscaler(tmp_path: Path) -> None:
    result = run_example(
        tmp_path,
        {
            "autoscaler/2-deployment.yaml": swap(
                "--balance-similar-node-groups", "--balance-similar-nodes"
            )
        },
    )
    assert_nothing_ran(result)
    assert "unknown flag: --balance-similar-nodes" in result.pods.refused[0].cause


@pytest.mark.parametrize("name", ["gpu-pod.yaml", "training-job.yaml"])
def test_the_other_examples_run_to_their_end(tmp_path: Path, name: str) -> None:
    scenario = f"""\
apiVersion: lowtide.dev/v1alpha1
kind: Scenario
steps:
  - apply: [{name}]
"""
    result = run_example(tmp_path, files={"scenario.yaml": scenario})
    assert (result.pods.finished, result.pods.refused) == (1, ())
    assert result.nodes.gpu_final == 0
