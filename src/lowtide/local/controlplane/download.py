"""Fetches upstream's own programs from its release hosts, each checked against its published checksum.

Why it exists: where Go is missing, or another minor than the built one is wanted. The versions are pinned in
``releases``. The checksums are not bundled: they are fetched over TLS from where each project publishes them, so they
prove that a file arrived whole and is what the project's host says, not that the host is honest.

- Kubernetes: ``FILE.sha256`` beside each file on dl.k8s.io;
- etcd: ``SHA256SUMS`` of the GitHub release;
- kwok: GitHub's own digest of the release's asset (the project publishes none).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import platform
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from lowtide.local.controlplane.cache import Cache
from lowtide.local.controlplane.releases import DEFAULT_MINOR, NAMES, Release
from lowtide.local.controlplane.supply import Report, State, Step
from lowtide.model.errors import LowtideError

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_TIMEOUT_S = 60.0
_CHUNK = 1 << 18
#: Checksum files and GitHub's description of a release are far smaller.
_TEXT_LIMIT = 4_000_000


class Response(Protocol):
    """What opening a URL gives."""

    def read(self, amount: int, /) -> bytes:
        """Return at most that many bytes; none at the end."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...

    @property
    def length(self) -> int | None:
        """How many bytes are to come, where the server says so."""
        ...


Open = Callable[[str], Response]


def download(
    cache: Cache, release: Release, *, report: Report, open_url: Open | None = None
) -> None:
    """Fetch what the cache lacks; what is there and whole is kept.

    Raises:
        LowtideError: nothing is published for this machine, a host cannot be reached, or a checksum differs.
    """
    architecture = _architecture(release)
    opened = open_https if open_url is None else open_url
    with cache.writing() as work:
        for name in NAMES:
            if cache.find(name, full=True) is not None:
                report(Step(name=name, state=State.KEPT))
                continue
            started = time.monotonic()
            url, checksum = _published(name, release, architecture, opened)
            file = _fetch(name, url, work=work, opened=opened, report=report)
            _check(file, checksum, url)
            if name == "etcd":
                file = _unpacked(file, work)
            cache.put(name, file, version=release.version(name), origin=f"downloaded from {url}")
            elapsed_s = time.monotonic() - started
            report(Step(name=name, state=State.DONE, elapsed_s=elapsed_s))


def open_https(url: str) -> http.client.HTTPResponse:
    """Open a URL over TLS, and follow redirections to TLS alone."""
    opener = urllib.request.build_opener(_OnlyHttps)
    response = opener.open(url, timeout=_TIMEOUT_S)
    assert isinstance(response, http.client.HTTPResponse)
    return response


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"refused to leave TLS for {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _architecture(release: Release) -> str:
    found = _ARCHITECTURES.get(platform.machine().lower())
    if sys.platform != "linux" or found is None:
        raise LowtideError(
            "Nothing is published for this machine",
            where=f"{sys.platform} {platform.machine()}",
            why="Kubernetes publishes its control plane for Linux on amd64 and arm64",
            fix=f"lowtide local build (Go; Kubernetes {DEFAULT_MINOR}), or a folder with Kubernetes {release.minor}",
        )
    return found


def _published(name: str, release: Release, architecture: str, opened: Open) -> tuple[str, str]:
    """Return where a program is published, and its SHA-256."""
    version = f"v{release.version(name)}"
    if name == "etcd":
        base = f"https://github.com/etcd-io/etcd/releases/download/{version}"
        asset = f"etcd-{version}-linux-{architecture}.tar.gz"
        rows = [line.split() for line in _text(f"{base}/SHA256SUMS", opened).splitlines()]
        sums = {row[1]: row[0] for row in rows if len(row) == 2}
        return f"{base}/{asset}", sums.get(asset, "")
    if name == "kwok":
        about = f"https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags/{version}"
        asset = f"kwok-linux-{architecture}"
        assets = json.loads(_text(about, opened))["assets"]
        digests = {one["name"]: one.get("digest") or "" for one in assets}
        base = f"https://github.com/kubernetes-sigs/kwok/releases/download/{version}"
        return f"{base}/{asset}", digests.get(asset, "").removeprefix("sha256:")
    url = f"https://dl.k8s.io/release/{version}/bin/linux/{architecture}/{name}"
    return url, _text(f"{url}.sha256", opened).strip()


def _open(url: str, opened: Open) -> Response:
    try:
        return opened(url)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error


def _text(url: str, opened: Open) -> str:
    response = _open(url, opened)
    try:
        return response.read(_TEXT_LIMIT).decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error
    finally:
        response.close()


def _fetch(name: str, url: str, *, work: Path, opened: Open, report: Report) -> Path:
    file, started, told = work / f"{name}.download", time.monotonic(), 0.0
    response = _open(url, opened)
    total, done = response.length or 0, 0
    try:
        with file.open("wb") as stream:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                elapsed_s = time.monotonic() - started
                if elapsed_s - told >= 1:
                    told = elapsed_s
                    report(
                        Step(
                            name=name,
                            state=State.WORKING,
                            elapsed_s=elapsed_s,
                            bytes_done=done,
                            bytes_total=total,
                        )
                    )
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error
    finally:
        response.close()
    return file


def _check(file: Path, expected: str, url: str) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise LowtideError(
            "A download is not what was published",
            where=url,
            why=f"its SHA-256 is {found}, published is {expected or 'none'}; it was thrown away",
            fix="run it again; if it happens twice, something on the way changes it",
        )


def _unpacked(archive: Path, work: Path) -> Path:
    """Return etcd out of its release's archive."""
    file = work / "etcd"
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            source = tar.extractfile(member) if member.name.endswith("/etcd") else None
            if source is not None:
                with file.open("wb") as stream:
                    while chunk := source.read(_CHUNK):
                        stream.write(chunk)
                return file
    raise LowtideError(
        "etcd's archive holds no etcd", where=str(archive), why="its contents changed upstream"
    )


def _unreachable(url: str, error: Exception) -> LowtideError:
    return LowtideError(
        "A program cannot be downloaded",
        where=url,
        why=str(error) or type(error).__name__,
        fix="check the connection and run it again (what is whole is kept); "
        f"lowtide local build gets Kubernetes {DEFAULT_MINOR} by Go instead",
    )
