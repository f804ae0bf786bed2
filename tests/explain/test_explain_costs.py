"""Bills computed by hand. Prices are in records.py."""

from __future__ import annotations

import pytest

from lowtide.explain import billing
from lowtide.explain.costs import cost_of
from lowtide.model.quantity import GIB
from lowtide.model.run import Transfer
from tests.explain.records import (
    HOUR,
    MINUTE,
    SMALL,
    cluster,
    general_group,
    general_instance,
    group,
    instance,
    record,
)

GPU = group("gpu-a", SMALL)
CLUSTER = cluster(general_group(), GPU)


@pytest.mark.parametrize(
    ("launched_ms", "ended_ms", "seconds"),
    [
        (0, 30_000, 60),  # the minute that AWS bills at least
        (0, 60_000, 60),
        (0, 61_000, 61),
        (0, 61_001, 62),  # a second begun is paid
        (0, None, 3600),  # still running when the run ends after an hour
        (0, 2 * HOUR, 3600),  # what comes after the run is not the run's
        (HOUR - 1000, None, 60),
    ],
)
def test_an_instance_is_paid_by_the_second_and_for_a_minute_at_least(
    launched_ms: int, ended_ms: int | None, seconds: int
) -> None:
    assert billing.paid_seconds(instance("gpu-a", launched_ms, ended_ms), HOUR) == seconds


def test_ec2_stops_charging_when_an_instance_begins_to_shut_down() -> None:
    one = instance("gpu-a", 0, 31 * MINUTE, terminating_ms=30 * MINUTE)

    assert billing.paid_seconds(one, HOUR) == 30 * 60
    assert billing.ec2_usd(one, HOUR) == pytest.approx(0.2)
    assert billing.ec2_usd(instance("gpu-a", 0, None, terminating_ms=30 * MINUTE), HOUR) == (
        pytest.approx(0.2)
    )


def test_volume_and_address_of_a_node_are_paid_until_it_is_gone() -> None:
    public = group("gpu-a", SMALL, private_networking=False)
    run = record(instances=(instance("gpu-a", 0, 45 * MINUTE, terminating_ms=30 * MINUTE),))

    cost = cost_of(run, cluster(public, nat_gateways=0))

    assert cost.gpu_spot == pytest.approx(0.5 * 0.4)
    assert cost.storage == pytest.approx(0.75 * 0.01)
    assert cost.network == pytest.approx(0.75 * 0.005)


def test_the_bill_of_two_hours_adds_up_by_hand() -> None:
    run = record(
        2 * HOUR,
        instances=(
            general_instance(),  # 2 h x 0.20 = 0.40
            instance("gpu-a", 0, 30 * MINUTE),  # 0.5 h x 0.40 = 0.20 on spot
            instance("gpu-a", 0, 15 * MINUTE),  # 0.25 h x 0.40 = 0.10 on spot
            instance("gpu-a", 0, HOUR, capacity_type="on-demand", usd_per_hour=1.0),  # 1 h x 1.00
        ),
        transfers=(
            Transfer(at_ms=0, path="nat", bytes=10 * GIB),  # 10 x 0.05 = 0.50
            Transfer(at_ms=1, path="cross-zone", bytes=5 * GIB),  # 5 x 0.02 = 0.10
            Transfer(at_ms=2, path="s3", bytes=100 * GIB),  # the gateway endpoint is free
        ),
    )

    cost = cost_of(run, CLUSTER)

    assert cost.gpu_spot == pytest.approx(0.20 + 0.10)
    assert cost.gpu_on_demand == pytest.approx(1.00)
    assert cost.general == pytest.approx(0.40)
    assert cost.control_plane == pytest.approx(2 * 0.10)
    # Gateway 2 h x (0.045 + its address 0.005), the general node's address 2 h x 0.005, GPU nodes are private.
    assert cost.network == pytest.approx(2 * 0.05 + 2 * 0.005 + 0.50 + 0.10)
    # Node-hours with a volume: 2 + 0.5 + 0.25 + 1 = 3.75, at 7.20 a month = 0.01 an hour.
    assert cost.storage == pytest.approx(3.75 * 0.01)
    assert cost.total == pytest.approx(0.30 + 1.00 + 0.40 + 0.20 + 0.71 + 0.0375)


def test_an_idle_cluster_costs_its_control_plane_and_its_gateway() -> None:
    cost = cost_of(record(HOUR), CLUSTER)

    assert cost.total == pytest.approx(0.1 + 0.045 + 0.005)


def test_a_cluster_without_gateways_pays_no_gateway_and_no_address_of_one() -> None:
    cost = cost_of(record(HOUR), cluster(GPU, nat_gateways=0))

    assert cost.network == 0.0


def test_a_node_without_gpus_in_a_gpu_group_is_billed_as_gpu_cost() -> None:
    run = record(instances=(instance("gpu-a", 0, None, gpus=0, usd_per_hour=0.3),))

    cost = cost_of(run, CLUSTER)

    assert cost.gpu_spot == pytest.approx(0.3)
    assert cost.general == 0.0


@pytest.mark.parametrize(
    ("interrupted", "capacity_type", "ended_ms", "usd"),
    [
        (True, "spot", 59 * MINUTE, 0.0),  # EC2 took it back within the first hour
        (True, "spot", 90 * MINUTE, 0.6),  # after it: the seconds used
        (True, "spot", None, 0.8),  # noticed, not gone yet
        (False, "spot", 30 * MINUTE, 0.2),  # we ended it ourselves
        (True, "on-demand", 30 * MINUTE, 0.2),
    ],
)
def test_a_spot_instance_taken_back_within_its_first_hour_is_free(
    *, interrupted: bool, capacity_type: str, ended_ms: int | None, usd: float
) -> None:
    one = instance("gpu-a", 0, ended_ms, interrupted=interrupted, capacity_type=capacity_type)

    assert billing.ec2_usd(one, 2 * HOUR) == pytest.approx(usd)


def test_the_volume_of_a_node_taken_back_early_is_billed_all_the_same() -> None:
    run = record(instances=(instance("gpu-a", 0, 30 * MINUTE, interrupted=True),))

    cost = cost_of(run, CLUSTER)

    assert cost.gpu_spot == 0.0
    assert cost.storage == pytest.approx(0.005)


def test_an_instance_of_a_group_that_is_not_in_the_cluster_is_refused() -> None:
    with pytest.raises(KeyError, match="elsewhere"):
        cost_of(record(instances=(instance("elsewhere", 0, None),)), CLUSTER)
