"""Takes the upstream autoscaler's program out of its published image, by digest, without Docker.

Why it exists: upstream publishes the Cluster Autoscaler as an image alone. An image is named by the SHA-256 of its manifest, which names
the SHA-256 of everything in it, so what a digest was trusted for is what arrives. No digest is bundled: the one of a
release stands in its image's list (registry.k8s.io, or ``crane digest``).

Source: OCI distribution specification 1.1 (pulling manifests and blobs), OCI image specification 1.1 (index, manifest, layers).
Registries that want a token, even an anonymous one, are not served; registry.k8s.io wants none.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.client
import json
import platform
import re
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowtide.local.controlplane.cache import Cache
from lowtide.local.controlplane.download import Response
from lowtide.local.controlplane.supply import Report, State, Step
from lowtide.model.errors import InputError, LowtideError

NAME = "cluster-autoscaler"
_REFERENCE = re.compile(
    r"([a-z0-9.-]+(?::\d+)?)/([a-z0-9._/-]+?)(?::[\w.-]+)?@(sha256:[0-9a-f]{64})"
)
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_TIMEOUT_S = 60.0
_CHUNK = 1 << 18
#: Manifests are some kilobytes; the specification has registries take at least 4 MiB.
_MANIFEST_LIMIT = 4 * 1024 * 1024

#: Opens a URL with these headers.
Open = Callable[[str, Mapping[str, str]], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image by digest."""

    host: str
    repository: str
    digest: str

    def url(self, what: str, digest: str) -> str:
        """Return the URL of a manifest or of a blob."""
        return f"https://{self.host}/v2/{self.repository}/{what}/{digest}"


def read_reference(text: str) -> Reference:
    """Read ``HOST/REPOSITORY[:TAG]@sha256:DIGEST``.

    Raises:
        InputError: it is none, or names no digest.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise InputError(
            "The autoscaler's image is not named by its digest",
            where=text,
            why="a tag may mean another program tomorrow",
            fix="write registry.k8s.io/autoscaling/cluster-autoscaler@sha256:DIGEST; "
            "crane digest registry.k8s.io/autoscaling/cluster-autoscaler:vVERSION prints it",
        )
    return Reference(host=found[1], repository=found[2], digest=found[3])


def fetch(cache: Cache, text: str, *, report: Report, open_url: Open | None = None) -> Path:
    """Put the program of an image into the cache, and return it.

    Raises:
        InputError: the image is not named by digest.
        LowtideError: the registry cannot be reached, what it sent is not what the digest says, or the image holds no such program.
    """
    reference = read_reference(text)
    opened = open_https if open_url is None else open_url
    started = time.monotonic()

    def tell(state: State, done: int = 0) -> None:
        elapsed_s = time.monotonic() - started
        report(Step(name=NAME, state=state, elapsed_s=elapsed_s, bytes_done=done))

    with cache.writing() as work:
        manifest = _manifest(reference, opened)
        program = work / NAME
        for layer in reversed(manifest["layers"]):
            told = functools.partial(tell, State.WORKING)
            blob = _blob(reference, layer["digest"], work / "layer", opened, told)
            if _extract(blob, program):
                origin = f"extracted from {text}"
                kept = cache.put(NAME, program, version=reference.digest, origin=origin)
                tell(State.DONE)
                return kept
    raise LowtideError(
        f"The image holds no {NAME}", where=text, why="none of its layers has a file of that name"
    )


def open_https(url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    """Open a URL; redirections are followed, as registries answer with them."""
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - always https
    response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    assert isinstance(response, http.client.HTTPResponse)
    return response


def _manifest(reference: Reference, opened: Open) -> Mapping[str, Any]:
    """Return the manifest for this machine; an index names one for each."""
    found = _document(reference, reference.digest, opened)
    if "manifests" not in found:
        return found
    wanted = {"os": "linux", "architecture": _ARCHITECTURES.get(platform.machine().lower(), "")}
    for one in found["manifests"]:
        if wanted.items() <= one.get("platform", {}).items():
            return _document(reference, one["digest"], opened)
    raise LowtideError(
        "The image is not published for this machine",
        where=f"{reference.repository}, {platform.machine()}",
        why="its index has no linux image of this architecture",
    )


def _document(reference: Reference, digest: str, opened: Open) -> Mapping[str, Any]:
    url = reference.url("manifests", digest)
    response = _open(url, opened, {"Accept": _MANIFESTS})
    try:
        content = response.read(_MANIFEST_LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error
    finally:
        response.close()
    _check(f"sha256:{hashlib.sha256(content).hexdigest()}", digest, url)
    read: Mapping[str, Any] = json.loads(content)
    return read


def _blob(
    reference: Reference, digest: str, file: Path, opened: Open, tell: Callable[[int], None]
) -> Path:
    url = reference.url("blobs", digest)
    response, found = _open(url, opened, {}), hashlib.sha256()
    try:
        with file.open("wb") as stream:
            while chunk := response.read(_CHUNK):
                found.update(chunk)
                stream.write(chunk)
                tell(stream.tell())
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error
    finally:
        response.close()
    _check(f"sha256:{found.hexdigest()}", digest, url)
    return file


def _extract(layer: Path, program: Path) -> bool:
    """Write the program out of a layer, and return whether it is there."""
    try:
        with tarfile.open(layer, "r:*") as tar:
            for member in tar:
                is_it = member.isfile() and Path(member.name).name == NAME
                source = tar.extractfile(member) if is_it else None
                if source is None:
                    continue
                with program.open("wb") as stream:
                    while chunk := source.read(_CHUNK):
                        stream.write(chunk)
                return True
    except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        raise LowtideError(
            "A layer of the image cannot be read", where=str(layer), why=str(error)
        ) from error
    return False


def _open(url: str, opened: Open, headers: Mapping[str, str]) -> Response:
    try:
        return opened(url, headers)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error


def _check(found: str, wanted: str, url: str) -> None:
    if found != wanted:
        raise LowtideError(
            "What the registry sent is not what the digest says",
            where=url,
            why=f"it is {found}; it was thrown away",
            fix="run it again; if it happens twice, something on the way changes it",
        )


def _unreachable(url: str, error: Exception) -> LowtideError:
    why = str(error) or type(error).__name__
    if isinstance(error, urllib.error.HTTPError) and error.code in {401, 403}:
        why += "; registries that want a token are not served"
    return LowtideError(
        "The autoscaler's image cannot be fetched",
        where=url,
        why=why,
        fix="fetch it another way and name the program: lowtide local up --autoscaler PATH; "
        "without one, lowtide's own engine runs",
    )
