"""``check``: everything that is wrong with the files, at once."""

from __future__ import annotations

import sys

import click

from lowtide.cli.options import (
    debug_option,
    file_option,
    output_option,
    policy_option,
    profile_option,
    workload_option,
)
from lowtide.cli.output import emit, has_color, is_for_people, say_next, show, width_of
from lowtide.cli.verb import Verb
from lowtide.model.errors import ChecksFailed, InputError
from lowtide.model.findings import Severity


@click.command(
    cls=Verb,
    epilog="""\b
Examples:
  lowtide check
  lowtide check -f staging.yaml -w job.yaml
  lowtide check --strict -o json | jq '.findings[].message'
  lowtide check --live --profile work      quotas, zones, permissions and names of the account, too

\b
Exit code: 0 nothing but warnings, 2 a file cannot be read as what it should be, 3 errors.
""",
)
@file_option
@policy_option
@workload_option
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@click.option("--live", is_flag=True, help="Ask the AWS account, too; nothing is changed.")
@profile_option
@output_option
@debug_option
def check(
    *,
    file: str,
    policy: str | None,
    workload: str | None,
    strict: bool,
    live: bool,
    profile: str | None,
) -> int:
    """Find every error in the files before they cost money.

    Reads the cluster file, lowtide.yaml beside it, and the workload if one is given. `--live` also asks the AWS account whether the
    cluster can be created in it: permissions, vCPU quotas, zones that sell the types, spot prices, Kubernetes version, names.
    """
    from lowtide.app.check import check as run_check
    from lowtide.app.check import check_live
    from lowtide.app.files import Inputs

    inputs = Inputs(cluster=file, policy=policy, workload=workload)
    result = check_live(inputs, profile=profile) if live else run_check(inputs)
    if is_for_people():
        if result.live is not None:
            from lowtide.report.account import account_text

            width = width_of(sys.stdout) or 100
            show(account_text(result.live, width=width, color=has_color(sys.stdout)))
        from lowtide.report.problems import findings_text, no_findings_text

        if result.findings:
            width = width_of(sys.stdout) or 100
            show(findings_text(result.findings, width=width, color=has_color(sys.stdout)))
        else:
            show(no_findings_text(result.files, result.checks))
    else:
        from lowtide.report.machine import findings_json

        document = findings_json(result.findings)
        if result.live is not None:
            from lowtide.report.account import account_json

            document = {**document, "account": account_json(result.live)}
        emit(document)
    if not result.readable:
        return InputError.exit_code
    if result.count(Severity.ERROR) or (strict and result.count(Severity.WARNING)):
        return ChecksFailed.exit_code
    say_next(f"lowtide simulate {inputs.options}".rstrip())
    return 0
