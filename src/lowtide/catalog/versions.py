"""Kubernetes minors that can be used, and the images that go with each.

A minor is usable when EKS offers it and a released autoscaler of the same minor exists, because the autoscaler
simulates the scheduler of its own minor. Sources: EKS release calendar (1.33, 1.34: user guide; 1.35:
endoflife.date/amazon-eks, 2026-02); autoscaler and termination handler tags as of 2026-07-22; eksctl HEAD of 2026-08-22 (device
plugin).
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.model.errors import InputError

#: The day of this table, the latest of its sources (ISO 8601, as all its days).
AS_OF = "2026-08-22"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesVersion:
    """A minor and its autoscaler; ``standard_support_until`` None means EKS had not published the day."""

    minor: str
    standard_support_until: str | None
    autoscaler_image: str

    @property
    def is_past_standard_support(self) -> bool:
        """Whether standard support had ended on the day of this table."""
        return self.standard_support_until is not None and self.standard_support_until < AS_OF


VERSIONS = (
    KubernetesVersion(
        minor="1.33",
        standard_support_until="2026-07-29",
        autoscaler_image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.6",
    ),
    KubernetesVersion(
        minor="1.34",
        standard_support_until="2026-12-02",
        autoscaler_image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.5",
    ),
    KubernetesVersion(
        minor="1.35",
        standard_support_until="2027-03-27",
        autoscaler_image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.2",
    ),
    KubernetesVersion(
        minor="1.36",
        standard_support_until=None,
        autoscaler_image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1",
    ),
)

#: Named by eksctl at HEAD, 2026-08-22.
DEVICE_PLUGIN_IMAGE = "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"
#: Tag v1.25.6 of 2026-04-02, the newest on 2026-07-22.
TERMINATION_HANDLER_IMAGE = "public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.6"


def default_version() -> KubernetesVersion:
    """Return the newest minor that EKS offers and a released autoscaler serves."""
    return max(VERSIONS, key=lambda one: parse_minor(one.minor))


def kubernetes_version(minor: str) -> KubernetesVersion:
    """Return the entry of a minor such as ``1.36``.

    Raises:
        InputError: not among the supported ones.
    """
    for one in VERSIONS:
        if one.minor == minor:
            return one
    raise InputError(
        f"Kubernetes {minor} is not supported",
        why="lowtide serves minors that EKS offers and a released autoscaler matches: "
        + ", ".join(one.minor for one in VERSIONS),
        fix=f'write version: "{default_version().minor}"',
    )


def parse_minor(minor: str) -> tuple[int, int]:
    """Return ``1.36`` as numbers that compare."""
    major, _, rest = minor.partition(".")
    return int(major), int(rest)
