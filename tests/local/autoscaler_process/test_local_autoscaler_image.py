"""The upstream program out of its published image: only what the digest says, for this machine, and told what is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lowtide.local.autoscaler.image import fetch, read_reference
from lowtide.local.autoscaler.program import find_program
from lowtide.local.controlplane.binaries import cache_of
from lowtide.local.controlplane.cache import Cache
from lowtide.local.controlplane.releases import DEFAULT_MINOR, release_of
from lowtide.local.controlplane.supply import State, Step
from lowtide.model.errors import InputError, LowtideError

PROGRAM = b"\x7fELF the upstream autoscaler"
HOST = "registry.example"
REPOSITORY = "autoscaling/cluster-autoscaler"


class Answer(io.BytesIO):
    """An HTTP answer."""

    length = None


class Registry:
    """Content by digest, as a registry serves it; counts what was asked."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.asked: list[str] = []

    def put(self, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.content[digest] = content
        return digest

    def open(self, url: str, headers: Mapping[str, str]) -> Answer:
        del headers
        self.asked.append(url)
        assert url.startswith(f"https://{HOST}/v2/{REPOSITORY}/")
        digest = url.rpartition("/")[2]
        if digest not in self.content:
            raise urllib.error.HTTPError(url, 404, "Not Found", None, None)  # type: ignore[arg-type] # no headers
        return Answer(self.content[digest])


def layer(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("_", "-"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def image(registry: Registry, *layers: bytes, machine: str = "") -> str:
    """Put an image for a machine into a registry and return its reference."""
    manifest = {"layers": [{"digest": registry.put(one)} for one in layers]}
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    index = {
        "manifests": [
            {
                "digest": registry.put(json.dumps(manifest).encode()),
                "platform": {"os": "linux", "architecture": machine or here},
            }
        ]
    }
    return f"{HOST}/{REPOSITORY}:v1.36.1@{registry.put(json.dumps(index).encode())}"


def cache(tmp_path: Path) -> tuple[Cache, dict[str, str]]:
    environ = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/nowhere"}
    return cache_of(release_of(DEFAULT_MINOR), environ), environ


def refused(tmp_path: Path, registry: Registry, reference: str) -> LowtideError:
    with pytest.raises(LowtideError) as error:
        fetch(cache(tmp_path)[0], reference, report=lambda _: None, open_url=registry.open)
    return error.value


def test_the_program_is_taken_out_of_its_layer_and_runs_in_clusters_of_the_minor(
    tmp_path: Path,
) -> None:
    registry = Registry()
    reference = image(registry, layer(etc=b"x"), layer(cluster_autoscaler=PROGRAM), layer(usr=b"y"))
    kept, environ = cache(tmp_path)
    steps: list[Step] = []
    program = fetch(kept, reference, report=steps.append, open_url=registry.open)
    assert [steps[0].state, steps[-1].state] == [State.WORKING, State.DONE]
    assert program.read_bytes() == PROGRAM
    assert program.stat().st_mode & 0o100
    found = find_program(None, environ)
    assert (found.which, found.path) == ("upstream", program)
    assert kept.entries()["cluster-autoscaler"].origin == f"extracted from {reference}"


def test_layers_before_the_one_with_the_program_are_not_fetched(tmp_path: Path) -> None:
    registry = Registry()
    big = layer(big=b"x" * 100_000)
    reference = image(registry, big, layer(cluster_autoscaler=PROGRAM))
    fetch(cache(tmp_path)[0], reference, report=lambda _: None, open_url=registry.open)
    assert not any(hashlib.sha256(big).hexdigest() in one for one in registry.asked)


@pytest.mark.parametrize("which", ["index", "manifest", "layer"])
def test_what_is_not_what_its_digest_says_is_thrown_away(tmp_path: Path, which: str) -> None:
    registry = Registry()
    content = layer(cluster_autoscaler=PROGRAM)
    reference = image(registry, content)
    digests: dict[str, Any] = dict(
        zip(("layer", "manifest", "index"), registry.content, strict=True)
    )
    registry.content[digests[which]] += b" "
    error = refused(tmp_path, registry, reference)
    assert error.what == "What the registry sent is not what the digest says"
    assert find_program(None, cache(tmp_path)[1]).which == "engine"


def test_an_image_without_the_program_is_said_to_have_none(tmp_path: Path) -> None:
    registry = Registry()
    error = refused(tmp_path, registry, image(registry, layer(other=b"x")))
    assert error.what == "The image holds no cluster-autoscaler"


def test_an_image_for_other_machines_is_said_to_be_none_for_this(tmp_path: Path) -> None:
    registry = Registry()
    reference = image(registry, layer(cluster_autoscaler=PROGRAM), machine="s390x")
    assert (
        refused(tmp_path, registry, reference).what == "The image is not published for this machine"
    )


def test_a_registry_that_has_no_such_image_is_told_with_another_way(tmp_path: Path) -> None:
    reference = f"{HOST}/{REPOSITORY}@sha256:{'0' * 64}"
    error = refused(tmp_path, Registry(), reference)
    assert "404" in error.why
    assert "--autoscaler PATH" in error.fix


def test_a_layer_that_is_no_archive_is_told_and_is_no_traceback(tmp_path: Path) -> None:
    registry = Registry()
    error = refused(tmp_path, registry, image(registry, b"no archive"))
    assert error.what == "A layer of the image cannot be read"


@pytest.mark.parametrize(
    "text",
    [
        "registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1",
        "cluster-autoscaler@sha256:" + "0" * 64,
        "registry.k8s.io/autoscaling/cluster-autoscaler@sha256:abc",
        "https://registry.k8s.io/x@sha256:" + "0" * 64,
        "",
    ],
)
def test_an_image_that_is_not_named_by_digest_is_refused(text: str) -> None:
    with pytest.raises(InputError) as error:
        read_reference(text)
    assert "crane digest" in error.value.fix
