"""``render``: the whole set-up as files that work without lowtide."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from lowtide.cli.options import debug_option, file_option, output_option, parts, policy_option
from lowtide.cli.output import emit, has_color, is_for_people, say, say_next, show, width_of
from lowtide.cli.verb import Verb
from lowtide.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lowtide.app.rendered_folder import Written


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide render out                        templates, manifests and a README that says how to apply them
  lowtide render --helm out                 values for the upstream charts instead of the add-ons' manifests
  lowtide render --only 'nodegroup/gpu-*' out
  lowtide render --diff out                 what a change of the cluster file does to them; writes nothing

\b
Selectors of --only: cluster, nodegroups, nodegroup/NAME, addons, interruption, kubernetes, helm; or patterns of these.
""",
)
@click.argument("folder", type=click.Path(), metavar="DIR")
@file_option
@policy_option
@click.option("--helm", is_flag=True, help="Helm values instead of the add-ons' manifests.")
@click.option("--only", multiple=True, help="Only these parts, with commas or repeated.")
@click.option(
    "--account-id", default="", help="AWS account, 12 digits: fills in what only the account knows."
)
@click.option("--diff", "is_diff", is_flag=True, help="Show what would change; write nothing.")
@click.option("--force", is_flag=True, help="Overwrite files that lowtide did not write, too.")
@output_option
@debug_option
def render(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    folder: str,
    file: str,
    policy: str | None,
    helm: bool,
    only: tuple[str, ...],
    account_id: str,
    is_diff: bool,
    force: bool,
) -> None:
    """Write the cluster down as files: CloudFormation, Kubernetes, README.

    They work without lowtide: the README in DIR says in which order `aws` and `kubectl` apply them. Files that lowtide did not
    write, or that were edited since, are not overwritten.
    """
    from lowtide.app.files import Inputs
    from lowtide.app.render import Choice
    from lowtide.app.render import render as rendered

    if account_id and not (account_id.isascii() and account_id.isdigit() and len(account_id) == 12):
        raise InputError(
            f"{account_id} is no AWS account",
            where="--account-id",
            why="an account has 12 digits",
            fix="aws sts get-caller-identity --query Account --output text",
        )
    if only and not parts(only):
        raise InputError(
            "--only chooses nothing",
            where="--only",
            why="its value is empty",
            fix="name parts, as in --only cluster,nodegroups; or leave it out",
        )
    choice = Choice(helm=helm, only=parts(only), account_id=account_id)
    inputs = Inputs(cluster=file, policy=policy)
    files = rendered(inputs, choice)
    if is_diff:
        _show_diff(folder, files, partial=bool(only))
        return
    from lowtide.app.rendered_folder import write

    done = write(folder, files, force=force, partial=bool(only))
    if is_for_people():
        _show_written(done)
        guide = [] if only else [shlex.join(["less", f"{folder}/README.md"])]
        say_next(*guide, f"lowtide plan {inputs.options}".rstrip())
    else:
        emit(
            {
                "schema": "lowtide.render/v1",
                "folder": done.folder,
                "written": list(done.written),
                "unchanged": list(done.unchanged),
                "removed": list(done.removed),
                "edited": list(done.edited),
            }
        )


def _show_diff(folder: str, files: Mapping[str, str], *, partial: bool) -> None:
    from lowtide.app.rendered_diff import diff
    from lowtide.report.rendered import diff_json, diff_text

    found = diff(folder, files, partial=partial)
    if is_for_people():
        width = width_of(sys.stdout) or 10_000
        show(diff_text(found, width=width, color=has_color(sys.stdout)))
    else:
        emit(diff_json(found))


def _show_written(done: Written) -> None:
    rows = (("wrote", done.written), ("removed", done.removed))
    lines = [f"{word:<8} {done.folder}/{path}" for word, paths in rows for path in paths]
    if lines:
        show("\n".join(lines))
    if done.unchanged:
        say(f"{len(done.unchanged)} files are as they were")
    if any(path.startswith("cloudformation/") for path in done.removed):
        say("NOTICE: the stack of a removed template stays until aws cloudformation delete-stack")
    for path in done.edited:
        say(
            f"NOTICE: {done.folder}/{path} is no longer part of the cluster, but was edited: it stays"
        )
