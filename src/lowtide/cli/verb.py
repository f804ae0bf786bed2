"""A verb of the command line, and what all of them answer alike: ``--help`` and ``--version``.

Why it exists: click prints these by itself, and then a full disk is a traceback and ``| head`` an error.

What it must not know: what any verb does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from lowtide import __version__
from lowtide.cli.output import show

Function = TypeVar("Function", bound=Callable[..., Any])


class Verb(click.Command):
    """A command whose help goes out like every other result."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return click's option with our printing."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option


def _show_help(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's callback
    if value and not ctx.resilient_parsing:
        show(ctx.get_help())
        ctx.exit()


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's callback
    if value and not ctx.resilient_parsing:
        show(f"lowtide {__version__}")
        ctx.exit()


def version_option(function: Function) -> Function:
    """Add ``--version``."""
    return click.option(
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_version,
        help="Show the version and exit.",
    )(function)
