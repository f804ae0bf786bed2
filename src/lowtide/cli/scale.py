"""``scale``: other bounds for a live node group."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from lowtide.cli.cluster_options import Which, cluster_options
from lowtide.cli.confirm import confirmed, refuse_above
from lowtide.cli.options import debug_option, output_option, yes_option
from lowtide.cli.output import emit, is_for_people, say, say_next, show
from lowtide.cli.verb import Verb
from lowtide.model.errors import ChecksFailed, InputError

if TYPE_CHECKING:
    from lowtide.app.scale import Scaling


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide scale gpu-spot-a --max 5
  lowtide scale gpu-spot-a --min 0 --max 0 --yes     nothing of it any more

\b
It asks before more can be spent than before, and before nodes end; --yes says it beforehand.
""",
)
@click.argument("nodegroup")
@click.option("--min", "min_size", type=click.IntRange(min=0), help="The least number of nodes.")
@click.option("--max", "max_size", type=click.IntRange(min=0), help="The most nodes.")
@click.option(
    "--max-usd-per-hour",
    "limit",
    type=click.FloatRange(min=0),
    help="Refuse what lets the cluster cost more.  [default: budget.maxUsdPerHour of lowtide.yaml]",
)
@cluster_options
@yes_option
@output_option
@debug_option
def scale(
    *,
    nodegroup: str,
    min_size: int | None,
    max_size: int | None,
    limit: float | None,
    which: Which,
    yes: bool,
) -> None:
    """Set the least and the most nodes of a node group.

    The number of nodes that it wants stays the autoscaler's: it changes only where it would be out of bounds. Write the same into the
    cluster file, or the next `lowtide up` may set the old bounds again.
    """
    if min_size is None and max_size is None:
        raise InputError(
            "Neither --min nor --max is given",
            where="lowtide scale",
            why="there is nothing to change",
            fix=f"lowtide scale {nodegroup} --max 5",
        )
    from lowtide.app.scale import carry_out, plan_scaling

    cluster = which.cluster()
    wanted = plan_scaling(
        cluster, nodegroup, min_size=min_size, max_size=max_size, profile=which.profile
    )
    if not wanted.changes_nothing:
        if wanted.may_cost_more:
            _refuse_above(wanted, limit)
        if wanted.may_cost_more or wanted.ending:
            bounds = [("--min", min_size), ("--max", max_size)]
            given = [
                word for name, size in bounds if size is not None for word in (name, str(size))
            ]
            words = ["lowtide", "scale", nodegroup, *given, *shlex.split(cluster.options)]
            words += ["--profile", which.profile] if which.profile is not None else []
            confirmed(_shown(wanted), "Change it?", yes=yes, command=shlex.join(words))
        else:
            say(_shown(wanted))
        carry_out(wanted, profile=which.profile)
    _tell(wanted)


def _refuse_above(wanted: Scaling, limit: float | None) -> None:
    """Refuse what may cost more than the limit; where no price is known nobody can say that it does not."""
    from lowtide.app.scale import budget_of

    source = "--max-usd-per-hour" if limit is not None else "budget.maxUsdPerHour"
    allowed = budget_of(wanted.cluster) if limit is None else limit
    most = wanted.costs.most
    if most is not None:
        refuse_above(allowed, most, source=source)
    elif allowed is not None:
        raise ChecksFailed(
            "What the cluster would cost at its maximum is not known",
            where=source,
            why=f"the limit is ${allowed:.2f}, and a price of an instance type is missing",
            fix=f"lowtide prices refresh --region {wanted.cluster.region} asks AWS",
        )


def _shown(wanted: Scaling) -> str:
    from lowtide.report.wording import count_text, price_dates_text

    group, identity = wanted.group, wanted.identity
    bounds = f"{group.min_size} to {group.max_size} nodes -> {wanted.min_size} to {wanted.max_size} nodes"
    lines = [
        f"account {identity.account} in {wanted.cluster.region}, as {identity.arn}",
        f"node group {group.name} of {wanted.cluster.name}: {bounds}",
    ]
    if wanted.desired != group.desired:
        lines.append(f"it wants {group.desired} nodes now, and will want {wanted.desired}")
    if wanted.ending:
        ends = count_text(wanted.ending, "node ends", "nodes end")
        them = "it" if wanted.ending == 1 else "them"
        lines.append(f"WARNING: {ends}, whatever runs on {them}; Auto Scaling chooses which")
    costs = wanted.costs
    lines += [
        _cost_line("with every group at its minimum", costs.old_idle, costs.idle),
        _cost_line("with every group at its maximum", costs.old_most, costs.most),
        f"control plane and instances; {price_dates_text(costs.dates)}",
    ]
    return "\n".join(lines)


def _cost_line(when: str, old: float | None, new: float | None) -> str:
    from lowtide.report.wording import usd_text

    if old is None or new is None:
        return f"{when}: no price is known of some of the types"
    change = usd_text(new) if old == new else f"{usd_text(old)} -> {usd_text(new)}"
    return f"{when}: {change} an hour"


def _tell(wanted: Scaling) -> None:
    group = wanted.group
    if not is_for_people():
        emit(
            {
                "schema": "lowtide.scale/v1",
                "cluster": wanted.cluster.name,
                "region": wanted.cluster.region,
                "node_group": group.name,
                "auto_scaling_group": group.asg,
                "changed": not wanted.changes_nothing,
                "old": {"min": group.min_size, "max": group.max_size, "desired": group.desired},
                "new": {
                    "min": wanted.min_size,
                    "max": wanted.max_size,
                    "desired": wanted.desired,
                },
                "cluster_usd_per_hour": {
                    "at_minimum": wanted.costs.idle,
                    "at_maximum": wanted.costs.most,
                },
                "file_differs": wanted.file or None,
            }
        )
        return
    done = "has" if wanted.changes_nothing else "now has"
    show(
        f"{group.name} {done} {wanted.min_size} to {wanted.max_size} nodes, and wants {wanted.desired}"
    )
    if wanted.file:
        say(
            f"{wanted.file} says otherwise: write minSize: {wanted.min_size} and maxSize: {wanted.max_size} for it there, "
            "or `lowtide up` may set the old bounds again"
        )
    say_next(f"lowtide status {wanted.cluster.options}".rstrip())
