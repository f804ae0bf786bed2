"""The main job: the example's pods come from zero GPU nodes and go back to zero, twice, priced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lowtide.model.simulation import Simulation
from tests.acceptance.laboratory import AS_FILE, peaks, run_example, waves, without_lines

STEPS = """\
apiVersion: lowtide.dev/v1alpha1
kind: Scenario
addons: none
steps:
  - apply: [autoscaler, nvidiplugin.yaml, first.yaml]
  - at: 20m
    apply: [more.yaml]
until: {at: 40m}
"""


def deployment(name: str, replicas: int, memory: str = "1Gi") -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      nodeSelector: {{k8s.amazonaws.com/accelerator: nvidia-tesla-t4}}
      tolerations: [{{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}}]
      containers:
        - name: main
          image: nvidia/cuda:12.4.1-base-ubuntu22.04
          resources:
            requests: {{cpu: 500m, memory: {memory}}}
            limits: {{nvidia.com/gpu: 1}}
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    return run_example(tmp_path_factory.mktemp("example"))


def test_gpu_nodes_go_0_10_0_10_0(example: Simulation) -> None:
    assert waves(example) == [0, 10, 0, 10, 0]
    assert example.ended == "until"


def test_all_three_zones_take_their_share(example: Simulation) -> None:
    assert peaks(example) in ([3, 3, 4], [3, 4, 4], [4, 4, 4])
    tens = [
        sorted(row.desired_by_group[name] for name, _ in example.gpu_groups)
        for row in example.states
        if sum(row.desired_by_group[name] for name, _ in example.gpu_groups) == 10
    ]
    assert {tuple(one) for one in tens} == {(3, 3, 4)}


def test_every_pod_ran_and_nothing_is_left(example: Simulation) -> None:
    assert (example.pods.total, example.pods.stopped, example.pods.refused) == (20, 20, ())
    assert (example.nodes.gpu_peak, example.nodes.gpu_launched, example.nodes.gpu_final) == (
        10,
        20,
        0,
    )


def test_the_bill_lies_between_the_baselines(example: Simulation) -> None:
    gpu = example.cost_usd.gpu_spot + example.cost_usd.gpu_on_demand
    assert example.baseline_usd.cheapest_possible < gpu < example.baseline_usd.always_on_on_demand
    assert example.cost_usd.gpu_on_demand == 0
    assert example.gpu_hours.billed >= example.gpu_hours.requested > 0


def test_the_same_seed_gives_the_same_run_and_another_one_other_ties(
    example: Simulation, tmp_path: Path
) -> None:
    assert run_example(tmp_path / "again") == example
    other = run_example(tmp_path / "other", seed=5)
    assert replace(other, seed=example.seed) != example
    assert waves(other) == [0, 10, 0, 10, 0]


def test_the_order_of_files_changes_nothing(example: Simulation, tmp_path: Path) -> None:
    def turned(text: str) -> str:
        return text.replace(
            "[autoscaler, nvidiplugin.yaml, cudaexample.yaml]",
            "[cudaexample.yaml, nvidiplugin.yaml, autoscaler]",
        )

    other = run_example(tmp_path, {"scenario.yaml": turned})
    assert waves(other) == waves(example)
    assert other.cost_usd == example.cost_usd
    assert other.wait_seconds == example.wait_seconds


@pytest.mark.parametrize(
    ("policy", "memory_tag", "expected"),
    [
        ("", False, [3, 4, 4]),
        (AS_FILE, False, [0, 1, 10]),
        (AS_FILE, True, [1, 5, 5]),
    ],
)
def test_one_pod_and_then_ten_more_over_three_zones(
    tmp_path: Path, policy: str, memory_tag: bool, expected: list[int]
) -> None:
    """With our defaults 4/4/3; as the file says 10/1/0, with memory tags 5/5/1 (recordings 22a, 22b, 22d)."""
    edits = [without_lines("lowtide.dev/pool")] if policy else []
    if memory_tag:
        edits.append(_with_memory_tags)
    files = {
        "scenario.yaml": STEPS,
        "first.yaml": deployment("first", 1),
        "more.yaml": deployment("more", 10),
        "autoscaler/2-deployment.yaml": _plain_autoscaler(),
    }
    if policy:
        files["lowtide.yaml"] = policy
    else:
        del files["autoscaler/2-deployment.yaml"]
    result = run_example(tmp_path, {"cluster.yaml": edits}, files=files)
    final = result.states[-1].desired_by_group
    assert sorted(final[name] for name, _ in result.gpu_groups) == expected
    assert result.pods.running == 11


def test_a_pod_between_allocatable_and_total_memory_buys_useless_nodes_as_the_file_says(
    tmp_path: Path,
) -> None:
    """One group, two pods: 0 -> 2 -> 4 and no more, then refused (recording 07b)."""
    result = run_example(
        tmp_path,
        {"cluster.yaml": [without_lines("lowtide.dev/pool"), _one_gpu_group]},
        files={
            "lowtide.yaml": AS_FILE,
            "scenario.yaml": STEPS.replace("40m", "2h"),
            "first.yaml": deployment("first", 2, memory="15000Mi"),
            "more.yaml": deployment("none", 0),
            "autoscaler/2-deployment.yaml": _plain_autoscaler(),
        },
    )
    sizes = [row.desired_by_group["gpu-spot-a"] for row in result.states]
    assert [size for size, last in zip(sizes, [None, *sizes], strict=False) if size != last][
        :3
    ] == [0, 2, 4]
    assert max(sizes) == 4
    assert result.pods.running == 0
    (refused,) = result.pods.refused
    assert "Insufficient memory" in refused.reasons["group/gpu-spot-a"]


def test_with_full_tags_the_same_pod_buys_nothing_and_is_told_why(tmp_path: Path) -> None:
    result = run_example(
        tmp_path,
        {"cluster.yaml": _one_gpu_group},
        files={
            "scenario.yaml": STEPS.replace("40m", "2h"),
            "first.yaml": deployment("first", 2, memory="15000Mi"),
            "more.yaml": deployment("none", 0),
        },
    )
    assert result.nodes.gpu_launched == 0
    (refused,) = result.pods.refused
    assert refused.reasons["group/gpu-spot-a"] == ("Insufficient memory",)
    assert len(refused.pods) == 2


def _with_memory_tags(text: str) -> str:
    tag = "      k8s.io/cluster-autoscaler/node-template/taint/nvidia.com/gpu:"
    assert tag in text
    memory = "      k8s.io/cluster-autoscaler/node-template/resources/memory: 14000Mi\n"
    return text.replace(tag, memory + tag)


def _one_gpu_group(text: str) -> str:
    return text[: text.index("  - name: gpu-spot-b")]


def _plain_autoscaler() -> str:
    """The autoscaler as a user without lowtide has it: discovery, balancing, everything else default."""
    from tests.acceptance.laboratory import EXAMPLE

    text = (EXAMPLE / "autoscaler" / "2-deployment.yaml").read_text()
    ours = ("balancing-label", "node-info-cache-expire-time", "scale-down-", "expander")
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not any(f"--{one}" in line for one in ours)
    )
