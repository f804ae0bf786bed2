"""Which image a resolver chooses for a node group, before any call to AWS.

Sources: eksctl's resolvers (v0.230.0), EKS user guide (retrieve-ami-id, retrieve-ami-id-bottlerocket). Two of eksctl's
gaps are closed: ``auto`` gives g5g the arm64 NVIDIA image and knows Bottlerocket's names.
"""

from __future__ import annotations

from collections.abc import Sequence

from lowtide.catalog.families import (
    AL2,
    AL2023,
    BOTTLEROCKET,
    BOTTLEROCKET_FIPS,
    NEURON,
    NVIDIA,
    UBUNTU,
    UBUNTU_MINIMUM,
)
from lowtide.catalog.versions import parse_minor
from lowtide.model.catalog import Ami, InstanceType
from lowtide.model.errors import InputError

AUTO = "auto"
AUTO_SSM = "auto-ssm"

_EKS = "602401143452"
#: Regions on by default, where EKS images belong to one account. Elsewhere, and for Bottlerocket (an account per region),
#: the alias stands for every account that Amazon itself publishes from.
_EKS_REGIONS = frozenset(
    [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ca-central-1",
        "sa-east-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-central-1",
        "eu-north-1",
        "ap-south-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-southeast-1",
        "ap-southeast-2",
    ]
)
_AMAZON = "amazon"

#: Kubernetes' name of an architecture to that of AL2023 and Bottlerocket parameters, and of image names.
_PARAMETER_ARCH = {"amd64": "x86_64", "arm64": "arm64"}
_BOTTLEROCKET_NAME_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}


def resolve_ami(
    resolver: str,
    family: str,
    *,
    version: str,
    instance_types: Sequence[InstanceType],
    region: str,
) -> Ami:
    """Return the image for a node group.

    Args:
        resolver: ``auto`` (search by name), ``auto-ssm`` (parameter), an image id, or empty for ``auto-ssm``.
        family: an AMI family as eksctl spells it.
        version: the Kubernetes minor.
        instance_types: what the group may launch; the first accelerated type decides, else the first.
        region: where the image is looked up.

    Raises:
        InputError: no image of the family fits the types, or the types need different images.
    """
    one = next((one for one in instance_types if image_kind(one) != "standard"), instance_types[0])
    kind = image_kind(one)
    _refuse_mixtures(instance_types, one)
    _refuse_family(family, one, version)
    if resolver.startswith("ami-"):
        return Ami(resolver=resolver, family=family, kind=kind, arch=one.arch, image_id=resolver)
    if resolver == AUTO:
        pattern, owner = _search(family, kind, one.arch, version=version, region=region)
        return Ami(
            resolver=AUTO,
            family=family,
            kind=kind,
            arch=one.arch,
            name_pattern=pattern,
            owner=owner,
        )
    if resolver not in {"", AUTO_SSM}:
        raise InputError(
            f"{resolver!r} is no AMI",
            why="ami is auto, auto-ssm or an image id that starts with ami-",
            fix="leave ami out: auto-ssm is the default",
        )
    parameter = _parameter(family, kind, one.arch, version=version)
    return Ami(resolver=AUTO_SSM, family=family, kind=kind, arch=one.arch, ssm_parameter=parameter)


def image_kind(one: InstanceType) -> str:
    """Return ``nvidia``, ``neuron`` or ``standard``: a slice of an NVIDIA GPU needs the driver too."""
    if one.gpu is None:
        return "standard"
    return {NVIDIA: "nvidia", NEURON: "neuron"}.get(one.gpu.manufacturer, "standard")


def _refuse_mixtures(instance_types: Sequence[InstanceType], chosen: InstanceType) -> None:
    for one in instance_types:
        if one.arch != chosen.arch:
            raise InputError(
                f"{chosen.name} ({chosen.arch}) and {one.name} ({one.arch}) cannot share a node group",
                why="a group has one image, and an image has one architecture",
                fix="put them into two node groups",
            )
        if "standard" != image_kind(one) != image_kind(chosen):
            raise InputError(
                f"{chosen.name} and {one.name} cannot share a node group",
                why=f"one needs the {image_kind(chosen)} image, the other the {image_kind(one)} image",
                fix="put them into two node groups",
            )


def _refuse_family(family: str, one: InstanceType, version: str) -> None:
    if family == AL2:
        raise InputError(
            f"AmazonLinux2 has no image for Kubernetes {version}",
            why="EKS publishes none from 1.33 on",
            fix=f"write amiFamily: {AL2023}",
        )
    if family not in {AL2023, BOTTLEROCKET, BOTTLEROCKET_FIPS, *UBUNTU}:
        raise InputError(
            f"amiFamily {family} is not supported",
            why="lowtide runs Linux nodes of AL2023, Bottlerocket and Ubuntu 22.04 or later",
            fix=f"write amiFamily: {AL2023}",
        )
    if family in one.ami_families:
        _refuse_old_ubuntu(family, version)
        return
    usable = " or ".join(one.ami_families)
    raise InputError(
        f"{family} has no image for {one.name}",
        why=one.retired_why or f"its {image_kind(one)} driver is in {usable} images only",
        fix=f"write amiFamily: {one.ami_families[0]}" if usable else "choose another instance type",
    )


def _refuse_old_ubuntu(family: str, version: str) -> None:
    release = UBUNTU[family][0] if family in UBUNTU else ""
    if release and parse_minor(version) < UBUNTU_MINIMUM[release]:
        oldest = ".".join(map(str, UBUNTU_MINIMUM[release]))
        raise InputError(
            f"{family} has no image for Kubernetes {version}",
            why=f"Canonical publishes Ubuntu {release} for EKS {oldest} and later",
            fix=f"write amiFamily: {AL2023}",
        )


def _parameter(family: str, kind: str, arch: str, *, version: str) -> str:
    if family == AL2023:
        machine = _PARAMETER_ARCH[arch]
        return (
            f"/aws/service/eks/optimized-ami/{version}/amazon-linux-2023"
            f"/{machine}/{kind}/recommended/image_id"
        )
    if family in UBUNTU:
        release, volume = UBUNTU[family]
        product = "eks-pro" if "Pro" in family else "eks"
        return (
            f"/aws/service/canonical/ubuntu/{product}/{release}/{version}"
            f"/stable/current/{arch}/hvm/{volume}/ami-id"
        )
    variant = _bottlerocket_variant(family, kind, version)
    return f"/aws/service/bottlerocket/{variant}/{_PARAMETER_ARCH[arch]}/latest/image_id"


def _search(family: str, kind: str, arch: str, *, version: str, region: str) -> tuple[str, str]:
    """Return name pattern and owner for DescribeImages; the newest image is taken."""
    if family == AL2023:
        owner = _EKS if region in _EKS_REGIONS else _AMAZON
        # NVIDIA images carry the driver's branch between kind and version.
        middle = "nvidia-*" if kind == "nvidia" else kind
        return f"amazon-eks-node-al2023-{_PARAMETER_ARCH[arch]}-{middle}-{version}-v*", owner
    if family in UBUNTU:
        raise InputError(
            f"ami: auto cannot find {family}",
            why="Canonical publishes its EKS images by parameter",
            fix="write ami: auto-ssm, or leave ami out",
        )
    variant = _bottlerocket_variant(family, kind, version)
    return f"bottlerocket-{variant}-{_BOTTLEROCKET_NAME_ARCH[arch]}-v*", _AMAZON


def _bottlerocket_variant(family: str, kind: str, version: str) -> str:
    # Neuron runs on the plain variant: its driver is in the kernel kit.
    nvidia = "-nvidia" if kind == "nvidia" else ""
    fips = "-fips" if family == BOTTLEROCKET_FIPS else ""
    return f"aws-k8s-{version}{nvidia}{fips}"
