"""The example's whole life in a box: up, pods, nodes, status, down, and the line that proves that nothing is left.

Why it exists: the same commands that somebody would type are run against a real control plane, so that it can be watched before anything
is paid for. The box lives as long as the demo, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lowtide.app.examples import example_folder
from lowtide.app.local_aws import serving
from lowtide.app.local_home import Wanted, check_extra
from lowtide.local.controlplane.binaries import find_binaries
from lowtide.local.controlplane.releases import DEFAULT_MINOR
from lowtide.model.errors import InputError, LowtideError

#: So much faster than on AWS does time run; a cluster is there in seconds, pods still wait for their nodes.
SPEED = 200.0
#: The commands in their order, as they are typed.
COMMANDS = (
    "lowtide up --yes",
    "kubectl apply -f cudaexample.yaml",
    "kubectl rollout status deployment/cudaexample --timeout=5m",
    "kubectl get nodes -L node.kubernetes.io/instance-type -L topology.kubernetes.io/zone",
    "lowtide status",
    "lowtide down --yes",
)
_FILES = ("cluster.yaml", "cudaexample.yaml")
#: Programs of others that the commands need, and where they come from.
_CLIENTS = {
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "aws": "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the demo plays: a folder with the example's files, and the environment of its commands."""

    folder: Path
    environment: Mapping[str, str]


def check_means() -> None:
    """See that everything is there.

    Raises:
        InputError: the extra, kubectl or the aws command is missing.
        LowtideError: programs of the control plane are; the error names the ways to get them.
    """
    check_extra()
    for name, place in _CLIENTS.items():
        if shutil.which(name) is None:
            raise InputError(
                f"{name} is missing",
                where="PATH",
                why="the demo runs the commands that you would type",
                fix=f"install it: {place}",
            )
    find_binaries(DEFAULT_MINOR)


@contextmanager
def stage() -> Iterator[Stage]:
    """Open a box for the demo; it is gone afterwards, also after Ctrl-C and SIGTERM.

    Raises:
        InputError, LowtideError: it does not start.
    """
    with _signals_end_it(), tempfile.TemporaryDirectory(prefix="lowtide-demo-") as made:
        folder = Path(made)
        for name in _FILES:
            shutil.copy(example_folder() / name, folder)
        with serving(Wanted(speed=SPEED)) as served:
            kept = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
            here = {"KUBECONFIG": str(folder / "kubeconfig"), **served.environment()}
            try:
                yield Stage(folder=folder, environment={**kept, **here})
            finally:
                # What ends the demo has come; a second Ctrl-C must not leave half a box behind.
                signal.signal(signal.SIGINT, signal.SIG_IGN)


def play(command: str, on: Stage) -> None:
    """Run a command; what it prints goes where ours goes.

    Raises:
        LowtideError: it failed.
    """
    words = shlex.split(command)
    started = (
        [sys.executable, "-P", "-m", "lowtide", *words[1:]] if words[0] == "lowtide" else words
    )
    code = _run(started, on)
    if code:
        raise LowtideError(
            f"{words[0]} {words[1]} failed",
            where=command,
            why=f"it ended with {code}; what it said stands above",
            fix="the same by hand: lowtide local up, and then the commands above",
        )


def _run(words: list[str], on: Stage) -> int:
    """Run a command in a process group of its own: broken off, it goes with all that it has started, and nobody complains afterwards."""
    process = subprocess.Popen(  # noqa: S603 - one of COMMANDS
        words,
        cwd=on.folder,
        env=dict(on.environment),
        stdin=subprocess.DEVNULL,  # a terminal stops programs of another group that read from it
        process_group=0,
    )
    try:
        return process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, and put both back afterwards."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
