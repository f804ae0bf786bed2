"""``init``: the first cluster.yaml of a user."""

from __future__ import annotations

import click

from lowtide.cli.options import debug_option, parts
from lowtide.cli.output import say, say_next, show
from lowtide.cli.verb import Verb
from lowtide.model.errors import InputError


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide init --name vision --region eu-west-1
  lowtide init --gpu-type g5.xlarge,g6.xlarge --max 20
  lowtide init --on-demand --zones a,b -f -                 print it, write nothing
""",
)
@click.option("--name", default="gpu-cluster", show_default=True, help="Name of the cluster.")
@click.option("--region", default="us-east-1", show_default=True, help="AWS region.")
@click.option(
    "--zones",
    multiple=True,
    default=("a,b,c",),
    show_default=True,
    help="Zones with GPU nodes: full names or their letters, with commas or repeated.",
)
@click.option(
    "--gpu-type",
    "gpu_types",
    multiple=True,
    default=("g4dn.xlarge",),
    show_default=True,
    help="Instance types of the GPU groups, with commas or repeated; the first is the one planned with.",
)
@click.option(
    "--spot/--on-demand", default=True, show_default=True, help="How GPU nodes are bought."
)
@click.option(
    "--max",
    "max_size",
    type=int,
    default=10,
    show_default=True,
    help="Most GPU nodes in each zone.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@click.option(
    "-f", "--file", default="cluster.yaml", show_default=True, help="Where to write; - is stdout."
)
@debug_option
def init(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    name: str,
    region: str,
    zones: tuple[str, ...],
    gpu_types: tuple[str, ...],
    spot: bool,
    max_size: int,
    force: bool,
    file: str,
) -> None:
    """Write a commented cluster.yaml: one general group, and one GPU group per zone that starts at zero."""
    from lowtide.app.init import Wish, cluster_file
    from lowtide.app.whole_file import refuse_unwritable

    text = cluster_file(
        Wish(
            name=name,
            region=region,
            zones=parts(zones),
            gpu_types=parts(gpu_types),
            spot=spot,
            max_size=max_size,
        ),
        file=file,
    )
    if file == "-":
        show(text)
        return
    refuse_unwritable(file, option="-f")
    _write(file, text, force=force)
    say(f"Wrote {file}: cluster {name} in {region}.")
    option = "" if file == "cluster.yaml" else f" -f {file}"
    say_next(f"lowtide check{option}", f"lowtide simulate{option}")


def _write(file: str, text: str, *, force: bool) -> None:
    from lowtide.app.whole_file import write_whole

    try:
        write_whole(file, text, replace=force)
    except FileExistsError as error:
        raise InputError(
            f"{file} exists and is left as it is",
            where=file,
            why="init never overwrites a file unasked",
            fix="lowtide init --force, or -f another-name.yaml",
        ) from error
