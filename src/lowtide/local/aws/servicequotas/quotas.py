"""The quotas of the box's account: those of EC2's vCPUs, to which launches are held, and some that only are shown.

Why it exists: a quota of GPU instances is the first wall a new account meets. Whoever launches asks here, and Service
Quotas shows the same numbers. The values of EC2 are those of an account whose GPU quotas have been raised once; AWS's
defaults are 5 vCPUs of Standard and none of the others (EC2 user guide, "Amazon EC2 service quotas"). The others have
AWS's defaults (EKS, VPC and Auto Scaling user guides, "quotas"), and nothing here is held to them.
"""

from __future__ import annotations

from dataclasses import dataclass

from lowtide.catalog.quotas import STANDARD, VCPU_QUOTAS, vcpu_quota
from lowtide.local.aws import faults
from lowtide.local.aws.box import Box

EC2 = "ec2"
#: Service codes with the names that Service Quotas gives them.
SERVICES = {
    "autoscaling": "Amazon EC2 Auto Scaling",
    EC2: "Amazon Elastic Compute Cloud (Amazon EC2)",
    "eks": "Amazon Elastic Kubernetes Service (Amazon EKS)",
    "vpc": "Amazon Virtual Private Cloud (Amazon VPC)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A quota with its value here and AWS's default; ``usage_class`` is that of its usage metric, where it has one."""

    service: str
    code: str
    name: str
    value: float
    default: float
    usage_class: str = ""


#: vCPUs by class: on-demand, spot. Classes that are not here have as many as G.
_RAISED: dict[str, tuple[float, float]] = {
    STANDARD: (1920.0, 1920.0),
    "G": (768.0, 768.0),
    "P": (384.0, 768.0),
    "Inf": (128.0, 128.0),
    "Trn": (256.0, 256.0),
    "DL": (96.0, 96.0),
}


def _of_vcpus() -> dict[str, Quota]:
    found = {}
    for one in VCPU_QUOTAS:
        kind = "Spot" if one.spot else "OnDemand"
        found[one.code] = Quota(
            service=EC2,
            code=one.code,
            name=one.name,
            value=_RAISED.get(one.instance_class, _RAISED["G"])[one.spot],
            default=5.0 if one.instance_class == STANDARD else 0.0,
            usage_class=f"{one.instance_class}/{kind}",
        )
    return found


_SHOWN = (
    (EC2, "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0),
    ("autoscaling", "L-CDE20ADC", "Auto Scaling groups per region", 500.0),
    ("eks", "L-1194D53C", "Clusters", 100.0),
    ("vpc", "L-F678F1CE", "VPCs per Region", 5.0),
    ("vpc", "L-A4707A72", "Internet gateways per Region", 5.0),
    ("vpc", "L-FE5A380F", "NAT gateways per Availability Zone", 5.0),
)
#: By code.
QUOTAS = _of_vcpus() | {
    code: Quota(service=service, code=code, name=name, value=value, default=value)
    for service, code, name, value in _SHOWN
}


def quota_of(instance_type: str, *, spot: bool) -> Quota:
    """Return the quota that an instance type counts against."""
    return QUOTAS[vcpu_quota(instance_type, spot=spot).code]


def allowed(box: Box, quota: Quota) -> float:
    """Return what the quota allows; a fault of the box sets another value."""
    if faults.SERVICE.name not in box.states:
        return quota.value
    changed = faults.quota(box, quota.code)
    return quota.value if changed is None else changed
