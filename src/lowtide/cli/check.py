"""``check``: everything that is wrong with the files, at once."""

from __future__ import annotations

import sys

import click

from lowtide.cli.options import (
    debug_option,
    file_option,
    output_option,
    policy_option,
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

\b
Exit code: 0 nothing but warnings, 2 a file cannot be read as what it should be, 3 errors.
""",
)
@file_option
@policy_option
@workload_option
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@output_option
@debug_option
def check(*, file: str, policy: str | None, workload: str | None, strict: bool) -> int:
    """Find every error in the files before they cost money.

    Reads the cluster file, lowtide.yaml beside it, and the workload if one is given.
    """
    from lowtide.app.check import check as run_check
    from lowtide.app.files import Inputs

    inputs = Inputs(cluster=file, policy=policy, workload=workload)
    result = run_check(inputs)
    if is_for_people():
        from lowtide.report.problems import findings_text

        show(
            findings_text(
                result.findings, width=width_of(sys.stdout) or 100, color=has_color(sys.stdout)
            )
        )
    else:
        from lowtide.report.machine import findings_json

        emit(findings_json(result.findings))
    if not result.readable:
        return InputError.exit_code
    if result.count(Severity.ERROR) or (strict and result.count(Severity.WARNING)):
        return ChecksFailed.exit_code
    say_next(f"lowtide simulate {inputs.options}".rstrip())
    return 0
