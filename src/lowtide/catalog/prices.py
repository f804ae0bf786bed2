"""Prices of what is not an instance: volumes, NAT, data, addresses, the control plane.

All are us-east-1's; ``services.csv`` names source and date of each.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from lowtide.catalog.tables import rows
from lowtide.catalog.versions import KubernetesVersion

_GP3_FREE_IOPS = 3000
_GP3_FREE_THROUGHPUT_MIB = 125
_BILLED_IOPS = ("io1", "io2")


@functools.cache
def service_prices() -> Mapping[str, float]:
    """Return USD by key; the unit of each key stands in ``services.csv``."""
    return {row["name"]: float(row["usd"]) for row in rows("services.csv")}


def volume_usd_per_month(
    volume_type: str, gib: int, *, iops: int | None = None, throughput_mib: int | None = None
) -> float:
    """Return the price of a whole EBS volume, USD per month.

    Args:
        volume_type: gp2, gp3, io1, io2, st1 or sc1.
        gib: size.
        iops: provisioned IOPS; gp3 pays for those above 3000, io1 and io2 for all (io2's lower tier above 32,000 is
            not applied, so a very fast io2 volume is priced too high).
        throughput_mib: provisioned MiB/s; gp3 pays for those above 125.

    Raises:
        KeyError: no such volume type.
    """
    usd = service_prices()
    price = gib * usd[f"ebs-{volume_type}"]
    if volume_type == "gp3":
        price += max(0, (iops or 0) - _GP3_FREE_IOPS) * usd["ebs-gp3-iops"]
        price += (
            max(0, (throughput_mib or 0) - _GP3_FREE_THROUGHPUT_MIB) * usd["ebs-gp3-throughput"]
        )
    elif volume_type in _BILLED_IOPS:
        price += (iops or 0) * usd[f"ebs-{volume_type}-iops"]
    return round(price, 6)


def control_plane_usd_per_hour(version: KubernetesVersion, support_type: str) -> float:
    """Return what EKS bills for a cluster of that minor.

    Args:
        version: its minor; whether standard support is over is told by the day of the versions' table.
        support_type: ``EXTENDED`` pays for extended support. ``STANDARD`` never does: AWS upgrades such a cluster.
    """
    extended = support_type == "EXTENDED" and version.is_past_standard_support
    return service_prices()["control-plane-extended" if extended else "control-plane"]
