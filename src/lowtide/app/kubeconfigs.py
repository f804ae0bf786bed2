"""The kubeconfig files of this user: where they are, and an entry written into one.

Why it exists: ``kubectl`` and every other client find a cluster by them. Which file is written follows ``aws eks update-kubeconfig``:
the first of KUBECONFIG that has the cluster already, else the first.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from lowtide.app.whole_file import put
from lowtide.kube import kubeconfig
from lowtide.kube.kubeconfig import EksEntry
from lowtide.model.errors import InputError

_MINE_ALONE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: the context, the file, and whether the cluster was in it before. ``text`` is the whole file."""

    context: str
    file: Path
    updated: bool
    text: str


def config_files(given: str | None = None) -> tuple[Path, ...]:
    """Return the kubeconfig files, first the one that is written to: the one given, those of KUBECONFIG, or ~/.kube/config."""
    if given is not None:
        return (_place(given),)
    listed = [one for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one.strip()]
    return tuple(_place(one) for one in listed or ["~/.kube/config"])


def current_cluster() -> tuple[str, str, Path] | None:
    """Return name, region and file of the EKS cluster that kubectl talks to now, None where it talks to none.

    The first file that names a context decides (kubectl's documentation, "Merging kubeconfig files").
    """
    for file in config_files():
        with contextlib.suppress(InputError, FileNotFoundError):
            document = _read(file)
            if document.get("current-context"):
                found = kubeconfig.current_cluster(document)
                return None if found is None else (*found, file)
    return None


def notes_of_gone(name: str, region: str, account: str) -> tuple[str, ...]:
    """Return a sentence for each context of an EKS cluster that is gone, with the command that removes it."""
    files = config_files()
    found: list[str] = []
    for file in files:
        with contextlib.suppress(InputError, FileNotFoundError):
            for context in kubeconfig.contexts_of(_read(file), name, region, account):
                # Of several files kubectl would write to another one.
                where = ["--kubeconfig", str(file)] if len(files) > 1 else []
                command = shlex.join(["kubectl", "config", "delete-context", context, *where])
                found.append(f"kubectl still has a context of {name}, to remove by: {command}")
    return tuple(found)


def write_entry(entry: EksEntry, *, given: str | None = None, dry_run: bool = False) -> Written:
    """Put a cluster into a kubeconfig file and make it the current context.

    Raises:
        InputError: the file is no kubeconfig, or cannot be read or written.
    """
    file, document = _chosen(config_files(given), entry.arn)
    updated = kubeconfig.has_cluster(document, entry.arn)
    text = kubeconfig.text_of(kubeconfig.with_entry(document, entry))
    if not dry_run:
        _write(file, text)
    return Written(context=entry.context, file=file, updated=updated, text=text)


def _chosen(files: tuple[Path, ...], arn: str) -> tuple[Path, kubeconfig.Document]:
    for file in files:
        with contextlib.suppress(InputError, FileNotFoundError):
            document = _read(file)
            if kubeconfig.has_cluster(document, arn):
                return file, document
    try:
        return files[0], _read(files[0])
    except FileNotFoundError:
        return files[0], kubeconfig.read("", str(files[0]))


def _read(file: Path) -> kubeconfig.Document:
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # reading a pipe or a device may never end
            raise _unusable(file, "read", "it is no regular file")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _unusable(file, "read", why) from error
    return kubeconfig.read(text, str(file))


def _write(file: Path, text: str) -> None:
    """Write it whole, through links, with the permissions it had; a new one is for its owner alone."""
    try:
        place = Path(os.path.realpath(file))
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MINE_ALONE))
        put(place, text)
    except OSError as error:
        raise _unusable(file, "written", error.strerror or str(error)) from error


def _place(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _unusable(file: Path, verb: str, why: str) -> InputError:
    return InputError(
        f"The kubeconfig cannot be {verb}",
        where=str(file),
        why=why,
        fix="name another file with --kubeconfig, or in KUBECONFIG",
    )
