"""Says what would be created and what it costs, without any account."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

from lowtide import catalog
from lowtide.app.design import Design, design
from lowtide.app.files import Inputs
from lowtide.aws.templates.cfn import Stack
from lowtide.explain.plan_cost import plan_cost, support_left
from lowtide.model.plan import Plan, PlannedStack


def plan(inputs: Inputs, *, today: dt.date) -> Plan:
    """Return what the files lead to; ``today`` is the day from which support counts.

    Raises:
        InputError: a file cannot be read or resolved, with every finding of all of them.
    """
    return plan_of(design(inputs), today=today)


def plan_of(designed: Design, *, today: dt.date) -> Plan:
    """Return the plan of a cluster that was designed already."""
    cluster = designed.cluster
    version = catalog.kubernetes_version(cluster.version)
    return Plan(
        cluster=cluster,
        stacks=tuple(_planned(one) for one in designed.stacks),
        objects=designed.objects,
        cost=plan_cost(cluster),
        support=support_left(
            cluster.version,
            until=version.standard_support_until,
            support_type=designed.blueprint.control_plane.support_type,
            today=today,
        ),
        today=today.isoformat(),
        notes=designed.blueprint.notes,
    )


def written_out(inputs: Inputs) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ClusterConfig and Policy with every resolved value, each valid input again.

    Raises:
        InputError: a file cannot be read or resolved, with every finding of all of them.
    """
    # The policy's reader, which writes it as well, is not needed to show a plan (20 ms).
    from lowtide.app.written_out import cluster_document, policy_document  # noqa: PLC0415 - see above

    designed = design(inputs)
    return (
        cluster_document(designed.file, designed.cluster, designed.blueprint),
        policy_document(designed.policy, designed.cluster),
    )


def _planned(stack: Stack) -> PlannedStack:
    types = Counter(one["Type"] for one in stack.template["Resources"].values())
    return PlannedStack(
        name=stack.name,
        file=stack.file,
        why=stack.why,
        resources=dict(types),
        capabilities=stack.capabilities,
    )
