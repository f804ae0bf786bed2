"""Builds the programs of the default minor with Go, from pinned modules.

Why it exists: upstream publishes no control plane for macOS, and some machines reach a Go module proxy only. go/go.mod
and go/go.sum, which come with lowtide, pin every module by checksum; there is no Go code of ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from lowtide.local.controlplane.cache import Cache
from lowtide.local.controlplane.releases import DEFAULT_MINOR, NAMES, Release, release_of
from lowtide.local.controlplane.supply import Report, State, Step
from lowtide.model.errors import InputError, LowtideError

PACKAGES: Mapping[str, str] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
#: What the five programs take; Go's own caches take about 3.5 GB more and are Go's to complain about.
_NEEDED_BYTES = 500_000_000
_TICK_S = 1.0
_END_WITHIN_S = 10.0
_SHOWN_LINES = 6
_FULL = ("no space left on device",)
_OFFLINE = (
    "dial tcp",
    "no such host",
    "module lookup disabled",
    "i/o timeout",
    "TLS handshake",
    "proxyconnect",
    "server misbehaving",
)


def build(
    cache: Cache, *, environ: Mapping[str, str], report: Report, minor: str = DEFAULT_MINOR
) -> None:
    """Build what the cache lacks; what is there and whole is kept.

    Raises:
        InputError: it is not the default minor.
        LowtideError: Go is missing or too old, the network or space is, or a build fails.
    """
    release = release_of(minor)
    if minor != DEFAULT_MINOR:
        raise InputError(
            f"Kubernetes {minor} cannot be built here",
            where=f"--kubernetes {minor}",
            why=f"the pinned modules are those of Kubernetes {release_of(DEFAULT_MINOR).kubernetes}",
            fix=f"lowtide local build --download --kubernetes {minor}, "
            f"or put its programs on PATH or into a folder",
        )
    go = _go(environ)
    with cache.writing() as work:
        _check_space(cache.folder)
        for name in ("go.mod", "go.sum"):
            source = resources.files("lowtide.local.controlplane") / "go" / name
            (work / name).write_bytes(source.read_bytes())
        for name in NAMES:
            if cache.find(name, full=True) is not None:
                report(Step(name=name, state=State.KEPT))
                continue
            _build_one(name, release, go=go, work=work, environ=environ, report=report)
            version = release.version(name)
            cache.put(name, work / name, version=version, origin=f"built from {PACKAGES[name]}")


def arguments(name: str, release: Release, output: Path) -> list[str]:
    """Return the arguments of ``go`` that build a program."""
    major, minor = release.minor.split(".")
    version = "k8s.io/component-base/version"
    flags = [
        "-s",
        "-w",
        f"-X {version}.gitVersion=v{release.kubernetes}",
        f"-X {version}.gitMajor={major}",
        f"-X {version}.gitMinor={minor}",
    ]
    return [
        "build",
        "-mod=readonly",  # go.sum decides
        "-trimpath",
        "-buildvcs=false",
        f"-ldflags={' '.join(flags)}",
        "-o",
        str(output),
        PACKAGES[name],
    ]


def _build_one(
    name: str,
    release: Release,
    *,
    go: str,
    work: Path,
    environ: Mapping[str, str],
    report: Report,
) -> None:
    started = time.monotonic()
    log = work / f"{name}.log"
    nice = shutil.which("nice") or "/usr/bin/nice"
    with log.open("wb") as output:
        popen = subprocess.Popen(  # noqa: S603 - Go from the user's PATH
            [nice, "-n", "10", go, *arguments(name, release, work / name)],
            cwd=work,
            env=_environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        try:
            while True:
                report(_step(name, State.WORKING, started))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = popen.wait(_TICK_S)
                    break
        except BaseException:
            _interrupt(popen)
            raise
    if code != 0:
        raise _failed(name, log.read_text(encoding="utf-8", errors="replace"))
    report(_step(name, State.DONE, started))


def _step(name: str, state: State, started: float) -> Step:
    return Step(name=name, state=state, elapsed_s=time.monotonic() - started)


def _interrupt(popen: subprocess.Popen[bytes]) -> None:
    """End Go and its compilers; asked politely, it removes its temporary files."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(popen.pid, signal.SIGINT)
    try:
        popen.wait(_END_WITHIN_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    # The user's GOFLAGS and workspace belong to another project; GOPROXY and caches are theirs to set.
    return {**environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


def _go(environ: Mapping[str, str]) -> str:
    go = shutil.which("go", path=environ.get("PATH", os.defpath))
    if go is None:
        raise LowtideError(
            "Go is needed to build the control plane",
            where="PATH",
            why="there is no program `go`",
            fix="install Go 1.26 or newer (https://go.dev/dl), or: lowtide local build --download",
        )
    return go


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise LowtideError(
            "There is no space for the programs",
            where=str(folder),
            why=f"{free / 1e6:.0f} MB are free, {_NEEDED_BYTES / 1e6:.0f} MB are needed",
            fix="free some, or set XDG_CACHE_HOME to another disk",
        )


def _failed(name: str, output: str) -> LowtideError:
    lines = [
        line for line in output.splitlines() if line and not line.startswith("go: downloading")
    ]
    said = "\n".join(lines[-_SHOWN_LINES:])
    what, fix = f"Building {name} failed", "read what Go says; run it again to go on from here"
    if "go.mod requires go" in output:
        what = "This Go is too old"
        fix = "install Go 1.26 or newer (https://go.dev/dl), or let Go fetch it: GOTOOLCHAIN=auto"
    elif "SECURITY ERROR" in output or "checksum mismatch" in output:
        what = f"Building {name} was refused: a module is not what go.sum says"
        fix = "go clean -modcache, and try another GOPROXY"
    elif any(sign in output for sign in _FULL):
        fix = "free some space (Go's caches take about 4 GB: `go env GOCACHE GOMODCACHE`), run it again"
    elif any(sign in output for sign in _OFFLINE):
        what = f"Building {name} needs modules that cannot be fetched"
        fix = "go online, or set GOPROXY to a proxy that you reach; run it again to go on from here"
    return LowtideError(what, where=PACKAGES[name], why=said, fix=fix)
