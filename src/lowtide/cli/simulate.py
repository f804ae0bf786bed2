"""``simulate``, ``compare`` and ``demo``: a workload on a cluster's digital twin."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lowtide.cli.options import (
    debug_option,
    file_option,
    output_option,
    policy_option,
    seed_option,
    workload_option,
)
from lowtide.cli.output import emit, has_color, is_for_people, say, say_next, show, width_of
from lowtide.cli.progress import Progress
from lowtide.cli.verb import Verb
from lowtide.model.errors import InputError

if TYPE_CHECKING:
    from lowtide.app.files import Inputs
    from lowtide.model.simulation import Simulation

DEFAULT_WIDTH = 100
DEMO_HTML = "lowtide-demo.html"


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide simulate                                       ten GPU pods for 30 minutes
  lowtide simulate -w job.yaml --html report.html
  lowtide simulate -w scenario.yaml --seed 7 -o json | jq .cost_usd
""",
)
@file_option
@workload_option
@policy_option
@seed_option
@click.option("--html", type=click.Path(), help="Also write an interactive report here.")
@output_option
@debug_option
def simulate(
    *, file: str, workload: str | None, policy: str | None, seed: int | None, html: str | None
) -> None:
    """Run a workload on the cluster's digital twin, in virtual time, and price it.

    The twin is the same scheduler, autoscaler, Auto Scaling groups and nodes in one process: no AWS account, no
    Docker, no GPU. The same seed gives the same run.
    """
    from lowtide.app.files import Inputs

    inputs = Inputs(cluster=file, workload=workload, policy=policy)
    simulation = _simulate(inputs, seed, html)
    say_next(*_next_commands(inputs, simulation, html))


def _next_commands(inputs: Inputs, simulation: Simulation, html: str | None) -> list[str]:
    """Return what helps after this run: where nothing ran, what is wrong; else another look at it."""
    from lowtide.app.beside import other_cluster_file
    from lowtide.report.summary import ran_count

    again = f"lowtide simulate {inputs.options}".rstrip()
    if simulation.pods.total and not ran_count(simulation):
        return [f"lowtide check {inputs.options}".rstrip(), f"{again} -o json"]
    commands = [f"{again} -o json" if html else f"{again} --html report.html"]
    if other := other_cluster_file(inputs.cluster):
        running = ["-w", inputs.workload] if inputs.workload is not None else []
        commands.append(shlex.join(["lowtide", "compare", inputs.cluster, other, *running]))
    return commands


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide compare spot.yaml on-demand.yaml
  lowtide compare clusters/*.yaml -w job.yaml -o json | jq '.simulations[].cost_usd.total'
""",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@workload_option
@seed_option
@output_option
@debug_option
def compare(*, files: tuple[str, ...], workload: str | None, seed: int | None) -> None:
    """Several cluster files on one workload, side by side.

    Each file is taken with the lowtide.yaml beside it.
    """
    from lowtide.app.compare import compare as run_comparison

    if len(files) < 2:
        raise InputError(
            "One file cannot be compared",
            where="lowtide compare",
            why=f"only {files[0]} was given",
            fix=_comparison_of(files[0]),
        )
    with Progress("simulating") as progress:
        compared = run_comparison(
            files,
            workload=workload,
            seed=seed,
            progress_of=lambda file: progress.named(f"simulating {file}"),
        )
    if is_for_people():
        from lowtide.report.terminal import comparison_text

        width = width_of(sys.stdout) or DEFAULT_WIDTH
        show(comparison_text(compared, width=width, color=has_color(sys.stdout)))
        return
    from lowtide.report.machine import comparison_json

    emit(comparison_json(compared, wall_seconds=progress.elapsed_s))


def _comparison_of(file: str) -> str:
    from lowtide.app.beside import other_cluster_file

    if other := other_cluster_file(file):
        return shlex.join(["lowtide", "compare", file, other])
    copy = str(Path(file).with_name("other.yaml"))
    return f"{shlex.join(['cp', file, copy])}, change it, then {shlex.join(['lowtide', 'compare', file, copy])}"


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide demo
  lowtide demo --html tide.html
  lowtide demo --local           up, ten GPU pods, status and down, in a control plane on this machine
""",
)
@seed_option
@click.option(
    "--html",
    type=click.Path(),
    help=f"Where the interactive report goes.  [default: {DEMO_HTML}, where the extra `report` is installed]",
)
@click.option("--local", is_flag=True, help="Run it in a box instead: up, pods, status, down.")
@click.option(
    "--if-built",
    is_flag=True,
    help="With --local: where the control plane's programs are missing, say so and end well.",
)
@output_option
@debug_option
def demo(*, seed: int | None, html: str | None, local: bool, if_built: bool) -> None:
    """Simulate the example that comes with lowtide: from zero GPU nodes to ten and back, twice."""
    if local:
        from lowtide.cli.demo_local import demo_local

        demo_local(if_built=if_built)
        return
    from lowtide.app.examples import example_folder
    from lowtide.app.files import Inputs
    from lowtide.app.html import INSTALL, can_write_html

    folder = example_folder()
    inputs = Inputs(cluster=str(folder / "cluster.yaml"), workload=str(folder / "scenario.yaml"))
    if html is None and can_write_html():
        html = DEMO_HTML
    _simulate(inputs, seed, html)
    if html is None:
        say(f"\nFor the report with plots: {INSTALL}")
    say(f"\nThe example's files, with a page that explains them: {_shown(folder)}")
    say_next(*_after_demo(folder))


def _after_demo(folder: Path) -> list[str]:
    """Return what can be typed right here: the example's ten pods on the cluster file of this folder, or on the example's."""
    from lowtide.app.beside import is_cluster_file
    from lowtide.app.files import DEFAULT_CLUSTER

    workload = ["-w", _shown(folder / "cudaexample.yaml")]
    if is_cluster_file(DEFAULT_CLUSTER):
        return ["lowtide check", shlex.join(["lowtide", "simulate", *workload])]
    cluster = ["-f", _shown(folder / "cluster.yaml")]
    return [
        "lowtide init --name my-cluster",
        shlex.join(["lowtide", "simulate", *cluster, *workload]),
    ]


def _shown(path: Path) -> str:
    """Return a path as short as it can be typed here."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # somebody removed it
        return str(path)
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _simulate(inputs: Inputs, seed: int | None, html: str | None) -> Simulation:
    """Run, print the result, write the page if one is wanted, and return the run."""
    from lowtide.app.simulate import simulate as run_simulation

    if html is not None:
        from lowtide.app.html import refuse_html

        refuse_html(html)
    with Progress("simulating") as progress:
        simulation = run_simulation(inputs, seed=seed, progress=progress)
    _print(simulation, progress.elapsed_s)
    if html is not None:
        from lowtide.app.html import write_html

        write_html(simulation, html)
        say(f"\nReport: {Path(html).resolve()}")
    return simulation


def _print(simulation: Simulation, wall_seconds: float) -> None:
    if is_for_people():
        from lowtide.report.terminal import simulation_text

        width = width_of(sys.stdout) or DEFAULT_WIDTH
        show(simulation_text(simulation, width=width, color=has_color(sys.stdout)))
    else:
        from lowtide.report.machine import simulation_json

        emit(simulation_json(simulation, wall_seconds=wall_seconds))
    if not (is_for_people() and sys.stdout.isatty()):
        for notice in simulation.notices:
            say(f"NOTICE: {notice}")
