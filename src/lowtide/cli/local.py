"""``local``: the verbs of the cluster in a box."""

from __future__ import annotations

import click

from lowtide.cli.lazy import LazyGroup

LOCAL_VERBS = {
    "up": ("lowtide.cli.local_up:up", "Start the box in the background."),
    "status": ("lowtide.cli.local_status:status", "What runs in it, and which autoscaler."),
    "logs": ("lowtide.cli.local_status:logs", "What the box and its programs wrote."),
    "down": ("lowtide.cli.local_up:down", "Stop it, and forget or keep what is in it."),
    "aws": ("lowtide.cli.local_aws:aws", "A box of its own, for this terminal or one command."),
    "fault": ("lowtide.cli.local_fault:fault", "Let something go wrong in a running box."),
    "build": ("lowtide.cli.local_build:build", "Get the programs of a control plane, once."),
}


@click.group(
    cls=LazyGroup,
    verbs=LOCAL_VERBS,
    subcommand_metavar="VERB ...",
    epilog="""\b
Examples:
  lowtide local build                                    once: the programs of a control plane
  eval "$(lowtide local up)"                             the box in the background, this shell in it
  lowtide local aws -- aws sts get-caller-identity       one command in a box of its own
""",
)
def local() -> None:
    """EKS in a box, on this machine: no account, no Docker, no GPU."""
