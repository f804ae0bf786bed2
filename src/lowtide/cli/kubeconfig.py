"""``kubeconfig``: the cluster as kubectl's current context."""

from __future__ import annotations

import click

from lowtide.cli.cluster_options import Which, cluster_options
from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, is_for_people, say_next, show
from lowtide.cli.verb import Verb


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide kubeconfig
  lowtide kubeconfig --name vision --region us-east-1 --alias vision
  lowtide kubeconfig --dry-run > vision.kubeconfig
""",
)
@cluster_options
@click.option(
    "--kubeconfig",
    "path",
    metavar="FILE",
    help="The file to write into.  [default: the first of KUBECONFIG, or ~/.kube/config]",
)
@click.option("--alias", default="", help="Name of the context.  [default: the cluster's ARN]")
@click.option("--dry-run", is_flag=True, help="Print the whole file and write nothing.")
@output_option
@debug_option
def kubeconfig(*, which: Which, path: str | None, alias: str, dry_run: bool) -> None:
    """Make the cluster kubectl's current context.

    Writes the same entries as `aws eks update-kubeconfig`, and leaves those of other clusters alone. kubectl gets its tokens from
    `aws eks get-token`, so the AWS CLI must be installed where kubectl is used.
    """
    from lowtide.app.kubeconfig import update_kubeconfig

    cluster = which.cluster()
    done = update_kubeconfig(
        cluster, profile=which.profile, file=path, alias=alias, dry_run=dry_run
    )
    if not is_for_people():
        emit(
            {
                "schema": "lowtide.kubeconfig/v1",
                "cluster": cluster.name,
                "region": cluster.region,
                "context": done.context,
                "file": str(done.file),
                "updated": done.updated,
                "written": not dry_run,
            }
        )
        return
    if dry_run:
        show(done.text)
        return
    how = "Updated context {} in {}" if done.updated else "Added new context {} to {}"
    show(how.format(done.context, done.file))
    say_next("kubectl get nodes", f"lowtide status {cluster.options}".rstrip())
