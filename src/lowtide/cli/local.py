"""``local``: the verbs of the cluster in a box."""

from __future__ import annotations

import click

from lowtide.cli.lazy import LazyGroup

LOCAL_VERBS = {
    "aws": ("lowtide.cli.local_aws:aws", "Serve the embedded AWS on a loopback port."),
    "fault": ("lowtide.cli.local_fault:fault", "Let something go wrong in a running box."),
    "build": ("lowtide.cli.local_build:build", "Get the programs of a control plane, once."),
}


@click.group(
    cls=LazyGroup,
    verbs=LOCAL_VERBS,
    subcommand_metavar="VERB ...",
    epilog="""\b
Examples:
  lowtide local aws                                      serve it, print the lines to paste
  lowtide local aws -- aws sts get-caller-identity       one command against it
""",
)
def local() -> None:
    """AWS in a box, on this machine: no account, no Docker, no GPU."""
