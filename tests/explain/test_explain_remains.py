"""What is left is priced by what AWS bills for it."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.explain.remains import priced
from lowtide.model.remains import Remain


def _usd(kind: str, **more: Any) -> float | None:
    remain = Remain(kind=kind, id="1", found_by="", command="", **more)
    prices = {("m5.large", False): 0.096, ("m5.large", True): 0.04}
    return priced([remain], lambda name, spot: prices.get((name, spot)))[0].usd_per_month


@pytest.mark.parametrize(
    ("kind", "more", "usd"),
    [
        ("load balancer", {"type": "network"}, 0.0225 * 730),
        ("classic load balancer", {}, 0.025 * 730),
        ("NAT gateway", {}, 0.045 * 730),
        ("elastic IP", {}, 0.005 * 730),
        ("EKS cluster", {"type": "1.36"}, 0.10 * 730),
        ("EKS cluster", {"type": "1.33"}, 0.60 * 730),
        ("instance", {"type": "m5.large"}, 0.096 * 730),
        ("instance", {"type": "m5.large", "spot": True}, 0.04 * 730),
        ("volume", {"type": "gp3", "gib": 100.0, "iops": 3000, "throughput_mib": 125}, 8.0),
        ("volume", {"type": "gp3", "gib": 100.0, "iops": 4000, "throughput_mib": 125}, 13.0),
        ("snapshot", {"gib": 100.0}, 5.0),
        ("log group", {"gib": 10.0}, 0.3),
        ("VPC endpoint", {"type": "Gateway"}, 0.0),
        ("security group", {}, 0.0),
        ("Auto Scaling group", {}, 0.0),
    ],
)
def test_a_month_of_each_kind(kind: str, more: dict[str, Any], usd: float) -> None:
    assert _usd(kind, **more) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("kind", "kind_of"),
    [("instance", "x9.huge"), ("volume", "standard"), ("VPC endpoint", "Interface")],
)
def test_what_has_no_known_price_counts_as_billable(kind: str, kind_of: str) -> None:
    remain = Remain(kind=kind, id="1", found_by="", command="", type=kind_of)
    found = priced([remain], lambda _name, _spot: None)[0]
    assert found.usd_per_month is None
    assert found.is_billable
