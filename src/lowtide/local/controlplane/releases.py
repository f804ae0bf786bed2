"""Which upstream releases make up a control plane of each Kubernetes minor.

Why it exists: the versions are pinned in one place, for the search, the build and the download alike.
Sources: the default minor is what go/go.mod requires; the patch releases of the others are those that kwok 0.8.0
lists as tested (its supported_releases.txt). etcd 3.6 serves all of them; 3.4 lacks RequestWatchProgress, which the
API server's watches need.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.model.errors import InputError

#: The programs of a control plane, in the order in which they start.
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The versions that serve one minor, without a leading ``v``."""

    minor: str
    kubernetes: str
    etcd: str = "3.6.16"
    kwok: str = "0.8.0"

    def version(self, name: str) -> str:
        """Return the pinned version of a program."""
        return {"etcd": self.etcd, "kwok": self.kwok}.get(name, self.kubernetes)


RELEASES = (
    Release(minor="1.33", kubernetes="1.33.12"),
    Release(minor="1.34", kubernetes="1.34.8"),
    Release(minor="1.35", kubernetes="1.35.5"),
    Release(minor="1.36", kubernetes="1.36.3"),
)

#: The minor that go/go.mod builds.
DEFAULT_MINOR = "1.36"


def release_of(minor: str) -> Release:
    """Return what serves a minor such as ``1.36``.

    Raises:
        InputError: no release is pinned for it.
    """
    for one in RELEASES:
        if one.minor == minor:
            return one
    raise InputError(
        f"There is no local control plane of Kubernetes {minor}",
        where=f"version {minor}",
        why=f"the pinned releases are {', '.join(one.minor for one in RELEASES)}",
        fix=f"use Kubernetes {DEFAULT_MINOR}",
    )


def minor_of(version: str) -> str:
    """Return ``1.36`` of ``1.36.3``."""
    return ".".join(version.split(".")[:2])
