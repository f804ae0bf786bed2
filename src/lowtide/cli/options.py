"""Options that mean the same on every verb that has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from lowtide.cli.settings import FORMATS, HUMAN, Settings
from lowtide.model.errors import InputError

Verb = TypeVar("Verb", bound=Callable[..., Any])

#: Characters of a wrong value that its error repeats.
_SHOWN = 40


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


def only_one(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Return the one value that was given.

    Raises:
        InputError: several were, of which click would take the last without a word; or it is empty, which pathlib
            takes for the current folder.
    """
    if len(values) > 1:
        option = param.opts[0]
        raise InputError(
            f"{option} was given {len(values)} times",
            where=ctx.command_path,
            why=f"one run has one: {', '.join(values)}",
            fix=_instead_of_several(option),
        )
    if values == ("",):
        raise InputError(
            f"{param.opts[0]} names no file",
            where=ctx.command_path,
            why="its value is empty",
            fix=f"give {param.opts[0]} a path, or leave it out",
        )
    return values[0] if values else None


def _instead_of_several(option: str) -> str:
    if option == "-w":
        return (
            "put the manifests into one folder (-w FOLDER), or name them in the steps of a Scenario"
        )
    return f"give {option} once; lowtide compare takes several cluster files"


def file_option(verb: Verb) -> Verb:
    """Add ``-f/--file``, the cluster file to read."""
    return click.option(
        "-f",
        "--file",
        "file",
        type=click.Path(),
        multiple=True,
        callback=only_one,
        default=("cluster.yaml",),
        show_default=True,
        help="The cluster file, an eksctl ClusterConfig.",
    )(verb)


def policy_option(verb: Verb) -> Verb:
    """Add ``--policy``, lowtide's own settings for the cluster."""
    return click.option(
        "--policy",
        type=click.Path(),
        multiple=True,
        callback=only_one,
        help="Policy file. [default: lowtide.yaml beside the cluster file, if there is one]",
    )(verb)


def profile_option(verb: Verb) -> Verb:
    """Add ``--profile``, the AWS profile to use."""
    return click.option(
        "--profile",
        metavar="NAME",
        default=None,
        help="AWS profile.  [default: what AWS_PROFILE or the environment says]",
    )(verb)


def _seed(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        seed = int(value)
    except ValueError:  # also where it has more digits than Python converts
        seed = -1
    if seed < 0:
        shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
        problem = f"{shown!r} is not a whole number from 0 on."
        raise click.BadParameter(problem, ctx=ctx, param=param)
    return seed


def seed_option(verb: Verb) -> Verb:
    """Add ``--seed``, which decides every random choice of a run."""
    return click.option(
        "--seed",
        metavar="INTEGER",
        callback=_seed,
        help="Decides every random choice; the same seed gives the same run.  [default: the policy's, or 0]",
    )(verb)


def workload_option(verb: Verb) -> Verb:
    """Add ``-w/--workload``, what runs on the cluster."""
    return click.option(
        "-w",
        "--workload",
        type=click.Path(),
        multiple=True,
        callback=only_one,
        help="Scenario, Kubernetes manifest, or trace table (CSV, Parquet, openb:PATH, philly:PATH).  "
        "[default: 10 pods of one GPU for 30 minutes]",
    )(verb)


def parts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the entries of an option that may be repeated, or written with commas, or both."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def yes_option(verb: Verb) -> Verb:
    """Add ``-y/--yes``, which answers the question before anything is spent or deleted."""
    return click.option(
        "-y", "--yes", is_flag=True, help="Do not ask before something is spent or deleted."
    )(verb)


def timeout_option(verb: Verb) -> Verb:
    """Add ``--timeout``, minutes after which a wait is given up; the value is in seconds."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=click.FloatRange(min=0, min_open=True),
        default=90.0,
        show_default=True,
        metavar="MINUTES",
        callback=lambda _ctx, _param, minutes: minutes * 60,
        help="Minutes after which waiting is given up.",
    )(verb)


def verbose_option(verb: Verb) -> Verb:
    """Add ``-v/--verbose``, which tells what happens to every resource."""
    return click.option(
        "-v", "--verbose", is_flag=True, help="Tell what happens to every resource of every stack."
    )(verb)
