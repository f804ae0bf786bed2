from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from lowtide.app.design import design
from lowtide.app.files import Inputs, load
from lowtide.app.plan import plan, written_out
from lowtide.explain.plan_cost import plan_cost, support_left
from lowtide.kube.objects import yaml_text
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError
from lowtide.model.findings import Mark
from lowtide.model.plan import Plan
from lowtide.spec.policy import read_policy
from tests.rendered.cluster_files import cluster_files

EXAMPLE = Path(__file__).parents[2] / "examples" / "noble-gpu" / "cluster.yaml"
TODAY = dt.date(2026, 11, 24)

BARE = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: bare, region: us-east-1}
nodeGroups:
  - name: general
  - name: gpu
    instancesDistribution:
      instanceTypes: [g4dn.xlarge, g5.xlarge]
      onDemandPercentageAboveBaseCapacity: 25
      onDemandBaseCapacity: 1
      maxPrice: 0.4
    minSize: 1
    maxSize: 6
    taints: {nvidia.com/gpu: "true:NoSchedule"}
managedNodeGroups:
  - name: managed
    instanceTypes: [g4dn.xlarge]
    spot: true
    minSize: 0
    maxSize: 2
    labels: {team: ml}
"""
#: What no file can say, because the templates or eksctl decide it.
UNWRITABLE = (
    "addons",
    "vpc S3 gateway endpoint",
    "metadata options of launch templates",
    "Auto Scaling group tags of the autoscaler",
    "tag k8s.io/cluster-autoscaler/node-template/autoscaling-options/scaledownunneededtime",
    "roles of nodes",
)


@pytest.fixture
def cluster_file(tmp_path: Path) -> Callable[[str], Inputs]:
    """A function that writes a cluster file and names it."""

    def write(text: str) -> Inputs:
        path = tmp_path / "cluster.yaml"
        path.write_text(text, "utf-8")
        return Inputs(cluster=str(path))

    return write


@pytest.fixture(scope="module")
def example() -> Plan:
    """The plan of the example."""
    return plan(Inputs(cluster=str(EXAMPLE)), today=TODAY)


def test_idle_is_control_plane_nat_and_the_nodes_that_are_always_there(example: Plan) -> None:
    cluster, cost = example.cluster, example.cost
    (general,) = [one for one in cluster.node_groups if one.min_size]
    node = general.candidates[0].offering.on_demand_usd_per_hour
    volume = general.volume.usd_per_month / cost.hours_per_month

    assert cost.control_plane_usd_per_hour == pytest.approx(0.10)
    assert cost.gateways_usd_per_hour == pytest.approx(0.045 + 0.005)
    assert cost.nodes_usd_per_hour == pytest.approx(node + volume)
    assert cost.idle_usd_per_hour == pytest.approx(0.10 + 0.05 + node + volume)
    assert cost.idle_usd_per_month == pytest.approx(cost.idle_usd_per_hour * 720)


def test_the_worst_case_is_every_group_at_its_maximum(example: Plan) -> None:
    cost = example.cost

    whole = sum(one.worst_case_usd_per_hour for one in cost.groups)

    assert cost.worst_case_usd_per_hour == pytest.approx(whole + 0.10 + 0.05)
    (first,) = {round(one.worst_case_usd_per_hour, 9) for one in cost.groups[1:]}
    gpu = example.cluster.node_groups[1]
    spot = gpu.candidates[0].offering.spot_usd_per_hour
    assert spot is not None
    assert first == pytest.approx(10 * (spot + gpu.volume.usd_per_month / 720), abs=1e-8)


def test_spot_may_rise_to_the_on_demand_price_and_the_ceiling_says_so(example: Plan) -> None:
    gpu = example.cluster.node_groups[1]
    on_demand = gpu.candidates[0].offering.on_demand_usd_per_hour

    ceiling = example.cost.groups[1].ceiling_usd_per_hour

    assert ceiling == pytest.approx(10 * (on_demand + gpu.volume.usd_per_month / 720))


def test_gpu_hours_are_priced_once_for_each_type(example: Plan) -> None:
    (price,) = example.cost.gpu_prices

    assert (price.instance_type, price.gpus) == ("g4dn.xlarge", 1)
    assert price.on_demand_usd_per_gpu_hour == pytest.approx(0.526)
    assert price.spot_usd_per_gpu_hour is not None
    assert price.spot_usd_per_gpu_hour < price.on_demand_usd_per_gpu_hour


@pytest.mark.parametrize(
    ("base", "percent", "nodes", "on_demand", "spot"),
    [
        (0, 0, 10, 0, 10),
        (0, 100, 10, 10, 0),
        (2, 0, 10, 2, 8),
        (2, 0, 1, 1, 0),
        (1, 25, 6, 3, 3),
        (0, 50, 5, 3, 2),
        (4, 50, 0, 0, 0),
    ],
)
def test_the_on_demand_share_is_base_first_then_percent_rounded_up(
    example: Plan, base: int, percent: int, nodes: int, on_demand: int, spot: int
) -> None:
    group = replace(example.cluster.node_groups[1], on_demand_base=base, on_demand_percent=percent)

    assert group.bought(nodes) == (on_demand, spot)


def test_a_mixed_group_is_priced_by_what_it_buys(
    cluster_file: Callable[[str], Inputs],
) -> None:
    planned = plan(cluster_file(BARE), today=TODAY)
    group = planned.cluster.group("gpu")
    around = group.volume.usd_per_month / 720 + planned.cluster.network.public_ipv4_usd_per_hour
    prices = [one.offering for one in group.candidates]
    dearest = max(one.on_demand_usd_per_hour for one in prices)

    cost = next(one for one in planned.cost.groups if one.name == "gpu")

    # Of six nodes one is the base, and a quarter of five rounds up to two.
    assert cost.ceiling_usd_per_hour == pytest.approx(3 * dearest + 3 * 0.4 + 6 * around)
    assert cost.at_minimum_usd_per_hour == pytest.approx(prices[0].on_demand_usd_per_hour + around)


def test_a_group_that_cannot_grow_costs_nothing_at_most(example: Plan) -> None:
    cluster = example.cluster
    stuck = replace(cluster.node_groups[1], max_size=0)

    cost = plan_cost(replace(cluster, node_groups=(stuck,)))

    assert cost.worst_case_usd_per_hour == cost.idle_usd_per_hour


def test_support_counts_from_the_day_that_is_told() -> None:
    found = support_left("1.34", until="2026-12-02", support_type="STANDARD", today=TODAY)

    assert (found.days_left, found.until) == (8, "2026-12-02")
    assert "upgrades the control plane" in found.then


def test_support_that_is_over_counts_below_zero_and_extended_support_is_named() -> None:
    found = support_left("1.33", until="2026-07-29", support_type="EXTENDED", today=TODAY)

    assert found.days_left == -118
    assert "extended support" in found.then


def test_an_end_of_support_that_nobody_has_published_is_no_number() -> None:
    found = support_left("1.36", until=None, support_type="STANDARD", today=TODAY)

    assert (found.days_left, found.until) == (None, "")


def test_a_plan_counts_what_is_in_the_templates(example: Plan) -> None:
    designed = design(Inputs(cluster=str(EXAMPLE)))

    assert [one.name for one in example.stacks] == [one.name for one in designed.stacks]
    assert [one.count for one in example.stacks] == [
        len(one.template["Resources"]) for one in designed.stacks
    ]


def test_the_termination_handler_is_planned_only_where_spot_is_used(
    cluster_file: Callable[[str], Inputs], example: Plan
) -> None:
    on_demand = BARE.replace("BaseCapacity: 25", "BaseCapacity: 100").replace(
        "spot: true", "spot: false"
    )

    planned = plan(cluster_file(on_demand), today=TODAY)

    handler = "aws-node-termination-handler"
    assert handler in {one.name for one in example.objects}
    assert handler not in {one.name for one in planned.objects}


def test_bottlerocket_brings_its_own_device_plugin(
    cluster_file: Callable[[str], Inputs],
) -> None:
    text = EXAMPLE.read_text("utf-8")
    general, gpu = text.split("  - name: gpu-spot-a", 1)
    bottlerocket = gpu.replace("AmazonLinux2023", "Bottlerocket")

    planned = plan(cluster_file(f"{general}  - name: gpu-spot-a{bottlerocket}"), today=TODAY)

    assert "DaemonSet" not in {one.kind for one in planned.objects}


def test_a_file_with_errors_is_refused_with_all_of_them(
    cluster_file: Callable[[str], Inputs],
) -> None:
    broken = BARE.replace("g5.xlarge", "g5.nonsense").replace("region: us-east-1", "region: mars")

    with pytest.raises(InputError) as caught:
        plan(cluster_file(broken), today=TODAY)

    assert caught.value.exit_code == 2
    assert caught.value.findings


@pytest.mark.parametrize("text", [BARE, EXAMPLE.read_text("utf-8")], ids=["bare", "example"])
def test_what_is_written_out_resolves_to_the_same_cluster(
    cluster_file: Callable[[str], Inputs], tmp_path: Path, text: str
) -> None:
    inputs = cluster_file(text)
    before = load(inputs).cluster
    cluster, policy = written_out(inputs)
    again = tmp_path / "again"
    again.mkdir()
    (again / "cluster.yaml").write_text(yaml_text(cluster), "utf-8")
    (again / "lowtide.yaml").write_text(yaml_text(policy), "utf-8")

    after = load(Inputs(cluster=str(again / "cluster.yaml")))

    assert before is not None
    assert [one for one in after.findings if one.severity == "error"] == []
    assert after.cluster is not None
    assert unplaced(after.cluster) == unplaced(before)


@pytest.mark.parametrize("text", [BARE, EXAMPLE.read_text("utf-8")], ids=["bare", "example"])
def test_nothing_is_left_to_be_hardened_but_what_no_file_can_say(
    cluster_file: Callable[[str], Inputs], tmp_path: Path, text: str
) -> None:
    cluster, policy = written_out(cluster_file(text))
    again = tmp_path / "again"
    again.mkdir()
    (again / "cluster.yaml").write_text(yaml_text(cluster), "utf-8")
    (again / "lowtide.yaml").write_text(yaml_text(policy), "utf-8")

    after = load(Inputs(cluster=str(again / "cluster.yaml"))).cluster

    assert after is not None
    assert {one.key for one in after.hardening} <= set(UNWRITABLE)


def test_writing_out_twice_changes_nothing_more(
    cluster_file: Callable[[str], Inputs], tmp_path: Path
) -> None:
    once = written_out(cluster_file(BARE))
    (tmp_path / "cluster.yaml").write_text(yaml_text(once[0]), "utf-8")
    (tmp_path / "lowtide.yaml").write_text(yaml_text(once[1]), "utf-8")

    twice = written_out(Inputs(cluster=str(tmp_path / "cluster.yaml")))

    assert twice == once
    assert read_policy(yaml_text(twice[1]), "lowtide.yaml")


@settings(max_examples=10, deadline=None)
@given(cluster_files())
def test_any_file_written_out_gives_the_same_cluster_and_the_same_templates(
    document: dict[str, Any],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, again = Path(name) / "cluster.yaml", Path(name) / "again.yaml"
        path.write_text(yaml_text(document), "utf-8")
        before = design(Inputs(cluster=str(path)))
        once = written_out(Inputs(cluster=str(path)))
        again.write_text("---\n".join(map(yaml_text, once)), "utf-8")

        after = design(Inputs(cluster=str(again)))

    assert unplaced(after.cluster) == unplaced(before.cluster)
    assert after.stacks == before.stacks


def test_the_figures_of_the_aws_page_are_those_of_the_example(example: Plan) -> None:
    page = (EXAMPLE.parents[2] / "docs" / "aws.md").read_text("utf-8")
    cost = example.cost
    network = example.cost.gateways_usd_per_hour
    (price,) = cost.gpu_prices

    for stack in example.stacks:
        assert f"| {stack.name} | {stack.count} |" in page
    assert f"{example.resources} resources in {len(example.stacks)} stacks" in page
    assert (
        f"| **idle** | **{cost.idle_usd_per_hour:.2f}** | **{cost.idle_usd_per_month:.2f}** |"
        in page
    )
    worst = f"**{cost.worst_case_usd_per_hour:.2f}** | **{cost.worst_case_usd_per_month:,.2f}**"
    assert worst in page
    assert f"on-demand price | {cost.ceiling_usd_per_hour:.2f} |" in page
    assert f"| {network:.2f} | {network * cost.hours_per_month:.2f} |" in page
    nodes = cost.nodes_usd_per_hour
    assert f"| {nodes:.2f} | {nodes * cost.hours_per_month:.2f} |" in page
    assert f"is ${price.spot_usd_per_gpu_hour:.2f} on spot" in page
    assert f"and ${price.on_demand_usd_per_gpu_hour:.2f} on demand" in page


def unplaced(cluster: ResolvedCluster) -> ResolvedCluster:
    """The cluster without what depends on the file's lines, and without the rows of hardening."""
    groups: tuple[NodeGroup, ...] = tuple(replace(one, mark=Mark()) for one in cluster.node_groups)
    return replace(cluster, node_groups=groups, hardening=(), warnings=())
