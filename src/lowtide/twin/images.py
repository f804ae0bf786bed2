"""Images: how large they are, and which way they come.

Why it exists: pulling a multi-gigabyte training image is a large part of a job's wait, and every byte through NAT
is paid.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from lowtide.model.policy import Timings
from lowtide.model.quantity import MIB

_ECR = re.compile(r"^\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/")


#: Compressed sizes in MiB, rounded, of images that every run or example pulls. Estimates of the order of magnitude of
#: what the registries list, not measured here; ``timings.imageSizesMiB`` in lowtide.yaml wins. Anything else counts
#: ``image_mib``, the size of a small training image.
KNOWN_SIZES_MIB: Mapping[str, float] = {
    "nvidia/cuda:12.4.1-base-ubuntu22.04": 90,
    "k8s-device-plugin": 120,
    "aws-node-termination-handler": 30,
    "cluster-autoscaler": 50,
    "amazon-k8s-cni": 60,
    "amazon-k8s-cni-init": 60,
    "aws-network-policy-agent": 45,
    "eks-pod-identity-agent": 30,
    "kube-proxy": 40,
    "coredns": 25,
    "metrics-server": 25,
}


def size_bytes(image: str, timings: Timings) -> int | None:
    """Return the compressed size of an image in bytes, None where nobody says it.

    It is looked up by full name, without digest, without tag, and by last word; sizes of the policy win over those
    known here.
    """
    bare = image.partition("@")[0]
    head, colon, tail = bare.rpartition(":")
    untagged = head if colon and "/" not in tail else bare
    names = (image, bare, untagged, untagged.rpartition("/")[2])
    for sizes in (timings.image_sizes_mib, KNOWN_SIZES_MIB):
        for name in names:
            if name in sizes:
                return round(sizes[name] * MIB)
    return None


def pull_seconds(size: int, timings: Timings) -> float:
    """Return how long a node takes to pull and unpack ``size`` bytes."""
    return size / MIB / timings.image_pull_mib_per_s


def routes(
    image: str, zone: str, *, nat_zones: Collection[str], s3_gateway_endpoint: bool
) -> tuple[str, ...]:
    """Return what a private node's pull crosses, as ``Transfer`` names it; each is priced by itself.

    ECR keeps layers in S3, which the gateway endpoint reaches without NAT (Amazon ECR user guide, "Create the
    Amazon S3 gateway endpoint"); public registries, public.ecr.aws among them, are on the internet. A NAT gateway in
    another zone is reached across zones, and that is paid as well (VPC user guide, "Pricing for NAT gateways"). Without a
    gateway of ours nothing is known of the way, and nothing is priced.
    """
    if s3_gateway_endpoint and _ECR.match(image):
        return ("s3",)
    if not nat_zones:
        return ()
    return ("nat",) if zone in nat_zones else ("nat", "cross-zone")
