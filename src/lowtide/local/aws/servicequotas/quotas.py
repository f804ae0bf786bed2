"""The vCPU quotas of EC2: which one a launch counts against, and how much it allows.

Why it exists: a quota of GPU instances is the first wall a new account meets. Whoever launches asks here, and Service
Quotas shows the same numbers. Sources: EC2 user guide, "Amazon EC2 service quotas" (names and codes); the values are
those of an account whose GPU quotas have been raised once: a new one has 0 for G, P and Trn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lowtide.local.aws import faults
from lowtide.local.aws.box import Box

STANDARD = "Standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A vCPU quota of a class of families, for spot or on-demand."""

    code: str
    name: str
    instance_class: str
    spot: bool
    vcpus: float


def _pair(
    instance_class: str, label: str, on_demand: tuple[str, float], spot: tuple[str, float]
) -> tuple[Quota, Quota]:
    return (
        Quota(
            code=on_demand[0],
            name=f"Running On-Demand {label} instances",
            instance_class=instance_class,
            spot=False,
            vcpus=on_demand[1],
        ),
        Quota(
            code=spot[0],
            name=f"All {label} Spot Instance Requests",
            instance_class=instance_class,
            spot=True,
            vcpus=spot[1],
        ),
    )


_STANDARD_LABEL = "Standard (A, C, D, H, I, M, R, T, Z)"
QUOTAS = (
    *_pair(STANDARD, _STANDARD_LABEL, ("L-1216C47A", 1920.0), ("L-34B43A08", 1920.0)),
    *_pair("G", "G and VT", ("L-DB2E81BA", 768.0), ("L-3819A6DF", 768.0)),
    *_pair("P", "P", ("L-417A185B", 384.0), ("L-7212CCBC", 768.0)),
    *_pair("Inf", "Inf", ("L-1945791B", 128.0), ("L-B5D1601B", 128.0)),
    *_pair("Trn", "Trn", ("L-2C3B7624", 256.0), ("L-5480EFD2", 256.0)),
    *_pair("DL", "DL", ("L-6E869C2A", 96.0), ("L-85EED4F7", 96.0)),
)
_CLASSES: Mapping[str, str] = {
    "g": "G", "gr": "G", "vt": "G", "p": "P", "inf": "Inf", "trn": "Trn", "dl": "DL",
}  # fmt: skip


def quota_of(instance_type: str, *, spot: bool) -> Quota:
    """Return the quota that an instance type counts against."""
    family = re.match("[a-z]+", instance_type)
    wanted = _CLASSES.get(family.group() if family else "", STANDARD)
    return next(one for one in QUOTAS if one.instance_class == wanted and one.spot == spot)


def allowed_vcpus(box: Box, quota: Quota) -> float:
    """Return how many vCPUs the quota allows; a fault of the box sets another value."""
    if faults.SERVICE.name not in box.states:
        return quota.vcpus
    changed = faults.quota(box, quota.code)
    return quota.vcpus if changed is None else changed
