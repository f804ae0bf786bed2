"""Auto Scaling's decisions that the embedded AWS alone asks for: refusals of EC2, weights, depths, balance."""

from __future__ import annotations

from collections import Counter

import pytest

from lowtide.cloud import autoscaling
from lowtide.cloud.groups import (
    AutoScaling,
    Change,
    GroupConfig,
    InstanceGoneDue,
    InterruptionDue,
    LaunchDue,
    LaunchFailed,
    Offer,
    Rejected,
    RetryDue,
)
from lowtide.model.asg import Instance, Lifecycle

ZONES = ("a", "b")
T4 = Offer(instance_type="t4", on_demand_usd_per_hour=0.5, spot_usd_per_hour=0.2)
A10 = Offer(instance_type="a10", on_demand_usd_per_hour=1.0, spot_usd_per_hour=0.3)


def group(**fields: object) -> GroupConfig:
    values: dict[str, object] = {
        "name": "gpu",
        "min_size": 0,
        "max_size": 20,
        "desired": 0,
        "zones": ZONES,
        "offers": (T4, A10),
        "on_demand_percent": 0,
        "balances_zones": True,
        **fields,
    }
    return GroupConfig(**values)  # type: ignore[arg-type] # tests name single fields


def begin(**fields: object) -> AutoScaling:
    return autoscaling.create((group(**fields),), launched_ms=0)


def accepted(outcome: Change | Rejected) -> Change:
    assert not isinstance(outcome, Rejected), outcome
    return outcome


def pools(state: AutoScaling) -> list[tuple[str, str]]:
    return [(one.zone, one.instance_type) for one in state.groups["gpu"].launches]


def in_service(state: AutoScaling) -> AutoScaling:
    for one in state.groups["gpu"].launches:
        state, _ = autoscaling.complete_launch(state, "gpu", one.id, 10)
    return state


def live(state: AutoScaling) -> list[Instance]:
    found = state.groups["gpu"].instances
    return [one for one in found if one.lifecycle is not Lifecycle.TERMINATING]


def test_a_refused_launch_goes_to_the_next_zone_and_then_to_the_next_type() -> None:
    state, _ = accepted(autoscaling.set_desired(begin(), "gpu", 1, 0))
    seen = pools(state)
    for launch_id in (1, 2, 3):
        state, effects = autoscaling.refuse_launch(state, "gpu", launch_id, "Full", 0)
        assert isinstance(effects[0], LaunchDue)
        seen += pools(state)

    assert seen == [("a", "t4"), ("b", "t4"), ("a", "a10"), ("b", "a10")]


def test_when_every_pool_refuses_the_attempt_has_failed_with_the_last_code() -> None:
    state, _ = accepted(autoscaling.set_desired(begin(offers=(T4,)), "gpu", 1, 0))
    state, _ = autoscaling.refuse_launch(state, "gpu", 1, "Full", 0)
    state, effects = autoscaling.refuse_launch(state, "gpu", 2, "Quota", 0)

    assert effects == (
        LaunchFailed(group="gpu", count=1, code="Quota"),
        RetryDue(group="gpu", after_ms=60_000),
    )
    assert autoscaling.refuse_launch(state, "gpu", 2, "Quota", 0) == (state, ())


def test_a_retry_tries_every_pool_again() -> None:
    state, _ = accepted(autoscaling.set_desired(begin(offers=(T4,), zones=("a",)), "gpu", 1, 0))
    state, _ = autoscaling.refuse_launch(state, "gpu", 1, "Full", 0)

    state, effects = autoscaling.retry(state, "gpu", 60_000)

    assert effects == (LaunchDue(group="gpu", launch_id=2, after_ms=0),)


@pytest.mark.parametrize(("repeats", "told"), [(True, 1), (False, 0)])
def test_a_failure_is_told_again_where_each_retry_is_an_activity(repeats: bool, told: int) -> None:
    state = begin(max_spot_usd_per_hour=0.01, repeats_failures=repeats)
    state, _ = accepted(autoscaling.set_desired(state, "gpu", 1, 0))

    state, effects = autoscaling.retry(state, "gpu", 60_000)

    assert sum(isinstance(one, LaunchFailed) for one in effects) == told


@pytest.mark.parametrize(("decrement", "desired", "launches"), [(True, 1, 1), (False, 2, 2)])
def test_a_launch_given_up_is_begun_again_unless_the_size_falls_with_it(
    decrement: bool, desired: int, launches: int
) -> None:
    state, _ = accepted(autoscaling.set_desired(begin(), "gpu", 2, 0))

    state, _ = accepted(autoscaling.cancel_launch(state, "gpu", 1, 0, decrement=decrement))

    assert state.groups["gpu"].desired == desired
    assert len(state.groups["gpu"].launches) == launches
    assert 1 not in {one.id for one in state.groups["gpu"].launches}


def test_leaving_never_goes_below_the_minimum() -> None:
    state = begin(min_size=2, desired=2)
    one = live(state)[0].id

    assert isinstance(autoscaling.detach(state, "gpu", one, 0, decrement=True), Rejected)
    assert isinstance(autoscaling.terminate_instance(state, "gpu", one, 0), Rejected)
    state, _ = autoscaling.add_group(AutoScaling(), group(min_size=1, desired=1), 0)
    assert isinstance(autoscaling.cancel_launch(state, "gpu", 1, 0, decrement=True), Rejected)


def test_a_detached_instance_is_replaced_or_lowers_the_size() -> None:
    state = begin(desired=2)
    one = live(state)[0].id

    smaller, _ = accepted(autoscaling.detach(state, "gpu", one, 0, decrement=True))
    same, _ = accepted(autoscaling.detach(state, "gpu", one, 0, decrement=False))

    assert (smaller.groups["gpu"].desired, len(smaller.groups["gpu"].launches)) == (1, 0)
    assert (same.groups["gpu"].desired, len(same.groups["gpu"].launches)) == (2, 1)


def test_an_attached_instance_raises_the_size() -> None:
    new = Instance(id="i-9", zone="a", instance_type="t4", capacity_type="spot", launched_ms=0)

    state = autoscaling.attach(begin(desired=1), "gpu", new)

    assert state.groups["gpu"].desired == 2
    assert state.groups["gpu"].missing == 0


def test_another_configuration_moves_nothing_by_itself() -> None:
    state = autoscaling.configure(begin(desired=2), group(max_size=50))

    assert state.groups["gpu"].config.max_size == 50
    assert state.groups["gpu"].desired == 2


def test_spot_at_the_lowest_price_goes_round_its_pools() -> None:
    state = begin(spot_pools=2, allocation_strategy="lowest-price", desired=4, zones=("a",))
    assert Counter(one.instance_type for one in live(state)) == {"t4": 2, "a10": 2}


@pytest.mark.parametrize(
    ("strategy", "depths", "chosen"),
    [
        ("capacity-optimized", (2, 9), "a10"),
        ("capacity-optimized", (9, 9), "t4"),
        ("capacity-optimized-prioritized", (2, 9), "a10"),
        ("price-capacity-optimized", (5, 9), "t4"),
        ("price-capacity-optimized", (1, 9), "a10"),
        ("lowest-price", (1, 9), "t4"),
        ("capacity-optimized", (None, None), "t4"),
    ],
)
def test_the_strategy_weighs_price_against_depth(
    strategy: str, depths: tuple[int | None, int | None], chosen: str
) -> None:
    offers = (
        Offer(instance_type="t4", on_demand_usd_per_hour=0.5, spot_usd_per_hour=0.2, spot_depth=depths[0]),
        Offer(instance_type="a10", on_demand_usd_per_hour=1.0, spot_usd_per_hour=0.3, spot_depth=depths[1]),
    )  # fmt: skip
    state = begin(offers=offers, allocation_strategy=strategy, desired=1)
    assert [one.instance_type for one in live(state)] == [chosen]


def test_the_price_that_counts_is_that_of_a_unit() -> None:
    big = Offer(instance_type="big", on_demand_usd_per_hour=2.0, spot_usd_per_hour=0.4, weight=4)
    state = begin(offers=(T4, big), desired=4)

    assert [one.instance_type for one in live(state)] == ["big"]
    assert state.groups["gpu"].live == 4


def test_weights_may_overshoot_and_never_fall_short() -> None:
    big = Offer(instance_type="big", spot_usd_per_hour=0.0, weight=4)
    state, effects = accepted(autoscaling.set_desired(begin(offers=(big,)), "gpu", 6, 0))
    assert len([one for one in effects if isinstance(one, LaunchDue)]) == 2
    state = in_service(state)

    state, effects = accepted(autoscaling.set_desired(state, "gpu", 5, 0))
    assert effects == ()
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 4, 0))
    assert len(effects) == 1
    assert len(live(state)) == 1


def test_a_weighted_instance_lowers_the_size_by_its_units() -> None:
    big = Offer(instance_type="big", spot_usd_per_hour=0.0, weight=4)
    state = begin(offers=(big,), desired=8, min_size=3)
    first, second = live(state)

    state, _ = accepted(autoscaling.terminate_instance(state, "gpu", first.id, 0))

    assert state.groups["gpu"].desired == 4
    assert isinstance(autoscaling.terminate_instance(state, "gpu", second.id, 0), Rejected)


def test_an_instance_with_notice_is_replaced_first_and_then_ended() -> None:
    state = begin(desired=2, capacity_rebalance=True)
    warned = live(state)[0].id

    state, effects = autoscaling.give_notice(state, "gpu", warned, 0)
    assert isinstance(effects[0], InterruptionDue)
    assert isinstance(effects[1], LaunchDue)

    state, effects = autoscaling.complete_launch(state, "gpu", 3, 10)
    assert InstanceGoneDue(group="gpu", instance_id=warned, after_ms=0) in effects
    assert len(live(state)) == 2


def test_a_protected_instance_is_not_chosen() -> None:
    state = begin(desired=2)
    kept = live(state)[0].id
    state = autoscaling.protect(state, "gpu", kept, protected=True)

    state, _ = accepted(autoscaling.set_desired(state, "gpu", 0, 0))

    assert [one.id for one in live(state)] == [kept]


def unbalanced(**fields: object) -> AutoScaling:
    """Return a group with four instances in zone a and one in zone b."""
    state = begin(desired=8, **fields)
    for one in [one for one in live(state) if one.zone == "b"][:3]:
        state, _ = accepted(autoscaling.terminate_instance(state, "gpu", one.id, 0))
        state, _ = autoscaling.finish_termination(state, "gpu", one.id)
    assert Counter(one.zone for one in live(state)) == {"a": 4, "b": 1}
    return state


def test_a_zone_with_two_more_gives_one_to_the_emptiest() -> None:
    state, effects = autoscaling.rebalance(unbalanced(), "gpu", 0)
    assert [type(one) for one in effects] == [LaunchDue]
    assert pools(state) == [("b", "t4")]

    state = in_service(state)

    assert Counter(one.zone for one in live(state)) == {"a": 3, "b": 2}
    assert state.groups["gpu"].balancing == ""
    assert autoscaling.rebalance(state, "gpu", 0) == (state, ())


@pytest.mark.parametrize("process", ["AZRebalance", "Launch", "Terminate"])
def test_zones_are_left_alone_while_a_process_that_it_needs_is_suspended(process: str) -> None:
    state = unbalanced()
    config = state.groups["gpu"].config
    held = GroupConfig(
        name=config.name,
        min_size=0,
        max_size=20,
        desired=5,
        zones=ZONES,
        offers=config.offers,
        suspended_processes=frozenset({process}),
    )
    state = autoscaling.configure(state, held)

    assert autoscaling.rebalance(state, "gpu", 0) == (state, ())


def test_without_capacity_in_the_emptiest_zone_everything_stays() -> None:
    state, _ = autoscaling.rebalance(unbalanced(), "gpu", 0)
    launch_id = state.groups["gpu"].launches[0].id

    state, effects = autoscaling.refuse_launch(state, "gpu", launch_id, "Full", 0)

    assert effects == ()
    assert Counter(one.zone for one in live(state)) == {"a": 4, "b": 1}
    assert state.groups["gpu"].missing == 0
    assert autoscaling.rebalance(state, "gpu", 0)[1]


def test_a_size_that_falls_in_the_middle_of_balancing_ends_the_one_that_was_to_go() -> None:
    state, _ = autoscaling.rebalance(unbalanced(), "gpu", 0)
    going = state.groups["gpu"].balancing

    state, _ = accepted(autoscaling.set_desired(state, "gpu", 4, 0))

    assert state.groups["gpu"].launches == ()
    assert going not in {one.id for one in live(state)}
    assert len(live(state)) == 4


def test_a_group_that_shrinks_keeps_its_share_of_on_demand() -> None:
    state = begin(desired=9, on_demand_base=1, on_demand_percent=25, zones=("a",))
    assert Counter(one.capacity_type for one in live(state)) == {"on-demand": 3, "spot": 6}

    for size, on_demand in ((5, 2), (2, 2), (1, 1)):
        state, _ = accepted(autoscaling.set_desired(state, "gpu", size, 0))
        kinds = Counter(one.capacity_type for one in live(state))
        assert (kinds.total(), kinds["on-demand"]) == (size, on_demand)
