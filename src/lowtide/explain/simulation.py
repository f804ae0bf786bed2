"""A run with its prices and its reasons: the one value that every report of a simulation reads.

Why it exists: reports only lay out; what a run means is said here.

What it must not know: how it is shown.
"""

from __future__ import annotations

from lowtide.explain.baselines import baselines_of
from lowtide.explain.costs import cost_of
from lowtide.explain.rates import priced_states
from lowtide.explain.refusals import refusals_of
from lowtide.explain.usage import gpu_hours, node_counts, pod_counts, waits
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.run import RunRecord
from lowtide.model.simulation import Simulation


def simulation_of(record: RunRecord, cluster: ResolvedCluster) -> Simulation:
    """Return a run of the cluster with costs, baselines, waits, GPU-hours and the causes of refusals.

    Raises:
        KeyError: an instance belongs to no group of the cluster, or its type to no candidate of the group.
    """
    baseline, price_notices = baselines_of(record, cluster)
    notices = (*cluster.notices, *record.notices, *price_notices)
    return Simulation(
        cluster=record.cluster,
        region=cluster.region,
        seed=record.seed,
        ended=record.ended,
        simulated_seconds=record.duration_ms / 1000,
        pods=pod_counts(record.pods, refusals_of(record, cluster)),
        wait_seconds=waits(record.pods),
        nodes=node_counts(record, cluster),
        gpu_hours=gpu_hours(record),
        interruptions=record.interruptions,
        cost_usd=cost_of(record, cluster),
        baseline_usd=baseline,
        states=priced_states(record, cluster),
        decisions=record.decisions,
        instances=record.instances,
        pod_usages=record.pods,
        gpu_groups=tuple(
            (group.name, ",".join(group.zones)) for group in cluster.node_groups if group.is_gpu
        ),
        notices=tuple(dict.fromkeys(notices)),
        price_dates=cluster.price_dates,
    )
