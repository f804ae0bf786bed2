"""Options that mean the same on every verb that has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from lowtide.cli.settings import FORMATS, HUMAN, Settings

Verb = TypeVar("Verb", bound=Callable[..., Any])


def _set_output(ctx: click.Context, _param: click.Parameter, value: str) -> None:
    settings = ctx.find_object(Settings)
    if settings is not None:
        settings.output = value


def _set_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's callback
    settings = ctx.find_object(Settings)
    if settings is not None:
        settings.debug = settings.debug or value


def output_option(verb: Verb) -> Verb:
    """Add ``-o human|json|yaml``; the value lands in the settings, not in the verb's arguments."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default=HUMAN,
        is_eager=True,
        expose_value=False,
        callback=_set_output,
        show_default=True,
        help="Words for people, or one document for programs.",
    )(verb)


def debug_option(verb: Verb) -> Verb:
    """Add ``--debug``, which shows the traceback of an error."""
    return click.option(
        "--debug",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_set_debug,
        help="Show the traceback of an error.",
    )(verb)


def file_option(verb: Verb) -> Verb:
    """Add ``-f/--file``, the cluster file to read."""
    return click.option(
        "-f",
        "--file",
        "file",
        type=click.Path(),
        default="cluster.yaml",
        show_default=True,
        help="The cluster file, an eksctl ClusterConfig.",
    )(verb)


def policy_option(verb: Verb) -> Verb:
    """Add ``--policy``, lowtide's own settings for the cluster."""
    return click.option(
        "--policy",
        type=click.Path(),
        help="Policy file. [default: lowtide.yaml beside the cluster file, if there is one]",
    )(verb)


def seed_option(verb: Verb) -> Verb:
    """Add ``--seed``, which decides every random choice of a run."""
    return click.option(
        "--seed",
        type=int,
        help="Decides every random choice; the same seed gives the same run.  [default: the policy's, or 0]",
    )(verb)


def workload_option(verb: Verb) -> Verb:
    """Add ``-w/--workload``, what runs on the cluster."""
    return click.option(
        "-w",
        "--workload",
        type=click.Path(),
        help="Scenario, Kubernetes manifest, or trace table (CSV, Parquet, openb:PATH, philly:PATH).  "
        "[default: 10 pods of one GPU for 30 minutes]",
    )(verb)


def parts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the entries of an option that may be repeated, or written with commas, or both."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())
