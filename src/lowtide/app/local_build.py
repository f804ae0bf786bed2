"""Fills the cache with the programs of a control plane: by building them, or by downloading them.

Why it exists: the command line shows progress and words; which of the two ways is taken is decided here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lowtide.local.autoscaler.image import fetch
from lowtide.local.controlplane.binaries import cache_of
from lowtide.local.controlplane.build import build
from lowtide.local.controlplane.cache import Entry
from lowtide.local.controlplane.download import download
from lowtide.local.controlplane.releases import DEFAULT_MINOR, release_of
from lowtide.local.controlplane.supply import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """What the cache holds afterwards."""

    kubernetes: str
    folder: Path
    programs: Mapping[str, Entry]


def local_build(
    *,
    report: Report,
    minor: str = DEFAULT_MINOR,
    from_release: bool = False,
    autoscaler: str = "",
    environ: Mapping[str, str] | None = None,
) -> Supplied:
    """Build (or, with ``from_release``, download) what the cache lacks of a minor.

    With ``autoscaler``, an image by digest, its program is put there and nothing else is done.

    Raises:
        LowtideError: it cannot be done here; what was done before is kept.
    """
    environ = os.environ if environ is None else environ
    release = release_of(minor)
    cache = cache_of(release, environ)
    if autoscaler:
        fetch(cache, autoscaler, report=report)
    elif from_release:
        download(cache, release, report=report)
    else:
        build(cache, environ=environ, report=report, minor=minor)
    return Supplied(kubernetes=release.kubernetes, folder=cache.folder, programs=cache.entries())
