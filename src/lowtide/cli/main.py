"""The entry point: finds the verb, runs it, and turns whatever happens into words and an exit code.

Exit codes: 0 done, 1 error, 2 bad input or usage, 3 checks failed, 4 AWS said no, 5 Kubernetes said no,
70 a bug of ours (EX_SOFTWARE of sysexits.h), 130 interrupted (128 + SIGINT), 143 ended by SIGTERM (128 + SIGTERM).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from lowtide.cli.lazy import LazyGroup
from lowtide.cli.output import show
from lowtide.cli.settings import settings_from
from lowtide.cli.streams import prepare_streams
from lowtide.cli.verb import version_option

VERBS = {
    "init": ("lowtide.cli.init:init", "Write a commented cluster.yaml."),
    "check": ("lowtide.cli.check:check", "Find every error in the files before they cost money."),
    "simulate": ("lowtide.cli.simulate:simulate", "Run a workload on the cluster's digital twin."),
    "compare": ("lowtide.cli.simulate:compare", "Several cluster files on one workload."),
    "plan": ("lowtide.cli.plan:plan", "Show what would be created, and what it costs."),
    "render": ("lowtide.cli.render:render", "Write CloudFormation, manifests and a README."),
    "up": ("lowtide.cli.up:up", "Create the cluster, or bring it to what its file says."),
    "status": ("lowtide.cli.status:status", "What a live cluster does, and what it costs now."),
    "scale": ("lowtide.cli.scale:scale", "Set the least and the most nodes of a live group."),
    "kubeconfig": (
        "lowtide.cli.kubeconfig:kubeconfig",
        "Make the cluster kubectl's current context.",
    ),
    "upgrade": ("lowtide.cli.upgrade:upgrade", "What going to the next minor would involve."),
    "down": ("lowtide.cli.down:down", "Delete the cluster, and prove that nothing is left."),
    "prices": ("lowtide.cli.prices:prices", "Instance types with their GPUs and prices."),
    "local": ("lowtide.cli.local:local", "EKS in a box, on this machine."),
    "demo": ("lowtide.cli.simulate:demo", "Simulate the example that comes with lowtide."),
    "schema": ("lowtide.cli.about:schema", "Print the JSON Schema of a file, for editors."),
    "completion": ("lowtide.cli.about:completion", "Print the completion script of a shell."),
    "version": ("lowtide.cli.about:version", "Print the version."),
}

EPILOG = """\b
Start here:
  lowtide demo                                  an example: 0 -> 10 -> 0 GPU nodes, priced
  lowtide init --name my-cluster                write cluster.yaml
  lowtide check                                 find what is wrong with it
  lowtide simulate                              run ten GPU pods on it, see wait and cost
  lowtide up                                    create it; asks before it spends
"""


@click.group(
    cls=LazyGroup,
    verbs=VERBS,
    epilog=EPILOG,
    invoke_without_command=True,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@version_option
@click.pass_context
def lowtide(ctx: click.Context) -> None:
    """GPU workloads on Amazon EKS at the lowest cost.

    One cluster file in (an eksctl ClusterConfig): what is wrong with it, how its GPU nodes come and go under your
    workload, how long jobs wait, and what that costs.
    """
    if ctx.invoked_subcommand is None:
        show(ctx.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but a bug of Python's own escapes."""
    settings = settings_from(arguments)
    try:
        code = lowtide.main(
            list(arguments), prog_name="lowtide", standalone_mode=False, obj=settings
        )
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last net: failures become words and a code
        from lowtide.cli.failure import report_failure

        return report_failure(error, settings)
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Run the command line of this process."""
    prepare_streams()
    code = run(sys.argv[1:])
    # Python ends by looking for cycles in everything that was ever imported (90 ms after a plan); the system takes the memory anyway.
    gc.freeze()
    sys.exit(code)
