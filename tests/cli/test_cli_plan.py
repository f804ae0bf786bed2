from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Lowtide = Callable[..., Any]

EXAMPLE = Path(__file__).parents[2] / "examples" / "noble-gpu" / "cluster.yaml"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The empty folder of the command line, with the example in it."""
    shutil.copy(EXAMPLE, tmp_path / "cluster.yaml")
    return tmp_path


def test_plan_shows_cost_groups_stacks_objects_and_reasons(lowtide: Lowtide, here: Path) -> None:
    ran = lowtide("plan")

    assert ran.code == 0
    for word in (
        "idle",
        "worst case",
        "gpu-spot-a",
        "nvidia.com/gpu=true:NoSchedule",
        "lowtide-noble-gpu-example-cluster",
        "aws-node-termination-handler",
        "vpc S3 gateway endpoint",
        "image layers",
    ):
        assert word in ran.out


def test_plan_says_how_long_kubernetes_is_supported(lowtide: Lowtide, here: Path) -> None:
    ran = lowtide("plan")

    assert "standard support of Kubernetes 1.36" in ran.out


def test_plans_figures_are_the_same_for_people_and_programs(lowtide: Lowtide, here: Path) -> None:
    document = lowtide("plan", "-o", "json").document

    cost = document["cost_usd"]
    assert document["schema"] == "lowtide.plan/v1"
    assert cost["idle_per_hour"] == pytest.approx(
        cost["control_plane_per_hour"] + cost["nat_per_hour"] + cost["nodes_at_minimum_per_hour"]
    )
    assert cost["worst_case_per_hour"] > cost["idle_per_hour"]
    assert f"${cost['idle_per_hour']:.2f}" in lowtide("plan").out


def test_plan_as_json_has_every_group_stack_and_object(lowtide: Lowtide, here: Path) -> None:
    document = lowtide("plan", "-o", "json").document

    assert [one["name"] for one in document["node_groups"]] == [
        "general",
        "gpu-spot-a",
        "gpu-spot-b",
        "gpu-spot-c",
    ]
    gpu = document["node_groups"][1]
    assert (gpu["capacity_type"], gpu["min"], gpu["max"]) == ("spot", 0, 10)
    assert gpu["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    assert len(document["stacks"]) == 7
    assert all(sum(one["resources"].values()) > 0 for one in document["stacks"])
    assert {
        "kind": "DaemonSet",
        "name": "nvidia-device-plugin-daemonset",
        "namespace": "kube-system",
    } in document["kubernetes"]
    assert all(one["why"] for one in document["hardening"])


def test_plan_as_yaml_is_a_cluster_file_and_a_policy(lowtide: Lowtide, here: Path) -> None:
    ran = lowtide("plan", "-o", "yaml")

    cluster, policy = yaml.safe_load_all(ran.out)

    assert (cluster["kind"], policy["kind"]) == ("ClusterConfig", "Policy")
    (here / "cluster.yaml").write_text(yaml.safe_dump(cluster), "utf-8")
    (here / "lowtide.yaml").write_text(yaml.safe_dump(policy), "utf-8")
    assert lowtide("check").code == 0
    assert list(yaml.safe_load_all(lowtide("plan", "-o", "yaml").out)) == [cluster, policy]


def test_plan_of_a_broken_file_is_bad_input_and_no_traceback(lowtide: Lowtide, here: Path) -> None:
    text = (here / "cluster.yaml").read_text("utf-8")
    (here / "cluster.yaml").write_text(text.replace("g4dn.xlarge", "g4dn.nonsense"), "utf-8")

    ran = lowtide("plan")

    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert "g4dn" in ran.err


def test_render_writes_files_that_apply_without_lowtide(lowtide: Lowtide, here: Path) -> None:
    ran = lowtide("render", "out")

    assert ran.code == 0
    assert "wrote    out/cloudformation/1-cluster.yaml" in ran.out
    template = yaml.safe_load((here / "out/cloudformation/1-cluster.yaml").read_text("utf-8"))
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    assert "aws cloudformation deploy" in (here / "out/README.md").read_text("utf-8")


def test_render_refuses_to_overwrite_what_it_did_not_write(lowtide: Lowtide, here: Path) -> None:
    (here / "README.md").write_text("mine\n", "utf-8")

    refused = lowtide("render", ".")
    forced = lowtide("render", ".", "--force")

    assert (refused.code, forced.code) == (2, 0)
    assert "--force" in refused.err
    assert (here / "README.md").read_text("utf-8").startswith("# noble-gpu-example")


def test_render_as_json_says_what_it_did(lowtide: Lowtide, here: Path) -> None:
    first = lowtide("render", "out", "-o", "json").document
    second = lowtide("render", "out", "-o", "json").document

    assert first["written"]
    assert (second["written"], second["removed"]) == ([], [])
    assert second["unchanged"] == first["written"]


def test_render_only_and_helm_choose_what_is_written(lowtide: Lowtide, here: Path) -> None:
    lowtide("render", "parts", "--only", "nodegroup/gpu-*,addons")
    lowtide("render", "helm", "--helm", "--only", "helm")

    def written(folder: str) -> list[str]:
        listing = json.loads((here / folder / ".lowtide-render.json").read_text("utf-8"))
        return sorted(listing["files"])

    assert written("parts") == [
        "cloudformation/2-nodegroup-gpu-spot-a.yaml",
        "cloudformation/2-nodegroup-gpu-spot-b.yaml",
        "cloudformation/2-nodegroup-gpu-spot-c.yaml",
        "cloudformation/3-addons.yaml",
    ]
    assert all(path.startswith("helm/") for path in written("helm"))


@pytest.mark.parametrize("account", ["12345", "11112222333x", "١١١١٢٢٢٢٣٣٣٣"])
def test_an_account_that_is_none_is_refused(lowtide: Lowtide, here: Path, account: str) -> None:
    ran = lowtide("render", "out", "--account-id", account)

    assert ran.code == 2
    assert "12 digits" in ran.err
    assert not (here / "out").exists()


def test_render_diff_shows_properties_and_writes_nothing(lowtide: Lowtide, here: Path) -> None:
    lowtide("render", "out")
    text = (here / "cluster.yaml").read_text("utf-8")
    (here / "cluster.yaml").write_text(
        text.replace("maxSize: 3", "maxSize: 4").replace("vpc:\n", "vpc:\n  cidr: 10.0.0.0/16\n"),
        "utf-8",
    )
    before = (here / "out/cloudformation/1-cluster.yaml").read_text("utf-8")

    ran = lowtide("render", "--diff", "out")
    document = lowtide("render", "--diff", "out", "-o", "json").document

    assert ran.code == 0
    assert "AutoScalingGroup.Properties.MaxSize: 3 -> 4" in ran.out
    assert "replaces the resource" in ran.out
    assert "cloudformation/1-cluster.yaml: Vpc" in document["replaced"]
    assert (here / "out/cloudformation/1-cluster.yaml").read_text("utf-8") == before


def test_render_diff_of_an_unchanged_file_is_up_to_date(lowtide: Lowtide, here: Path) -> None:
    lowtide("render", "out")

    assert lowtide("render", "--diff", "out").out.strip() == "out is up to date"


def test_a_template_that_goes_leaves_a_stack_behind_and_render_says_so(
    lowtide: Lowtide, here: Path
) -> None:
    lowtide("render", "out")
    text = (here / "cluster.yaml").read_text("utf-8")
    (here / "cluster.yaml").write_text(text.replace("gpu-spot-c", "gpu-spot-d"), "utf-8")

    shown = lowtide("render", "--diff", "out")
    ran = lowtide("render", "out")

    assert "- cloudformation/2-nodegroup-gpu-spot-c.yaml" in shown.out
    assert "removed  out/cloudformation/2-nodegroup-gpu-spot-c.yaml" in ran.out
    assert "delete-stack" in ran.err
    assert "delete-stack" in shown.out
