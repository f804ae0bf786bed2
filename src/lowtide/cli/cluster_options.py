"""The options by which verbs of daily work are told which cluster is meant."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from lowtide.cli.options import only_one, profile_option

if TYPE_CHECKING:
    from lowtide.app.cluster_named import NamedCluster

Verb = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """What the options said; ``file`` is None unless it was given: cluster.yaml is looked for, and need not be there."""

    file: str | None
    name: str | None
    region: str | None
    profile: str | None

    def cluster(self) -> NamedCluster:
        """Return the cluster that is meant.

        Raises:
            InputError: nothing names one.
        """
        from lowtide.app.cluster_named import cluster_named

        return cluster_named(file=self.file, name=self.name, region=self.region)


def cluster_options(verb: Verb) -> Verb:
    """Add ``-f``, ``--name``, ``--region`` and ``--profile``; the verb is given a ``which``."""

    @functools.wraps(verb)
    def called(
        *,
        file: str | None,
        name: str | None,
        region: str | None,
        profile: str | None,
        **rest: Any,
    ) -> Any:
        which = Which(file=file, name=name, region=region, profile=profile)
        return verb(which=which, **rest)

    named: Verb = called
    for add in (profile_option, _region, _name, _file):
        named = add(named)
    return named


def _file(verb: Verb) -> Verb:
    return click.option(
        "-f",
        "--file",
        "file",
        type=click.Path(),
        multiple=True,
        callback=only_one,
        help="The cluster file.  [default: cluster.yaml if there is one, else kubectl's current context]",
    )(verb)


def _name(verb: Verb) -> Verb:
    help_ = "The cluster's name, where its file is lost."
    return click.option("--name", metavar="NAME", help=help_)(verb)


def _region(verb: Verb) -> Verb:
    return click.option("--region", metavar="REGION", help="The cluster's AWS region.")(verb)
