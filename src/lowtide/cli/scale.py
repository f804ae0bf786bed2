"""``scale``: other bounds for a live node group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lowtide.cli.cluster_options import Which, cluster_options
from lowtide.cli.confirm import confirmed
from lowtide.cli.options import debug_option, output_option, yes_option
from lowtide.cli.output import emit, is_for_people, say, say_next, show
from lowtide.cli.verb import Verb
from lowtide.model.errors import InputError

if TYPE_CHECKING:
    from lowtide.app.scale import Scaling


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide scale gpu-spot-a --max 5
  lowtide scale gpu-spot-a --min 0 --max 0 --yes     nothing of it any more

\b
It asks before more can be spent than before; --yes says it beforehand.
""",
)
@click.argument("nodegroup")
@click.option("--min", "min_size", type=click.IntRange(min=0), help="The least number of nodes.")
@click.option("--max", "max_size", type=click.IntRange(min=0), help="The most nodes.")
@cluster_options
@yes_option
@output_option
@debug_option
def scale(
    *, nodegroup: str, min_size: int | None, max_size: int | None, which: Which, yes: bool
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

    wanted = plan_scaling(
        which.cluster(), nodegroup, min_size=min_size, max_size=max_size, profile=which.profile
    )
    if not wanted.changes_nothing:
        if wanted.may_cost_more:
            confirmed(_shown(wanted), "Change it?", yes=yes)
        else:
            say(_shown(wanted))
        carry_out(wanted, profile=which.profile)
    _tell(wanted)


def _shown(wanted: Scaling) -> str:
    from lowtide.report.wording import price_dates_text, usd_text

    group, identity = wanted.group, wanted.identity
    bounds = f"{group.min_size} to {group.max_size} nodes -> {wanted.min_size} to {wanted.max_size} nodes"
    lines = [
        f"account {identity.account} in {wanted.cluster.region}, as {identity.arn}",
        f"node group {group.name} of {wanted.cluster.name}: {bounds}",
    ]
    if wanted.desired != group.desired:
        lines.append(f"it wants {group.desired} nodes now, and will want {wanted.desired}")
    if wanted.usd_per_hour is None or wanted.old_usd_per_hour is None:
        lines.append(f"no price is known of {', '.join(group.types) or 'its types'}")
    else:
        lines.append(
            f"its instances at their most: {usd_text(wanted.old_usd_per_hour)} -> {usd_text(wanted.usd_per_hour)} an hour"
            f" ({price_dates_text(wanted.price_dates)})"
        )
    return "\n".join(lines)


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
                "usd_per_hour_at_maximum": wanted.usd_per_hour,
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
