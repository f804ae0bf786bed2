"""``status``: what a live cluster is doing, and what it costs at this moment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from lowtide.cli.cluster_options import Which, cluster_options
from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, has_color, is_for_people, say_next, show, width_of
from lowtide.cli.verb import Verb
from lowtide.model.errors import KubernetesError

if TYPE_CHECKING:
    from lowtide.model.cluster_status import ClusterStatus

#: Clears the screen and goes to its first place (ECMA-48: CUP, ED).
_HOME = "\x1b[H\x1b[2J"


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide status
  lowtide status --name vision --region us-east-1
  lowtide status --watch
  lowtide status -o json | jq '.waiting[].reason'

\b
Exit code: 0 told, 2 no such cluster, 4 AWS said no, 5 Kubernetes said no (the rest is shown all the same).
""",
)
@cluster_options
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --watch waits between two looks.",
)
@output_option
@debug_option
def status(*, which: Which, watch: bool, every_s: float) -> int:
    """Show what the cluster is doing, and what it costs now.

    The node groups with their bounds and failed launches, the nodes, the GPUs that are asked for, held and offered, the pods that wait
    with the first reason, instances that EC2 took back, and USD per hour at this moment. Works by the cluster's file, by
    `--name --region`, or for the cluster that kubectl talks to.
    """
    from lowtide.app.status import StatusReader

    cluster = which.cluster()
    reader = StatusReader(cluster, profile=which.profile)
    try:
        while True:
            found = reader.read()
            _show(found, clear=watch and sys.stdout.isatty())
            if not watch:
                break
            time.sleep(every_s)
    finally:
        reader.close()
    if found.waiting:
        owner, _, name = found.waiting[0].pods[0].partition("/")
        say_next(f"kubectl -n {owner} describe pod {name}", f"lowtide status --watch {cluster.options}".rstrip())  # fmt: skip
    return KubernetesError.exit_code if found.kubernetes else 0


def _show(found: ClusterStatus, *, clear: bool) -> None:
    from lowtide.report.status import status_json, status_text

    if not is_for_people():
        emit(status_json(found))
        return
    text = status_text(found, width=width_of(sys.stdout) or 120, color=has_color(sys.stdout))
    show(_HOME + text if clear else text)
