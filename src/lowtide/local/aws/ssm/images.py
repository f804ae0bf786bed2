"""The images that AWS publishes for nodes, under the parameters by which they are found.

Why it exists: launch templates name an image by parameter, and ``aws ec2 describe-images`` must then know it. The box has
no images; it has their names. Ids are made from region and path, so that they are the same in every box.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lowtide import catalog
from lowtide.catalog.families import (
    AL2023,
    BOTTLEROCKET,
    BOTTLEROCKET_FIPS,
    UBUNTU,
)
from lowtide.model.catalog import Ami
from lowtide.model.errors import InputError

#: The publishers: EKS, Bottlerocket's account in us-east-1, Canonical.
_EKS, _BOTTLEROCKET, _CANONICAL = "602401143452", "092701018921", "099720109477"
_RELEASE = "20261112"
_BOTTLEROCKET_RELEASE = "1.52.0"
#: The driver's branch in the name of AL2023's NVIDIA images.
_DRIVER = "580"
_CODENAMES = {"22.04": "jammy", "24.04": "noble", "26.04": "resolute"}
_PLAIN = "standard"
_RECOMMENDED = "/recommended/image_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of one region. ``alias`` is the owner's, empty where it has none."""

    id: str
    name: str
    owner: str
    alias: str
    arch: str
    root_device: str


@functools.cache
def images(region: str) -> Mapping[str, Image]:
    """Return the images by the path of the parameter that holds their id."""
    return {ami.ssm_parameter: _image(region, version, ami) for version, ami in _amis(region)}


@functools.cache
def parameters(region: str) -> Mapping[str, str]:
    """Return the values of the public parameters by path: ids, and beside those of EKS what else it says of them."""
    found: dict[str, str] = {}
    for path, image in images(region).items():
        found[path] = image.id
        if path.endswith(_RECOMMENDED):
            parent = path.removesuffix("/image_id")
            release = f"{path.split('/')[5]}.0-{_RELEASE}"
            about = {
                "schema_version": "2",
                "image_id": image.id,
                "image_name": image.name,
                "release_version": release,
            }
            found[parent] = json.dumps(about)
            found[f"{parent}/image_name"] = image.name
            found[f"{parent}/release_version"] = release
        elif "/bottlerocket/" in path:
            found[path.removesuffix("image_id") + "image_version"] = _BOTTLEROCKET_RELEASE
    return found


def image_of(region: str, image_id: str) -> Image | None:
    """Return the image of an id, None where it is none of these."""
    return next((one for one in images(region).values() if one.id == image_id), None)


def _amis(region: str) -> Iterator[tuple[str, Ami]]:
    """Yield what the resolver answers for every minor and family and each kind of type."""
    kinds = {(catalog.image_kind(one), one.arch): one for one in catalog.instance_types()}
    # The catalog has no plain Arm type, and plain Arm images are published.
    kinds[_PLAIN, "arm64"] = dataclasses.replace(kinds[_PLAIN, "amd64"], arch="arm64")
    for version in catalog.VERSIONS:
        for family in (AL2023, BOTTLEROCKET, BOTTLEROCKET_FIPS, *UBUNTU):
            for one in kinds.values():
                try:
                    ami = catalog.resolve_ami(
                        "auto-ssm", family, version=version.minor, instance_types=[one], region=region
                    )  # fmt: skip
                except InputError:
                    continue
                yield version.minor, ami


def _image(region: str, version: str, ami: Ami) -> Image:
    digest = hashlib.sha256(f"{region} {ami.ssm_parameter}".encode()).hexdigest()
    name, owner, alias, device = _described(version, ami)
    return Image(
        id=f"ami-{digest[:17]}",
        name=name,
        owner=owner,
        alias=alias,
        arch="arm64" if ami.arch == "arm64" else "x86_64",
        root_device=device,
    )


def _described(version: str, ami: Ami) -> tuple[str, str, str, str]:
    machine = "arm64" if ami.arch == "arm64" else "x86_64"
    if ami.family == AL2023:
        kind = f"nvidia-{_DRIVER}" if ami.kind == "nvidia" else ami.kind
        name = f"amazon-eks-node-al2023-{machine}-{kind}-{version}-v{_RELEASE}"
        return name, _EKS, "amazon", "/dev/xvda"
    if ami.family in UBUNTU:
        release, volume = UBUNTU[ami.family]
        pro = "-pro" if "Pro" in ami.family else ""
        name = (
            f"ubuntu-eks{pro}/k8s_{version}/images/hvm-ssd-{volume.removeprefix('ebs-')}"
            f"/ubuntu-{_CODENAMES[release]}-{release}-{ami.arch}-server-{_RELEASE}"
        )
        return name, _CANONICAL, "", "/dev/sda1"
    variant = ami.ssm_parameter.split("/")[4]
    arch = "aarch64" if ami.arch == "arm64" else "x86_64"
    name = f"bottlerocket-{variant}-{arch}-v{_BOTTLEROCKET_RELEASE}-1a2b3c4d"
    return name, _BOTTLEROCKET, "amazon", "/dev/xvda"
