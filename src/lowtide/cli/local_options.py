"""Options that mean the same on every verb that starts a box; a value of None was not given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from lowtide.model.errors import InputError

Verb = TypeVar("Verb", bound=Callable[..., Any])


def box_options(verb: Verb) -> Verb:
    """Add port, speed, region, admission, binaries and autoscaler."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb


def _admission(
    _ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]
) -> Mapping[str, bool] | None:
    found = {}
    for one in given:
        name, _, word = one.partition("=")
        if not name or word not in ("on", "off"):
            raise InputError(
                f"{one!r} does not turn a plug-in on or off",
                where="--admission",
                why="it is written KEY=on or KEY=off",
                fix="lowtide local aws --admission ExtendedResourceToleration=off",
            )
        found[name] = word == "on"
    return found or None


_OPTIONS = (
    click.option(
        "--port", type=click.IntRange(0, 65535), help="Loopback port [default: a free one]."
    ),
    click.option(
        "--speed",
        type=click.FloatRange(min=0.1, max=10_000.0),
        help="How much faster than AWS things happen [default: 10].",
    ),
    click.option("--region", help="Region of the printed lines [default: us-east-1]."),
    click.option(
        "--admission",
        multiple=True,
        callback=_admission,
        metavar="KEY=on|off",
        help="An admission plug-in of EKS's set, on or off.",
    ),
    click.option(
        "--binaries",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="A folder with etcd, kube-apiserver, ... [default: PATH, then lowtide's cache].",
    ),
    click.option(
        "--autoscaler",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help="The upstream Cluster Autoscaler [default: PATH, else lowtide's own engine].",
    ),
)
