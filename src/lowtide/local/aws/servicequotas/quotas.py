"""The vCPU quotas of EC2, and how much each allows in the box.

Why it exists: a quota of GPU instances is the first wall a new account meets. Whoever launches asks here, and Service
Quotas shows the same numbers. The values are those of an account whose GPU quotas have been raised once: a new one has 0 for G, P
and Trn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lowtide.catalog.quotas import VCPU_QUOTAS, vcpu_quota
from lowtide.local.aws import faults
from lowtide.local.aws.box import Box

_VCPUS: Mapping[str, float] = {
    "L-1216C47A": 1920.0,
    "L-34B43A08": 1920.0,
    "L-DB2E81BA": 768.0,
    "L-3819A6DF": 768.0,
    "L-417A185B": 384.0,
    "L-7212CCBC": 768.0,
    "L-C4BD4855": 768.0,
    "L-1945791B": 128.0,
    "L-B5D1601B": 128.0,
    "L-2C3B7624": 256.0,
    "L-6B0D517C": 256.0,
    "L-6E869C2A": 96.0,
    "L-85EED4F7": 96.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A vCPU quota of a class of families, for spot or on-demand."""

    code: str
    name: str
    instance_class: str
    spot: bool
    vcpus: float


QUOTAS = tuple(
    Quota(
        code=one.code,
        name=one.name,
        instance_class=one.instance_class,
        spot=one.spot,
        vcpus=_VCPUS[one.code],
    )
    for one in VCPU_QUOTAS
)


def quota_of(instance_type: str, *, spot: bool) -> Quota:
    """Return the quota that an instance type counts against."""
    wanted = vcpu_quota(instance_type, spot=spot).code
    return next(one for one in QUOTAS if one.code == wanted)


def allowed_vcpus(box: Box, quota: Quota) -> float:
    """Return how many vCPUs the quota allows; a fault of the box sets another value."""
    if faults.SERVICE.name not in box.states:
        return quota.vcpus
    changed = faults.quota(box, quota.code)
    return quota.vcpus if changed is None else changed
