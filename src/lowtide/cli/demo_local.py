"""``demo --local``: the example's life in a box, command by command."""

from __future__ import annotations

from pathlib import Path

from lowtide.cli.output import is_for_people, say, say_next, show
from lowtide.model.errors import InputError, LowtideError


def demo_local(*, if_built: bool) -> None:
    """Play the demo; ``if_built`` says in one line what is missing, and leaves it."""
    from lowtide.app.demo_local import COMMANDS, check_means, play, stage

    if not is_for_people():
        raise InputError(
            "demo --local has no document",
            where="-o",
            why="it runs other commands, each with words of its own",
            fix="lowtide demo --local",
        )
    try:
        check_means()
    except LowtideError as error:
        if not if_built:
            raise
        _say_missing(error)
        return
    say(
        "\nThe example's life in a box: AWS is played, the control plane is real, the GPU nodes are not."
    )
    with stage() as on:
        for command in COMMANDS:
            show(f"\n$ {command}")
            play(command, on)
    say("\nThe box is gone, too.")
    from lowtide.app.beside import is_cluster_file
    from lowtide.app.files import DEFAULT_CLUSTER

    mine = "check" if is_cluster_file(DEFAULT_CLUSTER) else "init --name my-cluster"
    say_next(f"lowtide {mine}", "lowtide local up")


def _say_missing(error: LowtideError) -> None:
    """Say what is missing, and the way to it: in a checkout make gets everything but other people's programs."""
    is_made = _is_checkout() and error.where != "PATH"
    way = "make demo-local" if _is_checkout() else "lowtide demo --local"
    say(f"\nThe same in a real control plane: {way}. Not yet here: {error.what}.")
    say("  It gets what is missing first, once, in ten minutes." if is_made else f"  {error.fix}")


def _is_checkout() -> bool:
    """Return whether a Makefile that plays the demo is in this folder."""
    try:
        return "\ndemo-local:" in Path("Makefile").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
