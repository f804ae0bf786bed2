"""``local aws``: the embedded AWS, until Ctrl-C or beside one command."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from lowtide.cli.local_options import box_options
from lowtide.cli.options import debug_option
from lowtide.cli.output import say, show
from lowtide.cli.verb import Verb


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
It is a box of its own beside the one of `lowtide local up`, and forgets everything at its end unless --state says where to
keep it.

\b
Stopped by Ctrl-C, SIGTERM or `lowtide local fault stop` it exits 0: that is how a server ends.
With a COMMAND it exits with the command's code. AWS CLI version 1 takes no endpoint from the environment
for sqs alone: aws --endpoint-url $AWS_ENDPOINT_URL sqs list-queues
""",
)
@click.option(
    "--state", type=click.Path(path_type=Path), metavar="FILE", help="Keep everything in FILE."
)
@box_options
@debug_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.pass_context
def aws(
    ctx: click.Context, /, *, state: Path | None, command: tuple[str, ...], **given: object
) -> None:
    """Serve the embedded AWS, for the aws CLI, boto3 and lowtide itself.

    It listens on 127.0.0.1 alone and answers only to the key that it prints.
    """
    from lowtide.app.local_aws import ended_by_signals, run_beside, serving
    from lowtide.app.local_home import Wanted

    wanted = Wanted(state_file=state).changed(given)
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
