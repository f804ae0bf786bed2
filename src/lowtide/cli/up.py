"""``up``: a cluster is created, or brought to what its file says."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from lowtide.cli.failure import goes_on_with
from lowtide.cli.options import (
    debug_option,
    file_option,
    output_option,
    parts,
    policy_option,
    profile_option,
    timeout_option,
    verbose_option,
    yes_option,
)
from lowtide.cli.output import emit, has_color, is_for_people, say, say_next, show, width_of
from lowtide.cli.verb import Verb
from lowtide.model.errors import ChecksFailed, InputError

if TYPE_CHECKING:
    from lowtide.app.files import Inputs
    from lowtide.app.up_plan import Prepared
    from lowtide.model.live_plan import UpResult
    from lowtide.model.preflight import Preflight


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide up
  lowtide up --node-type g4dn.xlarge --name demo     no file yet: writes cluster.yaml, three zones, spot
  lowtide up --prove --yes                           ends when a pod ran nvidia-smi on a node from zero, twice
  lowtide up --addons none                           leaves autoscaler and device plugin to you

\b
It can be broken off and run again at any moment: it looks at what is there and goes on.
Exit code: 0 up, 2 input, 3 checks failed, 4 AWS said no, 5 Kubernetes said no, 130 interrupted, 143 SIGTERM.
""",
)
@file_option
@policy_option
@click.option("--name", default="", help="Without a file: the name of the new cluster.")
@click.option(
    "--region", default="", help="Without a file: its region.  [default: AWS_REGION, or us-east-1]"
)
@click.option(
    "--node-type",
    "node_types",
    multiple=True,
    help="Without a file: GPU instance types, with commas or repeated.",
)
@click.option(
    "--addons",
    type=click.Choice(("default", "none")),
    default="default",
    show_default=True,
    help="Install autoscaler, device plugin and termination handler, or leave them to you.",
)
@click.option("--prove", is_flag=True, help="Run nvidia-smi on a node from zero, twice.")
@click.option("--refresh-amis", is_flag=True, help="Take the newest node images for new nodes.")
@click.option(
    "--max-usd-per-hour",
    type=click.FloatRange(min=0),
    help="Refuse a cluster whose worst case costs more.  [default: budget.maxUsdPerHour of lowtide.yaml]",
)
@click.option(
    "--kubeconfig",
    type=click.Path(),
    help="Where kubectl's context is written.  [default: KUBECONFIG, or ~/.kube/config]",
)
@profile_option
@timeout_option
@yes_option
@verbose_option
@output_option
@debug_option
def up(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    file: str,
    policy: str | None,
    name: str,
    region: str,
    node_types: tuple[str, ...],
    addons: str,
    prove: bool,
    refresh_amis: bool,
    max_usd_per_hour: float | None,
    kubeconfig: str | None,
    profile: str | None,
    timeout_s: float,
    yes: bool,
    verbose: bool,
) -> None:
    """Create the cluster, or bring it to what its file says.

    Checks the account, shows what would change and what it costs, asks, and then creates or changes the CloudFormation stacks, installs
    the autoscaler, the device plugin and the termination handler, and writes kubectl's context. It ends when the nodes that should be
    ready are and everything runs.
    """
    from lowtide.app.files import Inputs
    from lowtide.app.up_plan import Wish, prepare

    written = _file_of(file, name=name, region=region, node_types=parts(node_types))
    inputs = Inputs(cluster=file, policy=policy)
    wish = Wish(
        command=_command(inputs, addons=addons, prove=prove, profile=profile),
        with_addons=addons == "default",
        with_proof=prove,
        refresh_images=refresh_amis,
        timeout_s=timeout_s,
    )
    with goes_on_with(wish.command):
        prepared = prepare(inputs, wish, profile=profile)
        _check(prepared)
        _ask(prepared, max_usd_per_hour, yes=yes)
        result = _carried_out(prepared, kubeconfig, profile, verbose=verbose)
    _show(result, written=file if written else "", inputs=inputs)


def _file_of(file: str, *, name: str, region: str, node_types: tuple[str, ...]) -> bool:
    """Write the file that the options describe, where they do; say so."""
    from lowtide.app.up_file import Short, written_file

    short = Short(name=name, region=region, node_types=node_types)
    if not short.is_said:
        if region:
            raise InputError(
                "--region is for a cluster without a file",
                where="lowtide up",
                why=f"the region of {file} is its metadata.region",
                fix="leave --region out, or describe a new cluster with --name and --node-type",
            )
        return False
    written = written_file(short, file)
    say(f"{'Wrote' if written else 'Going on with'} {file}: cluster {name or 'gpu-cluster'}.")
    return written


def _command(inputs: Inputs, *, addons: str, prove: bool, profile: str | None) -> str:
    """Return what a person runs to go on."""
    words = ["lowtide", "up", *shlex.split(inputs.options)]
    words += ["--addons", addons] if addons != "default" else []
    words += ["--prove"] if prove else []
    words += ["--profile", profile] if profile is not None else []
    return shlex.join(words)


def _check(prepared: Prepared) -> None:
    """Look for what would be in the way of a cluster that is not there yet, or of groups that come or change."""
    from lowtide.report.problems import findings_text

    found = _preflight(prepared)
    if found is None:
        return
    if found.findings:
        width = width_of(sys.stderr) or 100
        say(findings_text(found.findings, width=width, color=has_color(sys.stderr)))
    if found.blockers:
        first = found.blockers[0]
        raise ChecksFailed(
            f"The cluster cannot be {'created' if prepared.creates_cluster else 'changed so'} in this account",
            where=f"account {prepared.live.account}, {prepared.live.region}",
            why=first.message,
            fix=first.fix,
        )


def _preflight(prepared: Prepared) -> Preflight | None:
    """Return what the account has against it, None where no node group is concerned."""
    from lowtide.app.preflight import preflight, preflight_of_change
    from lowtide.model.live_plan import StackAction

    if prepared.creates_cluster:
        return preflight(prepared.designed, prepared.account)
    made = prepared.groups(StackAction.CREATE, StackAction.REPAIR)
    changed = prepared.groups(StackAction.CHANGE)
    if not made and not changed:
        return None
    return preflight_of_change(prepared.designed, prepared.account, made=made, changed=changed)


def _ask(prepared: Prepared, limit: float | None, *, yes: bool) -> None:
    from lowtide.cli.confirm import confirmed, refuse_above
    from lowtide.report.live import cost_text, live_plan_text

    cost = prepared.plan.cost
    source = "--max-usd-per-hour"
    if limit is None:
        limit, source = prepared.designed.policy.max_usd_per_hour, "budget.maxUsdPerHour"
    refuse_above(limit, cost.worst_case_usd_per_hour, source=source)
    live = prepared.live
    if live.is_nothing and not prepared.wish.with_proof:
        say(f"{live.cluster}: no stack and no object would change.")
        return
    shown = f"{live_plan_text(live)}\n\n{cost_text(prepared.plan)}"
    question = f"Do this to cluster {live.cluster} in account {live.account}?"
    confirmed(shown, question, yes=yes, command=prepared.wish.command)


def _carried_out(
    prepared: Prepared, kubeconfig: str | None, profile: str | None, *, verbose: bool
) -> UpResult:
    from lowtide.app.cluster_named import NamedCluster
    from lowtide.app.kubeconfig import update_kubeconfig
    from lowtide.app.up import carry_out
    from lowtide.cli.telling import Teller

    live = prepared.live
    named = NamedCluster(
        name=live.cluster, region=live.region, source=prepared.designed.inputs.cluster
    )

    def write() -> str:
        return str(update_kubeconfig(named, profile=profile, file=kubeconfig).file)

    planned = {one.name: one.resources or len(one.changes) for one in live.stacks}
    with Teller(verbose=verbose, totals=planned) as tell:
        return carry_out(prepared, tell, kubeconfig=write)


def _show(result: UpResult, *, written: str, inputs: Inputs) -> None:
    from lowtide.report.live import up_json, up_text

    if not is_for_people():
        emit(up_json(result, written=written))
        return
    show(up_text(result))
    say_next("kubectl get nodes", f"lowtide status {inputs.options}".rstrip())
