"""Which program plays the autoscaler: the upstream binary where there is one, else our engine.

Why it exists: only the upstream binary is the upstream; ours makes a box scale where it is not to be had.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lowtide.local.autoscaler.deployed import Deployed
from lowtide.local.autoscaler.faster import faster
from lowtide.local.controlplane.binaries import cache_of
from lowtide.local.controlplane.processes import Command
from lowtide.local.controlplane.releases import DEFAULT_MINOR, release_of
from lowtide.model.errors import InputError

NAME = "cluster-autoscaler"
#: ``upstream`` is the real one, ``engine`` is lowtide's own in a loop.
Which = Literal["upstream", "engine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that takes the upstream's command line."""

    which: Which
    path: Path

    def command(
        self,
        one: Deployed,
        *,
        kubeconfig: Path,
        cloud_config: Path,
        environment: Mapping[str, str],
        speed: float,
    ) -> Command:
        """Return the command that runs it with a pod's arguments in this box.

        What is added comes last, where it wins. It listens on loopback alone, and nobody else elects a leader.
        """
        flags = (
            *one.flags,
            *faster(one.flags, minor=one.minor, speed=speed),
            f"--kubeconfig={kubeconfig}",
            f"--cloud-config={cloud_config}",
            f"--namespace={one.namespace}",
            "--leader-elect=false",
            "--address=127.0.0.1:0",
            # Asking EC2 for its types at the start would go past the cloud configuration (aws_manager.go at 1.36.1).
            "--aws-use-static-instance-list=true",
        )
        if self.which == "engine":
            flags = ("-I", "-m", "lowtide.local.autoscaler.process", one.minor, *flags)
        return Command(name=NAME, program=self.path, arguments=flags, environment=environment)


def find_program(
    named: Path | None, environ: Mapping[str, str] | None = None, *, minor: str = DEFAULT_MINOR
) -> Program:
    """Return the named program, the one on PATH, the one that the cache has for a cluster's minor, or our engine.

    Raises:
        InputError: the named program cannot be run.
    """
    environ = os.environ if environ is None else environ
    if named is not None:
        if not os.access(named, os.X_OK) or not named.is_file():
            raise InputError(
                "The autoscaler's program cannot be run",
                where=str(named),
                why="--autoscaler names it, and it is no executable file",
                fix="name upstream's cluster-autoscaler (its image holds it as /cluster-autoscaler), "
                "or leave --autoscaler out: lowtide's own engine runs then",
            )
        return Program(which="upstream", path=named.resolve())
    found = shutil.which(NAME, path=environ.get("PATH", os.defpath))
    if found is not None:
        return Program(which="upstream", path=Path(found).resolve())
    kept = cache_of(release_of(minor), environ).find(NAME)
    if kept is not None:
        return Program(which="upstream", path=kept)
    return Program(which="engine", path=Path(sys.executable))
