from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from lowtide.model.findings import Finding, Mark, Severity
from lowtide.model.simulation import Simulation
from lowtide.report.machine import comparison_json, findings_json, simulation_json

# The contract, as DESIGN section 4 writes it; more fields may follow, none may go.
CONTRACT = [
    "cluster",
    "seed",
    "ended",
    "simulated_seconds",
    "wall_seconds",
    "interruptions",
    "decisions[]",
    "pods.total",
    "pods.finished",
    "pods.stopped",
    "pods.running",
    "pods.pending",
    "pods.cancelled",
    "pods.refused[]",
    "wait_seconds.mean",
    "wait_seconds.p50",
    "wait_seconds.p95",
    "wait_seconds.p99",
    "wait_seconds.max",
    "nodes.gpu_peak",
    "nodes.gpu_final",
    "nodes.gpu_launched",
    "nodes.general_peak",
    "gpu_hours.requested",
    "gpu_hours.unmet",
    "gpu_hours.billed",
    "gpu_hours.utilization",
    "cost_usd.total",
    "cost_usd.gpu_spot",
    "cost_usd.gpu_on_demand",
    "cost_usd.general",
    "cost_usd.control_plane",
    "cost_usd.network",
    "cost_usd.storage",
    "baseline_usd.always_on_on_demand",
    "baseline_usd.cheapest_possible",
    "baseline_usd.cheapest_in_region",
    "timeline[].t",
    "timeline[].gpu_nodes",
    "timeline[].gpu_nodes_ready",
    "timeline[].pods_running",
    "timeline[].pods_pending",
    "timeline[].usd_per_hour",
]


def paths_of(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        dotted = f"{path}." if path else ""
        return {path} | {p for key, one in value.items() for p in paths_of(one, dotted + key)}
    if isinstance(value, list):
        return {path, f"{path}[]"} | {p for one in value for p in paths_of(one, f"{path}[]")}
    return {path}


def test_every_field_of_the_contract_is_there(tide: Simulation) -> None:
    document = simulation_json(tide, wall_seconds=0.5)
    # pods.refused[] of a run in which none was refused has no items; the list itself must be there.
    wanted = {path.removesuffix("[]") for path in CONTRACT}
    assert wanted - paths_of(document) == set()
    assert document["schema"] == "lowtide.simulate/v1"


def test_the_figures_are_those_of_the_simulation(tide: Simulation) -> None:
    document = simulation_json(tide, wall_seconds=0.51239)
    assert document["wall_seconds"] == 0.512
    assert document["simulated_seconds"] == 8520.0
    assert document["cost_usd"]["total"] == 3.527441
    assert document["baseline_usd"]["always_on_on_demand"] == 12.448667
    assert document["wait_seconds"]["p95"] == 248.0
    assert document["nodes"]["gpu_launched"] == 20


def test_money_is_rounded_to_six_decimals_and_seconds_to_three(tide: Simulation) -> None:
    uneven = replace(
        tide,
        simulated_seconds=1 / 3,
        cost_usd=replace(tide.cost_usd, network=2 / 3),
        gpu_hours=replace(tide.gpu_hours, utilization=1 / 3),
    )
    document = simulation_json(uneven, wall_seconds=0)
    assert document["simulated_seconds"] == 0.333
    assert document["cost_usd"]["network"] == 0.666667
    assert document["gpu_hours"]["utilization"] == 0.333333


def test_the_timeline_rises_and_its_zones_add_up(tide: Simulation) -> None:
    timeline = simulation_json(tide, wall_seconds=0)["timeline"]
    times = [row["t"] for row in timeline]
    assert times == sorted(set(times))
    assert max(row["gpu_nodes"] for row in timeline) == 10
    peak = next(row for row in timeline if row["gpu_nodes"] == 10)
    assert peak["gpu_nodes_by_zone"] == {"us-east-1a": 4, "us-east-1b": 3, "us-east-1c": 3}
    assert peak["gpu_nodes_by_group"] == {"gpu-spot-a": 4, "gpu-spot-b": 3, "gpu-spot-c": 3}
    assert timeline[-1]["gpu_nodes"] == 0


def test_refused_pods_carry_their_cause_and_the_reasons_of_each_node_and_group(
    refused: Simulation,
) -> None:
    (group,) = simulation_json(refused, wall_seconds=0)["pods"]["refused"]
    assert group["count"] == 4
    assert group["pods"][0] == "default/cuda-1"
    assert group["cause"] == "no group tolerates the pod"
    assert list(group["reasons"]) == [
        "group/gpu-spot-a",
        "group/gpu-spot-b",
        "group/gpu-spot-c",
        "node/ip-10-0-0-10",
    ]
    assert group["reasons"]["node/ip-10-0-0-10"] == ["Insufficient nvidia.com/gpu"]


def test_decisions_are_all_there_with_their_time(tide: Simulation) -> None:
    decisions = simulation_json(tide, wall_seconds=0)["decisions"]
    assert len(decisions) == len(tide.decisions)
    assert decisions[1] == {
        "t": 12.0,
        "actor": "autoscaler",
        "action": "desired 0 -> 4",
        "subject": "gpu-spot-a",
        "why": "10 pods need nvidia.com/gpu; balanced over 3 similar groups, 4 here",
    }


def test_the_same_run_prints_the_same_text_apart_from_the_real_time(tide: Simulation) -> None:
    first, second = (simulation_json(tide, wall_seconds=seconds) for seconds in (1, 2))
    assert first.pop("wall_seconds") != second.pop("wall_seconds")
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)


def test_a_run_without_gpu_groups_and_one_of_many_rows_are_valid_json_too(
    quiet: Simulation, long_run: Callable[[int], Simulation]
) -> None:
    assert simulation_json(quiet, wall_seconds=0)["timeline"][0]["gpu_nodes_by_zone"] == {}
    document = simulation_json(long_run(3_000), wall_seconds=0)
    assert len(json.loads(json.dumps(document, allow_nan=False))["timeline"]) == 3_000


def test_a_comparison_holds_the_figures_of_each_run_by_label(
    tide: Simulation, quiet: Simulation
) -> None:
    document = comparison_json([("a.yaml", tide), ("b.yaml", quiet)], wall_seconds=1.5)
    assert document["schema"] == "lowtide.compare/v1"
    assert document["wall_seconds"] == 1.5
    assert [(one["label"], one["cost_usd"]["total"]) for one in document["simulations"]] == [
        ("a.yaml", 3.527441),
        ("b.yaml", 0.24),
    ]
    assert "timeline" not in document["simulations"][0]


def test_a_finding_keeps_its_place_and_its_fix() -> None:
    finding = Finding(
        code="LT001",
        name="unknown-key",
        severity=Severity.ERROR,
        message="unknown key minsize",
        mark=Mark(file="cluster.yaml", line=12, column=5),
        path="nodeGroups[0].minsize",
        fix="write minSize",
    )
    assert findings_json([finding]) == {
        "schema": "lowtide.check/v1",
        "findings": [
            {
                "code": "LT001",
                "name": "unknown-key",
                "severity": "error",
                "message": "unknown key minsize",
                "file": "cluster.yaml",
                "line": 12,
                "column": 5,
                "path": "nodeGroups[0].minsize",
                "fix": "write minSize",
            }
        ],
    }
