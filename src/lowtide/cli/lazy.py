"""The group of verbs, each imported only when it is called.

Why it exists: ``lowtide --help`` and completion answer at once, whatever a verb needs to run; and a
mistyped verb or option is met with the nearest one that exists.

What it must not know: what any verb does.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from lowtide.cli.verb import Verb
from lowtide.model.errors import InputError


def nearest(word: str, known: list[str]) -> str:
    """Return the known word closest to ``word``, or an empty string."""
    import difflib

    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return found[0] if found else ""


class LazyGroup(Verb, click.Group):
    """A group whose commands are ``name -> (module:attribute, short help)``, in the order given."""

    def __init__(
        self, *args: object, verbs: Mapping[str, tuple[str, str]] | None = None, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # handed through to click unchanged
        self.verbs = dict(verbs or {})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the verbs in the order a user meets them."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a verb, or None when there is no such verb."""
        if cmd_name not in self.verbs:
            return None
        module, attribute = self.verbs[cmd_name][0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb to run.

        Raises:
            InputError: there is no such verb; the nearest one is named.
        """
        if ctx.resilient_parsing or args[0] in self.verbs or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        close = nearest(args[0], list(self.verbs))
        raise InputError(
            f"There is no verb {args[0]!r}",
            where=ctx.command_path,
            why=f"the verbs are {', '.join(self.verbs)}",
            fix=f"did you mean: {ctx.command_path} {close}"
            if close
            else f"{ctx.command_path} --help",
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of verbs without importing one."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, short) for name, (_, short) in self.verbs.items()])
