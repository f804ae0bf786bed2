"""What a launch buys: the mix of on-demand and spot, and the type."""

from __future__ import annotations

import pytest

from lowtide.cloud import autoscaling, purchase
from lowtide.cloud.groups import GroupConfig, LaunchDue, Offer, Rejected

CHEAP = Offer(instance_type="g4dn.xlarge", on_demand_usd_per_hour=0.526, spot_usd_per_hour=0.21)
DEAR = Offer(instance_type="g5.xlarge", on_demand_usd_per_hour=1.006, spot_usd_per_hour=0.4)
NO_SPOT = Offer(instance_type="p4d.24xlarge", on_demand_usd_per_hour=21.9)


def config(*, base: int = 0, percent: int = 0, **fields: object) -> GroupConfig:
    values: dict[str, object] = {
        "name": "mixed",
        "min_size": 0,
        "max_size": 20,
        "desired": 0,
        "zones": ("us-east-1a",),
        "offers": (DEAR, CHEAP),
        "on_demand_base": base,
        "on_demand_percent": percent,
        **fields,
    }
    return GroupConfig(**values)  # type: ignore[arg-type] # tests name single fields


def bought(group: GroupConfig, count: int) -> list[str]:
    state = autoscaling.create((group,), launched_ms=0)
    outcome = autoscaling.set_desired(state, group.name, count, 0)
    assert not isinstance(outcome, Rejected)
    state, effects = outcome
    for one in effects:
        if isinstance(one, LaunchDue):
            state, _ = autoscaling.complete_launch(state, group.name, one.launch_id, 0)
    return [one.capacity_type for one in state.groups[group.name].instances]


@pytest.mark.parametrize(
    ("base", "percent", "count", "on_demand"),
    [
        (0, 0, 5, 0),
        (0, 100, 5, 5),
        (2, 0, 5, 2),
        (2, 0, 1, 1),
        (0, 50, 4, 2),
        (0, 50, 5, 3),  # 2.5 is rounded up in favour of on-demand
        (1, 25, 5, 2),
        (2, 30, 12, 5),
    ],
)
def test_the_base_is_on_demand_and_the_percentage_above_it_is_rounded_up(
    base: int, percent: int, count: int, on_demand: int
) -> None:
    assert bought(config(base=base, percent=percent), count).count("on-demand") == on_demand


def test_the_base_comes_first() -> None:
    assert bought(config(base=2), 4) == ["on-demand", "on-demand", "spot", "spot"]


def test_spot_takes_the_cheapest_type() -> None:
    assert purchase.instance_type(config(), "spot") == "g4dn.xlarge"


def test_equal_spot_prices_are_decided_by_the_order_of_the_file() -> None:
    same = Offer(instance_type="g4dn.2xlarge", on_demand_usd_per_hour=0.752, spot_usd_per_hour=0.21)
    assert purchase.instance_type(config(offers=(same, CHEAP)), "spot") == "g4dn.2xlarge"


def test_the_prioritized_strategy_keeps_the_order_of_the_file() -> None:
    group = config(allocation_strategy="capacity-optimized-prioritized")
    assert purchase.instance_type(group, "spot") == "g5.xlarge"


def test_on_demand_takes_the_first_type_of_the_file() -> None:
    assert purchase.instance_type(config(), "on-demand") == "g5.xlarge"


def test_a_type_without_a_spot_price_is_not_bought_on_spot() -> None:
    assert purchase.instance_type(config(offers=(NO_SPOT,)), "spot") is None


def test_a_type_above_the_highest_spot_price_is_not_bought() -> None:
    assert purchase.instance_type(config(max_spot_usd_per_hour=0.2), "spot") is None


def test_without_a_highest_price_the_on_demand_price_is_the_limit_of_spot() -> None:
    dear = Offer(instance_type="p5.48xlarge", on_demand_usd_per_hour=55.0, spot_usd_per_hour=89.1)
    assert purchase.instance_type(config(offers=(dear,)), "spot") is None
    assert purchase.instance_type(config(offers=(dear, CHEAP)), "spot") == "g4dn.xlarge"
    willing = config(offers=(dear,), max_spot_usd_per_hour=100.0)
    assert purchase.instance_type(willing, "spot") == "p5.48xlarge"


def test_the_price_is_that_of_the_purchase() -> None:
    assert purchase.usd_per_hour(config(), "spot", "g5.xlarge") == pytest.approx(0.4)
    assert purchase.usd_per_hour(config(), "on-demand", "g5.xlarge") == pytest.approx(1.006)
