"""Finds the programs of a control plane on this machine.

Why it exists: people have them in different places. Looked at, in this order: a folder that was named, PATH (only
programs of the wanted minor) and our cache, which ``lowtide local build`` fills. What is missing is named together with
the ways to get it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lowtide.local.controlplane.cache import Cache, cache_root
from lowtide.local.controlplane.releases import DEFAULT_MINOR, NAMES, Release, minor_of, release_of
from lowtide.model.errors import InputError, LowtideError

#: The environment variable that names a folder with the programs, as the option ``--binaries`` does.
VARIABLE = "LOWTIDE_BINARIES"
_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+)")
_VERSION_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """The programs of one minor, by upstream's names."""

    minor: str
    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kwok: Path

    def path(self, name: str) -> Path:
        """Return a program by its upstream name."""
        found = getattr(self, name.replace("-", "_"))
        assert isinstance(found, Path)
        return found


def find_binaries(
    minor: str, *, folder: Path | None = None, environ: Mapping[str, str] | None = None
) -> Binaries:
    """Return the programs that serve a minor.

    Raises:
        InputError: the minor is not served, or the named folder holds a program of another version.
        LowtideError: a program is nowhere; the error names the ways to get it.
    """
    environ = os.environ if environ is None else environ
    release = release_of(minor)
    named = environ.get(VARIABLE)
    folder = folder or (Path(named) if named else None)
    cache = cache_of(release, environ)
    found: dict[str, Path] = {}
    for name in NAMES:
        place = (
            _in_folder(folder, name, release)
            or _on_path(name, release, environ)
            or cache.find(name)
        )
        if place is not None:
            found[name] = place
    missing = [name for name in NAMES if name not in found]
    if missing:
        raise _missing(missing, release, cache, folder)
    return Binaries(minor=minor, **{name.replace("-", "_"): found[name] for name in NAMES})


def cache_of(release: Release, environ: Mapping[str, str]) -> Cache:
    """Return the cache of a release."""
    return Cache(cache_root(environ) / f"v{release.kubernetes}")


def version_of(program: Path) -> str:
    """Return the version that a program prints, or an empty string where it prints none."""
    try:
        run = subprocess.run(  # noqa: S603 - a program that the user named or has on PATH
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    said = _VERSION.search(run.stdout)
    return said[1] if said else ""


def _fits(program: Path, name: str, release: Release) -> bool:
    return minor_of(version_of(program)) == minor_of(release.version(name))


def _in_folder(folder: Path | None, name: str, release: Release) -> Path | None:
    if folder is None:
        return None
    if not folder.is_dir():
        raise InputError(
            "The folder of programs does not exist",
            where=str(folder),
            why=f"--binaries or {VARIABLE} names it",
            fix="name a folder that holds " + ", ".join(NAMES),
        )
    program = folder.resolve() / name
    if not os.access(program, os.X_OK) or not program.is_file():
        return None
    if not _fits(program, name, release):
        raise InputError(
            f"{name} is of another version",
            where=str(program),
            why=f"it says {version_of(program) or 'no version'}; "
            f"Kubernetes {release.minor} needs {minor_of(release.version(name))}",
            fix=f"put {name} {release.version(name)} there, or leave it out of the folder",
        )
    return program


def _on_path(name: str, release: Release, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    if found is None or not _fits(Path(found), name, release):
        return None
    return Path(found).resolve()


def _missing(names: list[str], release: Release, cache: Cache, folder: Path | None) -> LowtideError:
    places = [str(folder)] if folder else []
    changed = [name for name in names if name in cache.entries()]
    why = f"looked in {', '.join([*places, 'PATH', str(cache.folder)])}"
    if changed:
        why += f"; {', '.join(changed)} in the cache changed since it was put there"
    ways = [
        f"a folder with them: --binaries DIR or {VARIABLE}",
        "on PATH",
        f"lowtide local build --download --kubernetes {release.minor} (upstream's release hosts)",
        _build_advice(release),
    ]
    return LowtideError(
        f"Kubernetes {release.minor} cannot be started here: {', '.join(names)} "
        f"{'is' if len(names) == 1 else 'are'} missing",
        where=f"Kubernetes {release.kubernetes}, etcd {release.etcd}, kwok {release.kwok}",
        why=why,
        fix="one of: " + "; ".join(ways),
    )


def _build_advice(release: Release) -> str:
    """Return how our own build helps with a minor."""
    if release.minor == DEFAULT_MINOR:
        return "lowtide local build (needs Go; about ten minutes, once)"
    return f"lowtide local build serves {DEFAULT_MINOR} alone: use that minor"
