"""The sentences and rows that the terminal and the page share.

It must not know how they are laid out; every figure is the simulation's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lowtide.model.run import RefusedPods
from lowtide.model.simulation import Baseline, Simulation
from lowtide.report.series import Moment, turning_points
from lowtide.report.wording import count_text, duration_text, percent_text, usd_text

#: Above this many, turning points no longer read as waves.
_MOST_TURNS = 9

_ENDINGS = {
    "until": "ended when the scenario's end condition held",
    "quiet": "ended when nothing was left to happen",
    "maxDuration": "cut off at maxDuration, so waiting pods and running nodes are not at their end",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the GPU nodes cost beside one baseline; ``difference`` is (ours - baseline) / baseline.

    ``difference`` is None where the baseline is zero.
    """

    label: str
    meaning: str
    usd: float
    difference: float | None

    @property
    def difference_text(self) -> str:
        """Return the difference from the run's side: ``84 % below``, ``42 % above``, ``equal``."""
        if self.difference is None:
            return ""
        if abs(self.difference) < 0.0005:
            return "equal"
        side = "below" if self.difference < 0 else "above"
        return f"{percent_text(abs(self.difference))} {side}"


def headline(
    simulation: Simulation, course: Sequence[Moment], *, arrow: str = "->"
) -> tuple[str, ...]:
    """Return what happened as three sentences: the pods, the nodes, the money."""
    return (
        _pods_sentence(simulation),
        _nodes_sentence(simulation, course, arrow),
        _money(simulation),
    )


def ending(simulation: Simulation) -> str:
    """Return how long the run was and what ended it."""
    why = _ENDINGS.get(simulation.ended, simulation.ended)
    return f"{duration_text(simulation.simulated_seconds)} simulated, {why}"


def refused_count(simulation: Simulation) -> int:
    """Return how many pods never ran because nothing would take them."""
    return sum(len(group.pods) for group in simulation.pods.refused)


def reasons_by_subjects(group: RefusedPods) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return each set of reasons once, behind the nodes and groups that gave it."""
    subjects: dict[tuple[str, ...], list[str]] = {}
    for subject, reasons in sorted(group.reasons.items()):
        subjects.setdefault(reasons, []).append(subject)
    return [(tuple(names), reasons) for reasons, names in subjects.items()]


def ran_count(simulation: Simulation) -> int:
    """Return how many pods ran and were not lost with their node."""
    pods = simulation.pods
    return pods.finished + pods.stopped + pods.running


def gpu_usd(simulation: Simulation) -> float:
    """Return the USD of GPU nodes, the figure that baselines stand beside."""
    return simulation.cost_usd.gpu_spot + simulation.cost_usd.gpu_on_demand


def cost_parts(simulation: Simulation) -> tuple[tuple[str, float], ...]:
    """Return the parts of the bill in USD, without the total."""
    cost = simulation.cost_usd
    return (
        ("GPU nodes, spot", cost.gpu_spot),
        ("GPU nodes, on-demand", cost.gpu_on_demand),
        ("general nodes", cost.general),
        ("control plane", cost.control_plane),
        ("network", cost.network),
        ("storage", cost.storage),
    )


def comparisons(simulation: Simulation) -> tuple[Comparison, ...]:
    """Return the three baselines with the run's difference to each."""
    baseline, ours = simulation.baseline_usd, gpu_usd(simulation)
    rows = (
        (
            "always-on on-demand",
            "every group's peak count, on-demand, for the whole run",
            baseline.always_on_on_demand,
        ),
        (
            "cheapest possible",
            "every GPU-second that pods held, at the cheapest spot price among the file's types",
            baseline.cheapest_possible,
        ),
        (
            "cheapest in region",
            "the same, among every type on sale in the region" + _named(baseline),
            baseline.cheapest_in_region,
        ),
    )
    return tuple(
        Comparison(
            label=label,
            meaning=meaning,
            usd=usd,
            difference=(ours - usd) / usd if usd > 0 else None,
        )
        for label, meaning, usd in rows
    )


def _named(baseline: Baseline) -> str:
    types = baseline.cheapest_in_region_types
    return f": {', '.join(types)}" if types else ""


def waits(simulation: Simulation) -> tuple[tuple[str, float], ...]:
    """Return the waiting times in seconds, from a pod's creation to its container running."""
    seconds = simulation.wait_seconds
    return (
        ("mean", seconds.mean),
        ("p50", seconds.p50),
        ("p95", seconds.p95),
        ("p99", seconds.p99),
        ("longest", seconds.max),
    )


def _pods_sentence(simulation: Simulation) -> str:
    asked = ran_count(simulation) + simulation.pods.pending
    outcomes = Counter(pod.outcome for pod in simulation.pod_usages)
    text = _how_many_ran(simulation, asked)
    if refused := refused_count(simulation):
        text += f"; {count_text(refused, 'pod was', 'pods were')} refused"
    if lost := outcomes["lost"]:
        text += f"; {count_text(lost, 'pod')} lost with a node and started again"
    if cancelled := outcomes["cancelled"]:
        text += f"; {count_text(cancelled, 'pod was', 'pods were')} deleted before running"
    return text + "."


def _how_many_ran(simulation: Simulation, asked: int) -> str:
    ran = ran_count(simulation)
    if not asked:
        return "No pod was asked for"
    if not ran:
        return "The only pod did not run" if asked == 1 else f"None of {asked:,} pods ran"
    text = f"{count_text(ran, 'pod')} ran" if ran == asked else f"{ran:,} of {asked:,} pods ran"
    started = [
        (pod.running_ms, pod.running_ms - pod.created_ms)
        for pod in simulation.pod_usages
        if pod.running_ms is not None
    ]
    if not started:
        return text
    return f"{text}, the first after {duration_text(min(started)[1] / 1000)}"


def _nodes_sentence(simulation: Simulation, course: Sequence[Moment], arrow: str) -> str:
    counts = [moment.gpu_nodes for moment in course]
    peak = max(counts, default=0)
    if not peak:
        return "No GPU node was launched."
    # A spot replacement or a straggler is no wave: a fifth of the peak is.
    turns = turning_points(counts, slack=-(-peak // 5))
    gpu_groups = {name for name, _ in simulation.gpu_groups}
    zone_count = len({one.zone for one in simulation.instances if one.group in gpu_groups})
    where = f" in {count_text(zone_count, 'zone')}" if zone_count else ""
    if len(turns) > _MOST_TURNS:
        text = f"Between {min(counts)} and {count_text(peak, 'GPU node')}{where}"
    else:
        text = f"{f' {arrow} '.join(map(str, turns))} GPU nodes{where}"
    if simulation.interruptions:
        text += f"; {count_text(simulation.interruptions, 'spot interruption')}"
    return text + "."


def _money(simulation: Simulation) -> str:
    text = f"{usd_text(simulation.cost_usd.total)} in all"
    always_on = comparisons(simulation)[0]
    if always_on.difference is None:
        return text + "."
    beside = always_on.difference_text.replace("equal", "as much as")
    return (
        f"{text}; the GPU nodes cost {usd_text(gpu_usd(simulation))}, {beside} always-on on-demand."
    )
