"""``local build``: the programs of a control plane into the cache, with progress."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, is_for_people, say, say_next
from lowtide.cli.progress import WIPE_LINE
from lowtide.cli.verb import Verb

if TYPE_CHECKING:
    from lowtide.local.controlplane.supply import Step


@click.command(
    "build",
    cls=Verb,
    epilog="""\b
Examples:
  lowtide local build
  lowtide local build --download
  lowtide local build --download --kubernetes 1.35
  lowtide local build --autoscaler registry.k8s.io/autoscaling/cluster-autoscaler@sha256:DIGEST
""",
)
@click.option(
    "--kubernetes",
    "minor",
    default="1.36",
    show_default=True,
    metavar="MINOR",
    help="The Kubernetes minor; others than the default are downloaded only.",
)
@click.option(
    "--download",
    is_flag=True,
    help="Fetch upstream's releases (Linux; checksums from the same hosts) instead of building.",
)
@click.option(
    "--autoscaler",
    default="",
    metavar="IMAGE@DIGEST",
    help="Only take upstream's cluster-autoscaler out of its published image; clusters of the minor then run it.",
)
@output_option
@debug_option
def build(*, minor: str, download: bool, autoscaler: str) -> None:
    """Get etcd, the Kubernetes control plane and kwok, once.

    They are built with Go from pinned modules, in about ten minutes and 4 GB of Go's caches on two cores, and kept in
    lowtide's cache. What is there already is checked and kept; after an interruption run it again.
    """
    from lowtide.app.local_build import local_build

    built = local_build(report=_Steps(), minor=minor, from_release=download, autoscaler=autoscaler)
    if not is_for_people():
        emit(
            {
                "schema": "lowtide.local-build/v1",
                "kubernetes": built.kubernetes,
                "folder": str(built.folder),
                "programs": [
                    {
                        "name": name,
                        "version": one.version,
                        "sha256": one.sha256,
                        "size_bytes": one.size,
                        "origin": one.origin,
                    }
                    for name, one in built.programs.items()
                ],
            }
        )
        return
    say(f"Kubernetes {built.kubernetes} is in {built.folder}")
    say_next("lowtide local up")


class _Steps:
    """Prints a line per program, and at a terminal the seconds in between."""

    def __call__(self, step: Step) -> None:
        from lowtide.local.controlplane.supply import State

        if step.state is State.WORKING:
            self._draw(step)
            return
        wipe = WIPE_LINE if sys.stderr.isatty() else ""
        after = f" in {step.elapsed_s:.0f} s" if step.state is State.DONE else ""
        say(f"{wipe}{step.name}: {step.state.value}{after}")

    def _draw(self, step: Step) -> None:
        if not sys.stderr.isatty():
            return
        size = f", {step.bytes_done / 1e6:.0f} MB" if step.bytes_done else ""
        size += f" of {step.bytes_total / 1e6:.0f} MB" if step.bytes_total else ""
        sys.stderr.write(f"{WIPE_LINE}{step.name}: {step.elapsed_s:.0f} s{size}")
        sys.stderr.flush()
