"""``upgrade``: what going to the next Kubernetes minor would involve."""

from __future__ import annotations

import sys

import click

from lowtide.cli.cluster_options import Which, cluster_options
from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, has_color, is_for_people, show, width_of
from lowtide.cli.verb import Verb
from lowtide.model.errors import ChecksFailed


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide upgrade
  lowtide upgrade --name vision --region us-east-1 -o json

\b
Exit code: 0 nothing stands in the way, 3 something does.
""",
)
@cluster_options
@output_option
@debug_option
def upgrade(*, which: Which) -> int:
    """Show what an upgrade to the next minor would involve; nothing is changed.

    Days of support of both minors, the autoscaler and the add-ons that go with the next one, node images and kubelets that are too old,
    EKS's own upgrade insights, what blocks it, and the steps in order.
    """
    from lowtide.app.upgrade import plan_upgrade
    from lowtide.report.upgrade import upgrade_json, upgrade_text

    plan = plan_upgrade(which.cluster(), profile=which.profile)
    if is_for_people():
        width = width_of(sys.stdout) or 120
        show(upgrade_text(plan, width=width, color=has_color(sys.stdout)))
    else:
        emit(upgrade_json(plan))
    return ChecksFailed.exit_code if plan.blockers else 0
