"""``plan``: what the files lead to, before anything exists and without any account."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lowtide.cli.options import debug_option, file_option, output_option, policy_option
from lowtide.cli.output import emit, has_color, is_for_people, say_next, show, width_of
from lowtide.cli.settings import current
from lowtide.cli.verb import Verb

if TYPE_CHECKING:
    from lowtide.app.files import Inputs


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide plan
  lowtide plan -o json | jq .cost_usd
  lowtide plan -o yaml > resolved.yaml     ClusterConfig and Policy in one file, for -f of every verb
""",
)
@file_option
@policy_option
@output_option
@debug_option
def plan(*, file: str, policy: str | None) -> None:
    """Show what would be created, and what it costs.

    The node groups, every value that lowtide adds to the file and why, stacks and objects, the price per hour idle and at its
    largest, per GPU-hour, and the days of Kubernetes support left. `-o yaml` prints the cluster file and lowtide.yaml with
    every value written out. Needs no AWS account.
    """
    from lowtide.app.files import Inputs

    inputs = Inputs(cluster=file, policy=policy)
    if current().output == "yaml":
        from lowtide.app.documents import yaml_text
        from lowtide.app.plan import written_out

        show("---\n".join(yaml_text(one) for one in written_out(inputs)))
        return
    _show_plan(inputs)
    options = inputs.options
    say_next(f"lowtide render FOLDER {options}".rstrip(), f"lowtide simulate {options}".rstrip())


def _show_plan(inputs: Inputs) -> None:
    import datetime as dt

    from lowtide.app.plan import plan as plan_cluster
    from lowtide.report.plan import plan_json, plan_text

    today = dt.datetime.now(tz=dt.UTC).date()
    planned = plan_cluster(inputs, today=today)
    if not is_for_people():
        emit(plan_json(planned))
        return
    show(plan_text(planned, width=width_of(sys.stdout) or 120, color=has_color(sys.stdout)))
