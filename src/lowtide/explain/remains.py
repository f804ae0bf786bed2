"""What things that are left of a cluster cost a month.

Why it exists: a forgotten balancer or volume is worth knowing by its price. Prices are those of the bundled tables; what is paid by use
(traffic, requests) is not in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lowtide import catalog
from lowtide.model.errors import InputError
from lowtide.model.remains import SNAPSHOT, VOLUME, Priced, Remain

#: As AWS counts a month in its price pages.
HOURS_PER_MONTH = 730

#: USD per hour of an instance type, spot or on demand; None where no price is known.
InstancePrice = Callable[[str, bool], float | None]

_GIVEN_FREE = ("Gateway",)
_HOURLY: Mapping[str, str] = {
    "NAT gateway": "nat-gateway",
    "elastic IP": "public-ipv4",
    "load balancer": "load-balancer",
    "classic load balancer": "classic-load-balancer",
}


def priced(remains: Iterable[Remain], instance_price: InstancePrice) -> tuple[Priced, ...]:
    """Return each with what it costs a month."""
    return tuple(
        Priced(remain=one, usd_per_month=_usd_per_month(one, instance_price)) for one in remains
    )


def _usd_per_month(one: Remain, instance_price: InstancePrice) -> float | None:
    usd = catalog.service_prices()
    if one.kind in _HOURLY:
        return usd[_HOURLY[one.kind]] * HOURS_PER_MONTH
    if one.kind == "EKS cluster":
        return _plane_usd(one.type) * HOURS_PER_MONTH
    if one.kind == "instance":
        hourly = instance_price(one.type, one.spot)
        return None if hourly is None else hourly * HOURS_PER_MONTH
    if one.kind == VOLUME:
        return _volume_usd(one)
    if one.kind == SNAPSHOT:
        return one.gib * usd["ebs-snapshot"]
    if one.kind == "log group":
        return one.gib * usd["log-storage"]
    if one.kind == "VPC endpoint" and one.type not in _GIVEN_FREE:
        return None
    return 0.0


def _volume_usd(one: Remain) -> float | None:
    try:
        return catalog.volume_usd_per_month(
            one.type, round(one.gib), iops=one.iops, throughput_mib=one.throughput_mib
        )
    except KeyError:  # a type that the table has not
        return None


def _plane_usd(version: str) -> float:
    try:
        known = catalog.kubernetes_version(version)
    except InputError:
        return catalog.service_prices()["control-plane"]
    return catalog.control_plane_usd_per_hour(known, "EXTENDED")
