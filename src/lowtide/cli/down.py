"""``down``: a cluster is deleted, and what is left of it is looked for."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from lowtide.cli.cluster_options import Which, cluster_options
from lowtide.cli.confirm import confirmed
from lowtide.cli.failure import goes_on_with
from lowtide.cli.options import (
    debug_option,
    output_option,
    parts,
    timeout_option,
    verbose_option,
    yes_option,
)
from lowtide.cli.output import emit, is_for_people, say, show, width_of
from lowtide.cli.verb import Verb
from lowtide.model.errors import AwsError, InputError, LowtideError

if TYPE_CHECKING:
    from lowtide.app.cluster_named import NamedCluster
    from lowtide.app.down_plan import Prepared
    from lowtide.model.remains import Choice, DownPlan, DownResult


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide down
  lowtide down --name demo --region us-east-1        the file is lost
  lowtide down --sweep                               also what Kubernetes left: balancers, interfaces, logs
  lowtide down --sweep --delete-volumes              its volumes, too; asks for the cluster's name
  lowtide down --keep volume                         volumes are wanted: exit code 0 although they cost

\b
It can be broken off and run again at any moment: it looks at what is there and goes on.
Exit code: 0 nothing billable is left, 1 something is, 2 input, 4 AWS said no, 130 interrupted, 143 SIGTERM.
""",
)
@cluster_options
@click.option("--sweep", is_flag=True, help="Remove what is left with the cluster's tags or names.")
@click.option(
    "--delete-volumes", is_flag=True, help="With --sweep: volumes and snapshots, with their data."
)
@click.option(
    "--confirm-name",
    metavar="NAME",
    help="With --delete-volumes: the cluster's name, where nobody can type it.",
)
@click.option(
    "--keep",
    metavar="KIND",
    multiple=True,
    help="A kind of thing that stays, as 'volume'; with commas or repeated.",
)
@click.option(
    "--drain-timeout",
    "drain_s",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="MINUTES",
    callback=lambda _ctx, _param, minutes: minutes * 60,
    help="For so long pods may end by themselves, then by force; 0 asks none.",
)
@timeout_option
@yes_option
@verbose_option
@output_option
@debug_option
def down(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    which: Which,
    sweep: bool,
    delete_volumes: bool,
    confirm_name: str | None,
    keep: tuple[str, ...],
    drain_s: float,
    timeout_s: float,
    yes: bool,
    verbose: bool,
) -> None:
    """Delete the cluster, and prove that nothing of it is left.

    Shows what ends and what it costs now, asks, and then stops the autoscaler, ends pods and GPU nodes, deletes load balancers and all
    stacks, and looks for whatever carries the cluster's tags or names. Volumes stay unless you say otherwise.
    """
    from lowtide.app.down import carry_out
    from lowtide.app.down_plan import Wish, prepare
    from lowtide.cli.telling import Teller

    cluster = _cluster(which, yes=yes)
    choice = _choice(sweep=sweep, delete_volumes=delete_volumes, keep=keep)
    wish = Wish(
        command=_command(cluster, which.profile, choice),
        choice=choice,
        drain_s=drain_s,
        timeout_s=timeout_s,
    )
    with goes_on_with(wish.command):
        prepared = prepare(cluster, wish, profile=which.profile)
        _ask(prepared, confirm_name, yes=yes)
        with Teller(verbose=verbose) as tell:
            result = carry_out(prepared, tell)
    _end(result, wish.command)


def _cluster(which: Which, *, yes: bool) -> NamedCluster:
    """Return the cluster that is meant; nobody deletes the one of kubectl's context without being asked."""
    found = which.cluster()
    if yes and found.inputs is None and which.name is None:
        raise InputError(
            f"Is cluster {found.name} in {found.region} meant?",
            where="lowtide down --yes",
            why=f"only {found.source} says so, and --yes leaves no question",
            fix=f"lowtide down {found.options} --yes",
        )
    return found


def _choice(*, sweep: bool, delete_volumes: bool, keep: tuple[str, ...]) -> Choice:
    from lowtide.aws.live.remains.removing import KINDS
    from lowtide.model.remains import Choice

    if delete_volumes and not sweep:
        raise InputError(
            "--delete-volumes is a part of --sweep",
            where="lowtide down",
            why="without it nothing is removed that no stack takes away",
            fix="lowtide down --sweep --delete-volumes",
        )
    known = {one.lower(): one for one in KINDS}
    kept = parts(keep)
    for one in kept:
        if one.lower() not in known:
            raise InputError(
                f"There is no kind {one!r}",
                where="--keep",
                why=f"the kinds are {', '.join(KINDS)}",
                fix="lowtide down --keep volume",
            )
    return Choice(
        sweep=sweep,
        delete_volumes=delete_volumes,
        keep=frozenset(known[one.lower()] for one in kept),
    )


def _command(cluster: NamedCluster, profile: str | None, choice: Choice) -> str:
    """Return what a person runs to go on."""
    words = ["lowtide", "down", *shlex.split(cluster.options)]
    words += ["--profile", profile] if profile is not None else []
    words += ["--sweep"] if choice.sweep else []
    words += ["--delete-volumes"] if choice.delete_volumes else []
    for kind in sorted(choice.keep):
        words += ["--keep", kind]
    return shlex.join(words)


def _ask(prepared: Prepared, confirm_name: str | None, *, yes: bool) -> None:
    from lowtide.report.down import down_plan_text

    plan = prepared.plan
    if plan.is_nothing:
        # A misspelt name must not read like a cluster that was deleted.
        say(
            f"There is no cluster {plan.cluster} in {plan.region}, account {plan.account}: nothing is deleted."
        )
        return
    if plan.choice.delete_volumes and confirm_name is None and not sys.stdin.isatty():
        raise InputError(
            "Nobody can type the cluster's name: there is no terminal",
            where="lowtide down --delete-volumes",
            why="data is deleted for good, and needs more than a yes",
            fix=f"{prepared.wish.command} --confirm-name {plan.cluster} says it beforehand",
        )
    _refuse_unverified(plan, yes=yes)
    question = f"Delete cluster {plan.cluster} in account {plan.account}?"
    confirmed(down_plan_text(plan), question, yes=yes, command=prepared.wish.command)
    if plan.choice.delete_volumes:
        typed = confirm_name
        if typed is None:
            typed = click.prompt("Its volumes and snapshots go, too. Type its name", err=True)
        if typed != plan.cluster:
            raise InputError(
                "Nothing was changed",
                where="lowtide down --delete-volumes",
                why=f"{typed!r} is not the cluster's name, which is {plan.cluster}",
            )


def _refuse_unverified(plan: DownPlan, *, yes: bool) -> None:
    """Refuse where nobody reads what could not be verified: a person at a terminal may know better, and is asked."""
    if plan.unknown and (yes or not sys.stdin.isatty()):
        first = plan.unknown[0]
        raise AwsError(
            f"Nobody can say {first.what}",
            where=f"account {plan.account}, {plan.region}",
            why=first.why,
            fix="let an administrator allow eks:ListClusters and eks:DescribeCluster on all clusters, or answer the question at a "
            "terminal, without --yes",
        )


def _end(result: DownResult, command: str) -> None:
    """Show the result; what is wrong with it decides the exit code."""
    from lowtide.report.down import down_json, down_text

    wrong = _wrong(result, command)
    if not is_for_people():
        code = 0 if wrong is None else wrong.exit_code
        emit(down_json(result, exit_code=code))
        if code:
            raise click.exceptions.Exit(code)
        return
    show(down_text(result, width=width_of(sys.stdout) or 100))
    if wrong is not None:
        raise wrong


def _wrong(result: DownResult, command: str) -> LowtideError | None:
    from lowtide.report.down import left_text

    if result.failures:
        stack, cause = result.failures[0]
        return AwsError(
            f"Stack {stack} could not be deleted",
            where=stack,
            why=cause,
            fix=f"put right what is named above, and go on with: {_with_sweep(command)}",
        )
    if result.unwanted:
        return LowtideError(
            f"{left_text(result.unwanted)} of {result.cluster} cost money and are left",
            where=f"account {result.account}, {result.region}",
            why="no stack takes them away",
            fix=f"{_with_sweep(command)} removes them (volumes with --delete-volumes); --keep KIND says that they are wanted",
        )
    if result.unknown:
        return AwsError(
            "Nobody can say that nothing is left",
            where=f"account {result.account}, {result.region}",
            why=f"{result.unknown[0].what} could not be looked for: {result.unknown[0].why}",
            fix="let an administrator allow it, and run the same command again",
        )
    return None


def _with_sweep(command: str) -> str:
    return command if "--sweep" in command.split() else f"{command} --sweep"
