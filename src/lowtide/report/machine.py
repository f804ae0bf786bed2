"""What programs read: the results as plain dicts, ready for JSON.

Fields are those of the command line's contract and only ever grow. USD, hours and ratios are rounded to
6 decimals, seconds to 3, so that the same run prints the same text on every machine.

It must not know how the text is written (JSON or YAML) or where it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lowtide.model.findings import Finding
from lowtide.model.run import DecisionRow, RefusedPods
from lowtide.model.simulation import Simulation
from lowtide.report.series import Moment, moments
from lowtide.report.wording import prices_json

SIMULATE_SCHEMA = "lowtide.simulate/v1"
COMPARE_SCHEMA = "lowtide.compare/v1"
CHECK_SCHEMA = "lowtide.check/v1"


def simulation_json(simulation: Simulation, *, wall_seconds: float) -> dict[str, Any]:
    """Return a whole run; ``wall_seconds``, real time, is all that differs between equal runs."""
    return {
        "schema": SIMULATE_SCHEMA,
        "wall_seconds": _seconds(wall_seconds),
        **_figures(simulation),
        "timeline": [_moment(one) for one in moments(simulation)],
        "decisions": [_decision(one) for one in simulation.decisions],
    }


def comparison_json(
    compared: Iterable[tuple[str, Simulation]], *, wall_seconds: float
) -> dict[str, Any]:
    """Return the figures of several runs by label, without their timelines and decisions."""
    return {
        "schema": COMPARE_SCHEMA,
        "wall_seconds": _seconds(wall_seconds),
        "simulations": [{"label": label, **_figures(simulation)} for label, simulation in compared],
    }


def findings_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return findings; line and column count from 1, 0 where unknown."""
    return {
        "schema": CHECK_SCHEMA,
        "findings": [
            {
                "code": one.code,
                "name": one.name,
                "severity": str(one.severity),
                "message": one.message,
                "file": one.mark.file,
                "line": one.mark.line,
                "column": one.mark.column,
                "path": one.path,
                "fix": one.fix,
            }
            for one in findings
        ],
    }


def _figures(simulation: Simulation) -> dict[str, Any]:
    return {
        "cluster": simulation.cluster,
        "region": simulation.region,
        "seed": simulation.seed,
        "ended": simulation.ended,
        "simulated_seconds": _seconds(simulation.simulated_seconds),
        "notices": list(simulation.notices),
        "pods": _pods(simulation),
        "wait_seconds": _waits(simulation),
        "nodes": _nodes(simulation),
        "gpu_hours": _gpu_hours(simulation),
        "interruptions": simulation.interruptions,
        "cost_usd": _cost(simulation),
        "prices": prices_json(simulation.price_dates),
        "baseline_usd": _baseline(simulation),
    }


def _pods(simulation: Simulation) -> dict[str, Any]:
    pods = simulation.pods
    return {
        "total": pods.total,
        "finished": pods.finished,
        "stopped": pods.stopped,
        "running": pods.running,
        "pending": pods.pending,
        "cancelled": pods.cancelled,
        "refused": [_refused(one) for one in pods.refused],
    }


def _refused(group: RefusedPods) -> dict[str, Any]:
    return {
        "pods": list(group.pods),
        "count": len(group.pods),
        "cause": group.cause,
        "reasons": {subject: list(reasons) for subject, reasons in sorted(group.reasons.items())},
    }


def _waits(simulation: Simulation) -> dict[str, float]:
    waits = simulation.wait_seconds
    return {
        "mean": _seconds(waits.mean),
        "p50": _seconds(waits.p50),
        "p95": _seconds(waits.p95),
        "p99": _seconds(waits.p99),
        "max": _seconds(waits.max),
    }


def _nodes(simulation: Simulation) -> dict[str, int]:
    nodes = simulation.nodes
    return {
        "gpu_peak": nodes.gpu_peak,
        "gpu_final": nodes.gpu_final,
        "gpu_launched": nodes.gpu_launched,
        "general_peak": nodes.general_peak,
    }


def _gpu_hours(simulation: Simulation) -> dict[str, float]:
    hours = simulation.gpu_hours
    return {
        "requested": _exact(hours.requested),
        "unmet": _exact(hours.unmet),
        "billed": _exact(hours.billed),
        "utilization": _exact(hours.utilization),
    }


def _cost(simulation: Simulation) -> dict[str, float]:
    cost = simulation.cost_usd
    return {
        "total": _exact(cost.total),
        "gpu_spot": _exact(cost.gpu_spot),
        "gpu_on_demand": _exact(cost.gpu_on_demand),
        "general": _exact(cost.general),
        "control_plane": _exact(cost.control_plane),
        "network": _exact(cost.network),
        "storage": _exact(cost.storage),
    }


def _baseline(simulation: Simulation) -> dict[str, Any]:
    baseline = simulation.baseline_usd
    return {
        "always_on_on_demand": _exact(baseline.always_on_on_demand),
        "cheapest_possible": _exact(baseline.cheapest_possible),
        "cheapest_in_region": _exact(baseline.cheapest_in_region),
        "cheapest_in_region_types": list(baseline.cheapest_in_region_types),
    }


def _moment(one: Moment) -> dict[str, Any]:
    return {
        "t": _seconds(one.at_ms / 1000),
        "gpu_nodes": one.gpu_nodes,
        "gpu_nodes_ready": one.gpu_nodes_ready,
        "gpu_nodes_by_group": dict(one.gpu_nodes_by_group),
        "gpu_nodes_by_zone": dict(one.gpu_nodes_by_zone),
        "gpus_used": one.gpus_used,
        "gpus_paid": one.gpus_paid,
        "pods_running": one.pods_running,
        "pods_pending": one.pods_pending,
        "pods_finished": one.pods_finished,
        "usd_per_hour": _exact(one.usd_per_hour),
    }


def _decision(row: DecisionRow) -> dict[str, Any]:
    return {
        "t": _seconds(row.at_ms / 1000),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "why": row.why,
    }


def _seconds(seconds: float) -> float:
    return round(float(seconds), 3)


def _exact(amount: float) -> float:
    return round(float(amount), 6)
