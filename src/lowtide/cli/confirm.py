"""The question before anything that spends or deletes.

Why it exists: one place decides when to ask, what a missing terminal means and how a refusal is told, for every verb that needs it.
"""

from __future__ import annotations

import sys

import click

from lowtide.cli.output import say
from lowtide.model.errors import ChecksFailed, InputError


def confirmed(shown: str, question: str, *, yes: bool, command: str) -> None:
    """Show what would happen and ask for a yes; ``yes`` is ``--yes``, which has said it already.

    ``command`` is what was typed, with the options that it needs.

    Raises:
        InputError: there is no terminal to ask at, or the answer is no; nothing was changed.
    """
    say(shown)
    if yes:
        return
    where = click.get_current_context().command_path
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise InputError(
            "Nobody can be asked: there is no terminal",
            where=where,
            why="this spends or deletes, and needs a yes",
            fix=f"{command} --yes says it beforehand",
        )
    if not click.confirm(question, default=False, err=True):
        raise InputError("Nothing was changed", where=where, why="the answer was no")


def refuse_above(limit: float | None, worst_case: float, *, source: str) -> None:
    """Refuse a cluster that may cost more than a limit.

    Args:
        limit: USD per hour, None for no limit.
        worst_case: USD per hour with every group at its maximum.
        source: what set the limit, as ``--max-usd-per-hour``.

    Raises:
        ChecksFailed: it may; nothing was changed.
    """
    if limit is not None and worst_case > limit:
        raise ChecksFailed(
            f"At its maximum the cluster would cost ${worst_case:.2f} an hour",
            where=source,
            why=f"the limit is ${limit:.2f}",
            fix="lower maxSize of the groups, or raise the limit",
        )
