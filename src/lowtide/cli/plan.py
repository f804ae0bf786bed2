"""``plan``: what the files lead to, before anything exists and without any account."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lowtide.cli.options import (
    debug_option,
    file_option,
    output_option,
    policy_option,
    profile_option,
)
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
  lowtide plan --live                      what lowtide up would create, change, replace or delete now
  lowtide plan -o json | jq .cost_usd
  lowtide plan -o yaml > resolved.yaml     ClusterConfig and Policy in one file, for -f of every verb
""",
)
@file_option
@policy_option
@click.option("--live", is_flag=True, help="Compare with the AWS account; nothing is changed.")
@profile_option
@output_option
@debug_option
def plan(*, file: str, policy: str | None, live: bool, profile: str | None) -> None:
    """Show what would be created, and what it costs.

    The node groups, every value that lowtide adds to the file and why, stacks and objects, the price per hour idle and at its
    largest, per GPU-hour, and the days of Kubernetes support left. `-o yaml` prints the cluster file and lowtide.yaml with
    every value written out. Needs no AWS account; `--live` asks one what `lowtide up` would do: by CloudFormation's change sets,
    which are deleted again, newer node images, and a dry run of the Kubernetes objects.
    """
    from lowtide.app.files import Inputs

    inputs = Inputs(cluster=file, policy=policy)
    if live:
        _show_live(inputs, profile)
        say_next(f"lowtide up {inputs.options}".rstrip())
        return
    if current().output == "yaml":
        from lowtide.app.documents import yaml_text
        from lowtide.app.plan import written_out

        show("---\n".join(yaml_text(one) for one in written_out(inputs)))
        return
    _show_plan(inputs)
    options = inputs.options
    say_next(
        f"lowtide simulate {options}".rstrip(),
        f"lowtide render rendered {options}".rstrip(),
        f"lowtide plan --live {options}".rstrip(),
    )


def _show_live(inputs: Inputs, profile: str | None) -> None:
    from lowtide.app.up_plan import Wish, prepare
    from lowtide.report.live import cost_text, live_plan_json, live_plan_text
    from lowtide.report.plan import plan_json

    wish = Wish(command=f"lowtide plan --live {inputs.options}".rstrip(), changes=False)
    prepared = prepare(inputs, wish, profile=profile)
    if not is_for_people():
        emit({**plan_json(prepared.plan), "live": live_plan_json(prepared.live)})
        return
    show(f"{live_plan_text(prepared.live)}\n\n{cost_text(prepared.plan)}")


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
