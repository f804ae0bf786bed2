"""What holds for one run of the command line, whichever verb it is: output format and debugging.

Why it exists: an error must know how it is wanted (words or JSON) even when the verb never started.

What it must not know: any verb.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

HUMAN = "human"
FORMATS = (HUMAN, "json", "yaml")


@dataclass(slots=True)
class Settings:
    """Mutable on purpose: options fill it while click still parses, so that errors can read it."""

    output: str = HUMAN
    debug: bool = False
    command: str = "lowtide"


def settings_from(arguments: Sequence[str]) -> Settings:
    """Return the settings that stand in the raw arguments, for errors that stop the parser itself."""
    settings = Settings()
    if arguments and not arguments[0].startswith("-"):
        settings.command = f"lowtide {arguments[0]}"
    for position, argument in enumerate(arguments):
        following = arguments[position + 1] if position + 1 < len(arguments) else ""
        if argument in {"-o", "--output"} and following in FORMATS:
            settings.output = following
        for prefix in ("--output=", "-o"):
            if argument.startswith(prefix) and argument.removeprefix(prefix) in FORMATS:
                settings.output = argument.removeprefix(prefix)
        settings.debug = settings.debug or argument == "--debug"
    return settings


def current() -> Settings:
    """Return the settings of the running command."""
    settings = click.get_current_context().find_object(Settings)
    return settings if settings is not None else Settings()
