"""The vCPU quotas of EC2: which one an instance type counts against.

Why it exists: spot and on-demand have quotas of their own, by class of families, and those of GPUs are 0 in a new account. Codes and
names: EC2 user guide, "Amazon EC2 service quotas"; `aws service-quotas list-service-quotas --service-code ec2`. Which quota P6 on spot counts
against is not documented; it is taken for that of P5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STANDARD = "Standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class VcpuQuota:
    """A quota of running vCPUs, of a class of instance families."""

    code: str
    name: str
    instance_class: str
    spot: bool


def _pair(instance_class: str, label: str, on_demand: str, spot: str) -> tuple[VcpuQuota, ...]:
    return (
        VcpuQuota(
            code=on_demand,
            name=f"Running On-Demand {label} instances",
            instance_class=instance_class,
            spot=False,
        ),
        VcpuQuota(
            code=spot,
            name=f"All {label} Spot Instance Requests",
            instance_class=instance_class,
            spot=True,
        ),
    )


_P5 = "P5"
VCPU_QUOTAS = (
    *_pair(STANDARD, "Standard (A, C, D, H, I, M, R, T, Z)", "L-1216C47A", "L-34B43A08"),
    *_pair("G", "G and VT", "L-DB2E81BA", "L-3819A6DF"),
    VcpuQuota(
        code="L-417A185B", name="Running On-Demand P instances", instance_class="P", spot=False
    ),
    VcpuQuota(
        code="L-7212CCBC",
        name="All P4, P3 and P2 Spot Instance Requests",
        instance_class="P",
        spot=True,
    ),
    VcpuQuota(
        code="L-C4BD4855", name="All P5 Spot Instance Requests", instance_class=_P5, spot=True
    ),
    *_pair("Inf", "Inf", "L-1945791B", "L-B5D1601B"),
    *_pair("Trn", "Trn", "L-2C3B7624", "L-6B0D517C"),
    *_pair("DL", "DL", "L-6E869C2A", "L-85EED4F7"),
)
_CLASSES = {
    "g": "G", "gr": "G", "vt": "G", "p": "P", "inf": "Inf", "trn": "Trn", "dl": "DL",
}  # fmt: skip
_FAMILY = re.compile(r"([a-z]+)(\d*)")


def vcpu_quota(instance_type: str, *, spot: bool) -> VcpuQuota:
    """Return the quota that an instance type counts against."""
    family = _FAMILY.match(instance_type)
    letters, number = family.groups() if family else ("", "")
    wanted = _CLASSES.get(letters, STANDARD)
    if wanted == "P" and spot and number and int(number) >= 5:
        wanted = _P5
    return next(one for one in VCPU_QUOTAS if one.instance_class == wanted and one.spot == spot)
