"""``simulate``, ``compare`` and ``demo`` from files to figures, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide.app.examples import example_folder
from lowtide.app.html import can_write_html

Lowtide = Callable[..., Any]

ONE_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: one
  annotations:
    lowtide.dev/run-seconds: "600"
spec:
  restartPolicy: Never
  nodeSelector:
    lowtide.dev/pool: gpu-spot
  tolerations:
    - key: nvidia.com/gpu
      operator: Exists
  containers:
    - name: main
      image: nvidia/cuda
      resources:
        limits:
          nvidia.com/gpu: 1
"""


@pytest.fixture
def example() -> list[str]:
    """Options that name the example's cluster and scenario."""
    folder = example_folder()
    return ["-f", str(folder / "cluster.yaml"), "-w", str(folder / "scenario.yaml")]


@pytest.fixture
def cluster(lowtide: Lowtide) -> Path:
    """A good cluster.yaml and a workload of one pod in the current folder."""
    assert lowtide("init").code == 0
    Path("pod.yaml").write_text(ONE_POD)
    return Path("cluster.yaml")


def plateaus(counts: list[int], levels: set[int]) -> list[int]:
    """Return the levels in the order in which the counts reached them."""
    reached: list[int] = []
    for count in counts:
        if count in levels and reached[-1:] != [count]:
            reached.append(count)
    return reached


def test_the_example_goes_from_zero_to_ten_and_back_twice(
    lowtide: Lowtide, example: list[str]
) -> None:
    ran = lowtide("simulate", *example, "-o", "json")
    assert ran.code == 0, ran.err
    document = ran.document
    nodes = [moment["gpu_nodes"] for moment in document["timeline"]]
    assert plateaus(nodes, {0, 10}) == [0, 10, 0, 10, 0]
    assert document["ended"] == "until"
    assert document["pods"]["refused"] == []
    assert document["nodes"]["gpu_peak"] == 10
    assert document["nodes"]["gpu_final"] == 0
    peak = next(moment for moment in document["timeline"] if moment["gpu_nodes"] == 10)
    assert sorted(peak["gpu_nodes_by_zone"].values()) == [3, 3, 4]


def test_the_document_has_every_promised_field(lowtide: Lowtide, example: list[str]) -> None:
    document = lowtide("simulate", *example, "-o", "json").document
    assert document["schema"] == "lowtide.simulate/v1"
    promised = {
        "pods": "total finished stopped running pending refused",
        "wait_seconds": "mean p50 p95 p99 max",
        "nodes": "gpu_peak gpu_final gpu_launched general_peak",
        "gpu_hours": "requested unmet billed utilization",
        "cost_usd": "total gpu_spot gpu_on_demand general control_plane network storage",
        "baseline_usd": "always_on_on_demand cheapest_possible cheapest_in_region",
    }
    assert {
        "cluster",
        "seed",
        "ended",
        "simulated_seconds",
        "wall_seconds",
        "interruptions",
        "timeline",
        "decisions",
    } <= set(document)
    for field, parts in promised.items():
        assert set(parts.split()) <= set(document[field]), field
    assert {
        "t",
        "gpu_nodes",
        "gpu_nodes_ready",
        "pods_running",
        "pods_pending",
        "usd_per_hour",
    } <= set(document["timeline"][0])


def test_the_same_seed_gives_the_same_document_but_for_the_wall_clock(
    lowtide: Lowtide, example: list[str]
) -> None:
    first = lowtide("simulate", *example, "--seed", "3", "-o", "json").document
    second = lowtide("simulate", *example, "--seed", "3", "-o", "json").document
    assert first.pop("wall_seconds") > 0
    second.pop("wall_seconds")
    assert json.dumps(first) == json.dumps(second)
    assert first["seed"] == 3


def test_people_read_a_report_and_get_the_next_commands(lowtide: Lowtide, cluster: Path) -> None:
    ran = lowtide("simulate", "-w", "pod.yaml")
    assert ran.code == 0, ran.err
    assert "always-on" in ran.out
    assert "lowtide simulate -w pod.yaml --html report.html" in ran.err
    assert "compare" not in ran.err
    assert cluster.exists()


def test_another_cluster_file_beside_it_is_offered_for_comparison(
    lowtide: Lowtide, cluster: Path
) -> None:
    Path("a-twin.yaml").write_text(cluster.read_text())
    ran = lowtide("simulate", "-w", "pod.yaml")
    assert "lowtide compare cluster.yaml a-twin.yaml -w pod.yaml" in ran.err


def test_a_cluster_file_beside_it_that_does_not_read_is_not_offered(
    lowtide: Lowtide, cluster: Path
) -> None:
    Path("a-broken.yaml").write_text(cluster.read_text() + "nodeGroups: [\n")
    Path("a-wrong.yaml").write_text(cluster.read_text() + "noSuchKey: 1\n")
    assert "compare" not in lowtide("simulate", "-w", "pod.yaml").err
    Path("b-twin.yaml").write_text(cluster.read_text())
    assert "lowtide compare cluster.yaml b-twin.yaml" in lowtide("simulate", "-w", "pod.yaml").err


def test_where_no_pod_ran_the_next_step_is_to_look_for_the_reason(
    lowtide: Lowtide, cluster: Path
) -> None:
    assert cluster.exists()
    Path("pod.yaml").write_text(ONE_POD.replace("gpu-spot", "no-such-pool"))
    ran = lowtide("simulate", "-w", "pod.yaml")
    assert "The only pod did not run" in ran.out
    assert "lowtide check -w pod.yaml" in ran.err
    assert "--html" not in ran.err


def test_a_run_says_what_its_figures_depend_on(lowtide: Lowtide, cluster: Path) -> None:
    assert cluster.exists()
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nbudget: {maxUsdPerHour: 0.2}\n"
    )
    notices = "\n".join(lowtide("simulate", "-w", "pod.yaml", "-o", "json").document["notices"])
    assert "above the $0.20 of budget.maxUsdPerHour" in notices
    assert "lowtide plan" in notices
    Path("lowtide.yaml").write_text(
        "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nautoscalerTags: asFile\n"
    )
    notices = "\n".join(lowtide("simulate", "-w", "pod.yaml", "-o", "json").document["notices"])
    assert "budget" not in notices
    assert "--balancing-label" not in notices


def test_without_a_workload_ten_gpu_pods_run(lowtide: Lowtide, cluster: Path) -> None:
    assert cluster.exists()
    pods = lowtide("simulate", "-o", "json").document["pods"]
    assert (pods["total"], pods["finished"], pods["refused"]) == (10, 10, [])


def test_the_policy_beside_the_cluster_file_is_taken(lowtide: Lowtide, cluster: Path) -> None:
    assert cluster.exists()
    Path("lowtide.yaml").write_text("apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nseed: 41\n")
    Path("other.yaml").write_text("apiVersion: lowtide.dev/v1alpha1\nkind: Policy\nseed: 42\n")
    options = ("simulate", "-w", "pod.yaml", "-o", "json")
    assert lowtide(*options).document["seed"] == 41
    assert lowtide(*options, "--policy", "other.yaml").document["seed"] == 42
    assert lowtide(*options, "--seed", "43").document["seed"] == 43


def test_prices_of_another_region_are_said_loudly(lowtide: Lowtide) -> None:
    Path("pod.yaml").write_text(ONE_POD)
    assert lowtide("init", "--region", "eu-west-1").code == 0
    ran = lowtide("simulate", "-w", "pod.yaml", "-o", "json")
    assert ran.code == 0, ran.err
    assert "us-east-1" in " ".join(ran.document["notices"])
    assert "NOTICE" in ran.err


def test_a_file_with_errors_is_not_simulated_and_all_errors_are_in_the_document(
    lowtide: Lowtide, cluster: Path
) -> None:
    cluster.write_text(cluster.read_text().replace("minSize", "minSiez"))
    ran = lowtide("simulate", "-o", "json")
    assert ran.code == 2
    assert ran.document["schema"] == "lowtide.error/v1"
    assert len(ran.document["findings"]) == 4
    people = lowtide("simulate")
    assert people.out == ""
    what, where, why, following = people.err.splitlines()
    assert "4 errors" in what
    assert "cluster.yaml:" in where
    assert "minSiez" in why
    assert "lowtide check" in following


def test_a_missing_workload_is_exit_code_two(lowtide: Lowtide, cluster: Path) -> None:
    assert cluster.exists()
    ran = lowtide("simulate", "-w", "no-such.yaml")
    assert ran.code == 2
    assert "no-such.yaml" in ran.err


def test_compare_sets_files_side_by_side(lowtide: Lowtide, cluster: Path) -> None:
    assert cluster.exists()
    assert lowtide("init", "--on-demand", "-f", "sure.yaml").code == 0
    text = (
        Path("pod.yaml")
        .read_text()
        .replace("  nodeSelector:\n    lowtide.dev/pool: gpu-spot\n", "")
    )
    Path("pod.yaml").write_text(text)
    options = ("compare", "cluster.yaml", "sure.yaml", "-w", "pod.yaml")
    document = lowtide(*options, "-o", "json").document
    assert document["schema"] == "lowtide.compare/v1"
    spot, sure = document["simulations"]
    assert (spot["label"], sure["label"]) == ("cluster", "sure")
    assert spot["cost_usd"]["gpu_on_demand"] == 0 < spot["cost_usd"]["gpu_spot"]
    assert sure["cost_usd"]["gpu_spot"] == 0 < sure["cost_usd"]["gpu_on_demand"]
    people = lowtide(*options).out
    assert "cluster" in people
    assert "sure" in people


def test_one_file_alone_is_no_comparison(lowtide: Lowtide, cluster: Path) -> None:
    ran = lowtide("compare", str(cluster))
    assert ran.code == 2
    assert "other.yaml" in ran.err
    Path("second.yaml").write_text(cluster.read_text())
    assert "lowtide compare" in (told := lowtide("compare", str(cluster)).err)
    assert "second.yaml" in told


@pytest.mark.skipif(not can_write_html(), reason="needs lowtide[report]")
def test_demo_prints_the_report_and_says_where_the_page_lies(lowtide: Lowtide) -> None:
    ran = lowtide("demo")
    assert ran.code == 0, ran.err
    assert "noble-gpu-example" in ran.out
    page = Path("lowtide-demo.html")
    assert str(page.resolve()) in ran.err
    assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")


def test_demo_works_without_the_report_extra(
    lowtide: Lowtide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowtide.app.html.can_write_html", lambda: False)
    ran = lowtide("demo")
    assert ran.code == 0, ran.err
    assert "pip install -e '.[report]'" in ran.err
    assert not Path("lowtide-demo.html").exists()


def test_demo_refuses_a_page_that_was_asked_for_and_cannot_be(
    lowtide: Lowtide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowtide.app.html.can_write_html", lambda: False)
    ran = lowtide("demo", "--html", "x.html")
    assert (ran.code, ran.out) == (1, "")
    assert "pip install -e '.[report]'" in ran.err


def test_html_without_the_extra_is_refused_before_the_run(
    lowtide: Lowtide, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.exists()
    monkeypatch.setattr("lowtide.app.html.can_write_html", lambda: False)
    ran = lowtide("simulate", "--html", "report.html")
    assert ran.code == 1
    assert ran.out == ""
    assert "pip install -e '.[report]'" in ran.err


@pytest.mark.skipif(not can_write_html(), reason="needs lowtide[report]")
def test_a_page_with_nowhere_to_go_is_refused_before_the_run(
    lowtide: Lowtide, cluster: Path
) -> None:
    assert cluster.exists()
    ran = lowtide("simulate", "--html", "no/such/folder/report.html")
    assert ran.code == 2
    assert ran.out == ""
    assert "mkdir -p" in ran.err


@pytest.mark.parametrize("kind", ["cluster", "policy", "scenario"])
def test_schema_prints_a_json_schema(lowtide: Lowtide, kind: str) -> None:
    import jsonschema

    ran = lowtide("schema", kind)
    assert ran.code == 0, ran.err
    jsonschema.Draft202012Validator.check_schema(ran.document)
    assert ran.document["properties"]["kind"]
