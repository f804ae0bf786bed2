from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
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


def test_plan_as_yaml_is_one_file_that_every_verb_takes_and_plans_the_same(
    lowtide: Lowtide, here: Path
) -> None:
    resolved = lowtide("plan", "-o", "yaml").out
    (here / "resolved.yaml").write_text(resolved, "utf-8")
    given = ("-f", "resolved.yaml")

    for verb in (("check",), ("plan",), ("render", "again"), ("simulate",)):
        assert lowtide(*verb, *given).code == 0
    lowtide("render", "out")

    assert lowtide("plan", *given, "-o", "yaml").out == resolved
    assert cost_and_parts(lowtide("plan", *given, "-o", "json").document) == cost_and_parts(
        lowtide("plan", "-o", "json").document
    )
    assert lowtide("render", "--diff", "out", *given).out.strip() == "out is up to date"


def cost_and_parts(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan without what lowtide says about the file rather than about the cluster."""
    return {key: value for key, value in plan.items() if key not in {"hardening", "notices"}}


@pytest.mark.parametrize("named", [(), ("--policy", "lowtide.yaml")])
def test_a_policy_in_the_file_and_one_beside_it_are_an_error_that_names_both(
    lowtide: Lowtide, here: Path, named: tuple[str, ...]
) -> None:
    (here / "resolved.yaml").write_text(lowtide("plan", "-o", "yaml").out, "utf-8")
    (here / "lowtide.yaml").write_text(POLICY, "utf-8")

    ran = lowtide("plan", "-f", "resolved.yaml", *named)

    assert ran.code == 2
    assert "resolved.yaml holds a Policy, and lowtide.yaml is one, too" in ran.err
    assert len(ran.err.splitlines()) == 4


POLICY = "apiVersion: lowtide.dev/v1alpha1\nkind: Policy\n"


def test_mistakes_in_both_documents_of_a_file_are_told_at_once(
    lowtide: Lowtide, here: Path
) -> None:
    text = (here / "cluster.yaml").read_text("utf-8").replace("maxSize: 3", "maxSizes: 3")
    policy = POLICY + "autoscaler: {flags: {expander: 7}}\nsedd: 1\n"
    (here / "both.yaml").write_text(f"{text}---\n{policy}", "utf-8")

    ran = lowtide("check", "-f", "both.yaml", "-o", "json")

    assert ran.code == 2
    assert [one["fix"] for one in ran.document["findings"]] == [
        "did you mean maxSize?",
        "did you mean seed?",
    ]


def test_a_wrong_flag_of_a_policy_in_the_file_has_its_place_there(
    lowtide: Lowtide, here: Path
) -> None:
    text = (here / "cluster.yaml").read_text("utf-8")
    policy = POLICY + "autoscaler:\n  flags:\n    expandr: random\n"
    (here / "both.yaml").write_text(f"{text}---\n{policy}", "utf-8")

    ran = lowtide("check", "-f", "both.yaml", "-o", "json")

    (wrong,) = ran.document["findings"]
    assert wrong["file"] == "both.yaml"
    assert wrong["line"] == text.count("\n") + 1 + 5


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


def test_plan_and_render_work_without_any_account_and_without_a_network(
    lowtide: Lowtide, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HOME", str(here / "nobody"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)

    assert lowtide("plan").code == 0
    assert lowtide("plan", "-o", "yaml").code == 0
    assert lowtide("render", "out").code == 0
    assert lowtide("render", "--helm", "charts").code == 0
    assert lowtide("render", "--diff", "out").code == 0


def test_plan_prices_idle_worst_case_gpu_hours_and_months_always_on(
    lowtide: Lowtide, here: Path
) -> None:
    document = lowtide("plan", "-o", "json").document
    cost, (gpu,) = document["cost_usd"], document["gpu_hour_usd"]

    words = lowtide("plan").out

    rows = {line.split("  ")[0]: line.split() for line in words.splitlines()}
    for name, key in (("idle", "idle"), ("worst case", "worst_case")):
        row = rows[name][len(name.split()) :]
        assert row[0] == f"${cost[f'{key}_per_hour']:.2f}"
        assert row[1] == f"${cost[f'{key}_per_month']:,.2f}"
    assert "always on: 720 hours" in words
    assert rows["g4dn.xlarge"][-2:] == [f"${gpu['spot']:.2f}", f"${gpu['on_demand']:.2f}"]


def test_plan_counts_the_days_of_support_that_are_left(lowtide: Lowtide, here: Path) -> None:
    text = (here / "cluster.yaml").read_text("utf-8")
    (here / "cluster.yaml").write_text(text.replace('"1.36"', '"1.34"'), "utf-8")

    support = lowtide("plan", "-o", "json").document["support"]
    words = lowtide("plan").out

    until, today = map(dt.date.fromisoformat, (support["standard_until"], support["counted_from"]))
    assert support["days_left"] == (until - today).days
    assert support["standard_until"] in words
    assert support["then"].split()[0] in words


def test_long_names_are_shown_whole(lowtide: Lowtide, here: Path) -> None:
    name, group = "c" * 60, "g" * 40
    text = (here / "cluster.yaml").read_text("utf-8").replace("gpu-spot-a", group)
    (here / "cluster.yaml").write_text(text.replace("noble-gpu-example", name), "utf-8")

    words = lowtide("plan").out

    assert words.count("g") >= len(group) * 3
    assert "what for" in words.lower()
    assert "network, control plane" in " ".join(words.split())


@pytest.mark.parametrize("folder", ["", "cluster.yaml"])
@pytest.mark.parametrize("diff", [(), ("--diff",)])
def test_what_is_no_folder_is_refused(
    lowtide: Lowtide, here: Path, folder: str, diff: tuple[str, ...]
) -> None:
    ran = lowtide("render", *diff, folder)

    assert ran.code == 2
    assert "name a folder" in ran.err
    assert sorted(one.name for one in here.iterdir()) == ["cluster.yaml"]


@pytest.mark.parametrize("only", ["", " , "])
def test_a_selection_of_nothing_is_not_one_of_everything(
    lowtide: Lowtide, here: Path, only: str
) -> None:
    ran = lowtide("render", "out", "--only", only)

    assert ran.code == 2
    assert "--only chooses nothing" in ran.err
    assert not (here / "out").exists()


def test_a_part_without_files_cannot_be_chosen(lowtide: Lowtide, here: Path) -> None:
    ran = lowtide("render", "out", "--helm", "--only", "kubernetes")

    assert ran.code == 2
    assert "kubernetes" not in ran.err.split("there are")[1]


def test_a_part_is_written_without_a_readme_and_none_is_pointed_at(
    lowtide: Lowtide, here: Path
) -> None:
    ran = lowtide("render", "out", "--only", "cluster")

    assert not (here / "out/README.md").exists()
    assert "README" not in ran.err


@pytest.mark.parametrize("content", [b"junk: [", b"\xff\xfe", b""])
def test_a_rendered_file_that_was_broken_is_named_with_the_way_back(
    lowtide: Lowtide, here: Path, content: bytes
) -> None:
    lowtide("render", "out")
    (here / "out/cloudformation/3-addons.yaml").write_bytes(content)

    ran = lowtide("render", "--diff", "out")

    assert ran.code == 2
    assert "out/cloudformation/3-addons.yaml cannot be compared" in ran.err
    assert "lowtide render --force out" in ran.err
