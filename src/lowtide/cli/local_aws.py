"""``local aws``: the embedded AWS, until Ctrl-C or beside one command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from lowtide.cli.options import debug_option
from lowtide.cli.output import say, show
from lowtide.cli.verb import Verb
from lowtide.model.errors import InputError


@click.command(
    cls=Verb,
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  lowtide local aws
  lowtide local aws --port 4566 --state aws.state
  lowtide local aws --admission ExtendedResourceToleration=off
  lowtide local aws -- aws sts get-caller-identity

\b
CloudFormation, Service Quotas and the price list are not served yet, and instances become no nodes.

\b
Stopped by Ctrl-C, SIGTERM or `lowtide local fault stop` it exits 0: that is how a server ends.
With a COMMAND it exits with the command's code. AWS CLI version 1 takes no endpoint from the environment
for sqs alone: aws --endpoint-url $AWS_ENDPOINT_URL sqs list-queues
""",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Loopback port [default: a free one]."
)
@click.option(
    "--state", type=click.Path(path_type=Path), metavar="FILE", help="Keep everything in FILE."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.1, max=10_000.0),
    default=10.0,
    show_default=True,
    help="How much faster than AWS things happen.",
)
@click.option(
    "--region", default="us-east-1", show_default=True, help="Region of the printed lines."
)
@click.option(
    "--admission",
    multiple=True,
    metavar="KEY=on|off",
    help="An admission plug-in of EKS's set, on or off.",
)
@debug_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.pass_context
def aws(  # noqa: PLR0913 - one parameter for each option of the command line
    ctx: click.Context,
    *,
    port: int,
    state: Path | None,
    speed: float,
    region: str,
    admission: tuple[str, ...],
    command: tuple[str, ...],
) -> None:
    """Serve the embedded AWS, for the aws CLI, boto3 and lowtide itself.

    It listens on 127.0.0.1 alone and answers only to the key that it prints.
    """
    from lowtide.app.local_aws import Wanted, ended_by_signals, run_beside, serving

    wanted = Wanted(
        port=port, state_file=state, speed=speed, region=region, admission=_admission(admission)
    )
    if command:
        ctx.exit(run_beside(wanted, command))
    with serving(wanted) as served, ended_by_signals(served):
        show(
            "\n".join(
                f"export {name}={shlex.quote(value)}"
                for name, value in served.environment().items()
            )
        )
        say(
            f"\nThe embedded AWS serves at {served.door.url}; paste these lines into another terminal. Ctrl-C stops it."
        )
        served.stop_asked.wait()
    say("Stopped.")


def _admission(given: tuple[str, ...]) -> Mapping[str, bool]:
    found = {}
    for one in given:
        name, _, word = one.partition("=")
        if not name or word not in ("on", "off"):
            raise InputError(
                f"{one!r} does not turn a plug-in on or off",
                where="--admission",
                why="it is written KEY=on or KEY=off",
                fix="lowtide local aws --admission ExtendedResourceToleration=off",
            )
        found[name] = word == "on"
    return found
