"""``local up`` and ``local down``: the box in the background, started and stopped."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from lowtide.cli.local_options import box_options
from lowtide.cli.options import debug_option, output_option
from lowtide.cli.output import emit, is_for_people, say, say_next, show
from lowtide.cli.verb import Verb

if TYPE_CHECKING:
    from lowtide.app.local_up import Up


@click.command(
    "up",
    cls=Verb,
    epilog="""\b
Examples:
  lowtide local up
  eval "$(lowtide local up)"                the lines to paste, pasted
  lowtide local up --speed 60 --keep
  lowtide local up --autoscaler ./cluster-autoscaler

\b
When it runs already, the same lines are printed again.
""",
)
@box_options
@click.option(
    "--keep/--no-keep",
    default=None,
    help="Whether `lowtide local down` keeps what is in the box [default: no].",
)
@output_option
@debug_option
def up(**given: object) -> None:
    """Start the box in the background: AWS, and a real control plane for every EKS cluster in it.

    What is in it survives a kill, and with --keep also `lowtide local down`. Options that are left out are as they
    were at its last start.
    """
    from lowtide.app.local_up import up as start

    _tell(start({name: value for name, value in given.items() if value is not None}))


@click.command(
    "down",
    cls=Verb,
    epilog="""\b
Examples:
  lowtide local down
  lowtide local down --keep                 `lowtide local up` goes on where it was
""",
)
@click.option(
    "--keep/--no-keep",
    default=None,
    help="Keep what is in the box for the next `lowtide local up` [default: as that was told].",
)
@output_option
@debug_option
def down(*, keep: bool | None) -> None:
    """Stop the box in the background, and forget what is in it.

    Clusters, nodes and everything else in it go; no process and no port of it is left, even of one that hangs.
    """
    from lowtide.app.local_down import down as stop

    done = stop(keep=keep)
    if not is_for_people():
        emit(
            {
                "schema": "lowtide.local-down/v1",
                "ran": done.ran,
                "kept": done.kept,
                "forgot": done.forgot,
                "ended": list(done.ended),
            }
        )
        return
    if done.ended:
        say(f"Ended {', '.join(done.ended)}.")
    what = "Stopped" if done.ran else "No box was running"
    if done.kept:
        say(f"{what}; what is in it is kept.")
        say_next("lowtide local up", "lowtide local down --no-keep")
    else:
        say(f"{what}; what was in it is gone." if done.forgot else f"{what}.")
    if done.exported:
        say(f"This shell still points at it; type: unset {' '.join(done.exported)}")


def _tell(box: Up) -> None:
    if not is_for_people():
        emit(
            {
                "schema": "lowtide.local-up/v1",
                "url": box.door.url,
                "pid": box.door.pid,
                "folder": str(box.folder),
                "ran_already": box.ran_already,
                "environment": dict(box.door.environment),
                "notes": list(box.notes),
            }
        )
        return
    for note in box.notes:
        say(note)
    show(
        "\n".join(
            f"export {name}={shlex.quote(value)}" for name, value in box.door.environment.items()
        )
    )
    runs = "runs already" if box.ran_already else "runs in the background"
    # Where the shell takes the lines itself nobody sees any.
    how = '; paste these lines, or type eval "$(lowtide local up)"' if sys.stdout.isatty() else ""
    say(f"\nThe box {runs} at {box.door.url}{how}.")
    say_next("lowtide local status", "lowtide local logs -f", "lowtide local down")
