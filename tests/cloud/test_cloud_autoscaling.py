"""Auto Scaling: desired capacity, launches, failures, termination and interruption."""

from __future__ import annotations

from lowtide.cloud import autoscaling, reconciling
from lowtide.cloud.groups import (
    AutoScaling,
    Change,
    Effect,
    GroupConfig,
    InstanceGone,
    InstanceGoneDue,
    InstanceStarted,
    InterruptionDue,
    LaunchCancelled,
    LaunchDue,
    LaunchFailed,
    NoCapacityWindow,
    Offer,
    Rejected,
    RetryDue,
)
from lowtide.model.asg import Lifecycle

T4 = Offer(instance_type="g4dn.xlarge", on_demand_usd_per_hour=0.526, spot_usd_per_hour=0.2)


def group(desired: int = 0, **fields: object) -> GroupConfig:
    values: dict[str, object] = {
        "name": "gpu",
        "min_size": 0,
        "max_size": 10,
        "desired": desired,
        "zones": ("us-east-1a",),
        "offers": (T4,),
        "on_demand_percent": 0,
        "spot_launch_ms": 20_000,
        "terminate_ms": 60_000,
        **fields,
    }
    return GroupConfig(**values)  # type: ignore[arg-type] # tests name single fields


def begin(config: GroupConfig) -> AutoScaling:
    return autoscaling.create((config,), launched_ms=0)


def accepted(outcome: Change | Rejected) -> tuple[AutoScaling, tuple[Effect, ...]]:
    assert not isinstance(outcome, Rejected), outcome
    return outcome


def launched(state: AutoScaling, effects: tuple[Effect, ...], now_ms: int) -> AutoScaling:
    for one in effects:
        if isinstance(one, LaunchDue):
            state, _ = autoscaling.complete_launch(state, one.group, one.launch_id, now_ms)
    return state


def live_ids(state: AutoScaling) -> list[str]:
    return [
        one.id
        for one in state.groups["gpu"].instances
        if one.lifecycle is not Lifecycle.TERMINATING
    ]


def test_a_group_begins_with_its_desired_instances_in_service() -> None:
    state = begin(group(desired=2))
    assert live_ids(state) == ["i-00000001", "i-00000002"]
    assert state.groups["gpu"].missing == 0


def test_desired_above_maximum_is_a_validation_error_and_changes_nothing() -> None:
    outcome = autoscaling.set_desired(begin(group()), "gpu", 11, 0)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "ValidationError"
    assert "above max value 10" in outcome.message


def test_desired_below_minimum_is_a_validation_error() -> None:
    outcome = autoscaling.set_desired(begin(group(desired=2, min_size=2)), "gpu", 1, 0)
    assert isinstance(outcome, Rejected)
    assert "below min value 2" in outcome.message


def test_missing_instances_are_launched_and_appear_in_service() -> None:
    state, effects = accepted(autoscaling.set_desired(begin(group()), "gpu", 2, 30_450))
    assert effects == (
        LaunchDue(group="gpu", launch_id=1, after_ms=20_000),
        LaunchDue(group="gpu", launch_id=2, after_ms=20_000),
    )
    state, (started,) = autoscaling.complete_launch(state, "gpu", 1, 50_000)
    assert isinstance(started, InstanceStarted)
    assert (started.instance.id, started.instance.launched_ms) == ("i-00000001", 50_000)
    assert started.instance.lifecycle is Lifecycle.IN_SERVICE
    assert not state.groups["gpu"].activities[0].failed


def test_when_desired_falls_launches_are_given_up_newest_first_before_any_instance() -> None:
    state = begin(group(desired=1))
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 4, 0))
    state, cancelled = accepted(autoscaling.set_desired(state, "gpu", 2, 1000))
    assert cancelled == (LaunchCancelled(group="gpu", count=2),)
    assert [one.id for one in state.groups["gpu"].launches] == [2]
    state = launched(state, effects, 20_000)
    assert live_ids(state) == ["i-00000001", "i-00000002"]


def test_the_oldest_live_instances_are_terminated_when_still_too_many() -> None:
    state, effects = accepted(autoscaling.set_desired(begin(group(desired=3)), "gpu", 1, 0))
    assert effects == (
        InstanceGoneDue(group="gpu", instance_id="i-00000001", after_ms=60_000),
        InstanceGoneDue(group="gpu", instance_id="i-00000002", after_ms=60_000),
    )
    assert live_ids(state) == ["i-00000003"]


def test_terminating_an_instance_lowers_desired_at_once_and_keeps_it_until_it_is_gone() -> None:
    state, effects = accepted(
        autoscaling.terminate_instance(begin(group(desired=2)), "gpu", "i-00000002", 0)
    )
    assert effects == (InstanceGoneDue(group="gpu", instance_id="i-00000002", after_ms=60_000),)
    assert state.groups["gpu"].desired == 1
    assert len(state.groups["gpu"].instances) == 2
    state, (gone,) = autoscaling.finish_termination(state, "gpu", "i-00000002")
    assert isinstance(gone, InstanceGone)
    assert len(state.groups["gpu"].instances) == 1


def test_terminating_without_decrement_launches_a_replacement() -> None:
    state, effects = accepted(
        autoscaling.terminate_instance(
            begin(group(desired=1)), "gpu", "i-00000001", 0, decrement=False
        )
    )
    assert [type(one) for one in effects] == [InstanceGoneDue, LaunchDue]
    assert state.groups["gpu"].desired == 1


def test_terminating_twice_changes_nothing_the_second_time() -> None:
    state, _ = accepted(
        autoscaling.terminate_instance(begin(group(desired=2)), "gpu", "i-00000001", 0)
    )
    assert autoscaling.terminate_instance(state, "gpu", "i-00000001", 1000) == (state, ())


def test_terminating_below_minimum_is_a_validation_error() -> None:
    outcome = autoscaling.terminate_instance(
        begin(group(desired=1, min_size=1)), "gpu", "i-00000001", 0
    )
    assert isinstance(outcome, Rejected)
    assert "violate group's min size" in outcome.message


def test_terminating_an_unknown_instance_is_a_validation_error() -> None:
    assert isinstance(
        autoscaling.terminate_instance(begin(group(desired=1)), "gpu", "i-9", 0), Rejected
    )


def test_without_capacity_one_failed_activity_stands_for_the_whole_missing_number() -> None:
    state = autoscaling.add_window(begin(group()), "gpu", NoCapacityWindow(from_ms=0, to_ms=90_000))
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 4, 30_450))
    assert effects == (
        LaunchFailed(group="gpu", count=4, code="InsufficientInstanceCapacity"),
        RetryDue(group="gpu", after_ms=60_000),
    )
    (activity,) = state.groups["gpu"].activities
    assert (activity.failed, activity.start_ms) == (True, 30_450)
    assert state.groups["gpu"].desired == 4


def test_a_failed_launch_is_tried_again_until_capacity_is_back() -> None:
    state = autoscaling.add_window(begin(group()), "gpu", NoCapacityWindow(from_ms=0, to_ms=90_000))
    state, _ = accepted(autoscaling.set_desired(state, "gpu", 2, 0))
    state, again = autoscaling.retry(state, "gpu", 60_000)
    assert [type(one) for one in again] == [RetryDue]
    state, effects = autoscaling.retry(state, "gpu", 120_000)
    assert [type(one) for one in effects] == [LaunchDue, LaunchDue]
    assert not state.groups["gpu"].retry_due


def test_a_retry_that_fails_as_before_changes_nothing_and_is_not_reported_again() -> None:
    state = begin(group(desired=1, min_size=1, max_spot_usd_per_hour=0.1))
    state, first = autoscaling.retry(state, "gpu", 0)
    assert [type(one) for one in first] == [LaunchFailed, RetryDue]
    for minute in range(1, 200):
        after, effects = autoscaling.retry(state, "gpu", minute * 60_000)
        assert effects == (RetryDue(group="gpu", after_ms=60_000),)
        assert after is state
    assert [one.start_ms for one in state.groups["gpu"].activities] == [0]


def test_a_retry_that_fails_in_another_way_is_reported() -> None:
    state = begin(group(max_spot_usd_per_hour=0.1))
    state, _ = accepted(autoscaling.set_desired(state, "gpu", 1, 0))
    state = autoscaling.add_window(state, "gpu", NoCapacityWindow(from_ms=0, to_ms=90_000))
    state, effects = autoscaling.retry(state, "gpu", 60_000)
    assert effects[0] == LaunchFailed(group="gpu", count=1, code="InsufficientInstanceCapacity")
    codes = [one.description for one in state.groups["gpu"].activities]
    assert codes == ["InsufficientInstanceCapacity", "SpotMaxPriceTooLow"]


def test_a_request_of_its_own_that_fails_leaves_an_activity_of_its_own() -> None:
    # The autoscaler asks for failed activities since its last request: the second one must have one, too.
    state = autoscaling.add_window(begin(group()), "gpu", NoCapacityWindow(from_ms=0, to_ms=90_000))
    state, _ = accepted(autoscaling.set_desired(state, "gpu", 2, 0))
    state, _ = accepted(autoscaling.set_desired(state, "gpu", 0, 10_000))
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 2, 20_000))
    assert [type(one) for one in effects] == [LaunchFailed]
    assert [one.start_ms for one in state.groups["gpu"].activities] == [20_000, 0]


def test_a_retry_with_nothing_missing_does_nothing() -> None:
    state = autoscaling.add_window(begin(group()), "gpu", NoCapacityWindow(from_ms=0, to_ms=90_000))
    state, _ = accepted(autoscaling.set_desired(state, "gpu", 2, 0))
    state, _ = accepted(autoscaling.set_desired(state, "gpu", 0, 10_000))
    _, effects = autoscaling.retry(state, "gpu", 60_000)
    assert effects == ()


def test_a_silent_window_fails_without_an_activity() -> None:
    window = NoCapacityWindow(from_ms=0, to_ms=90_000, silent=True)
    state = autoscaling.add_window(begin(group()), "gpu", window)
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 1, 0))
    assert [type(one) for one in effects] == [LaunchFailed, RetryDue]
    assert state.groups["gpu"].activities == ()


def test_a_launch_under_way_is_not_hurt_by_a_window_that_opens_later() -> None:
    state, effects = accepted(autoscaling.set_desired(begin(group()), "gpu", 1, 0))
    state = autoscaling.add_window(state, "gpu", NoCapacityWindow(from_ms=5000, to_ms=90_000))
    assert live_ids(launched(state, effects, 20_000)) == ["i-00000001"]


def test_a_spot_interruption_takes_the_instance_after_its_notice_and_is_replaced_at_once() -> None:
    state, effects = autoscaling.give_notice(begin(group(desired=1)), "gpu", "i-00000001")
    assert effects == (InterruptionDue(group="gpu", instance_id="i-00000001", after_ms=120_000),)
    state, effects = autoscaling.reclaim(state, "gpu", "i-00000001", 120_000)
    gone, launch = effects
    assert isinstance(gone, InstanceGone)
    assert gone.interrupted
    assert isinstance(launch, LaunchDue)
    assert state.groups["gpu"].desired == 1


def test_an_instance_that_left_before_its_interruption_changes_nothing() -> None:
    state, _ = accepted(
        autoscaling.terminate_instance(begin(group(desired=1)), "gpu", "i-00000001", 0)
    )
    state, _ = autoscaling.finish_termination(state, "gpu", "i-00000001")
    assert autoscaling.reclaim(state, "gpu", "i-00000001", 120_000) == (state, ())


def test_an_instance_that_shuts_down_is_not_taken_back_by_spot() -> None:
    state, _ = autoscaling.give_notice(begin(group(desired=1)), "gpu", "i-00000001")
    state, _ = accepted(autoscaling.terminate_instance(state, "gpu", "i-00000001", 90_000))
    assert autoscaling.reclaim(state, "gpu", "i-00000001", 120_000) == (state, ())
    _, (gone,) = autoscaling.finish_termination(state, "gpu", "i-00000001")
    assert isinstance(gone, InstanceGone)
    assert not gone.interrupted


def test_instances_of_a_group_in_several_zones_go_round_robin() -> None:
    zones = ("us-east-1a", "us-east-1b", "us-east-1c")
    state, effects = accepted(autoscaling.set_desired(begin(group(zones=zones)), "gpu", 4, 0))
    state = launched(state, effects, 20_000)
    assert [one.zone[-1] for one in state.groups["gpu"].instances] == ["a", "b", "c", "a"]


def test_a_zone_without_capacity_is_left_out_by_a_group_in_several_zones() -> None:
    state = begin(group(zones=("us-east-1a", "us-east-1b")))
    window = NoCapacityWindow(from_ms=0, to_ms=90_000, zone="us-east-1a")
    state = autoscaling.add_window(state, "gpu", window)
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 2, 0))
    state = launched(state, effects, 20_000)
    assert [one.zone for one in state.groups["gpu"].instances] == ["us-east-1b", "us-east-1b"]


def test_a_spot_price_above_the_groups_limit_fails_the_launch() -> None:
    state = begin(group(max_spot_usd_per_hour=0.1))
    _, effects = accepted(autoscaling.set_desired(state, "gpu", 1, 0))
    assert effects[0] == LaunchFailed(group="gpu", count=1, code="SpotMaxPriceTooLow")


def test_a_group_whose_launch_process_is_suspended_launches_nothing() -> None:
    state = begin(group(suspended_processes=frozenset({"Launch"})))
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 1, 0))
    assert effects == ()
    assert state.groups["gpu"].missing == 1


def test_the_view_shows_what_describe_calls_show() -> None:
    state, _ = accepted(autoscaling.set_desired(begin(group(desired=1)), "gpu", 3, 0))
    shown = autoscaling.view(state.groups["gpu"])
    assert (shown.name, shown.desired, shown.max_size) == ("gpu", 3, 10)
    assert [one.id for one in shown.instances] == ["i-00000001"]


def test_activities_are_newest_first_and_limited_to_a_page() -> None:
    state = begin(group(max_size=200))
    state, effects = accepted(autoscaling.set_desired(state, "gpu", 150, 0))
    state = launched(state, effects, 20_000)
    activities = state.groups["gpu"].activities
    assert len(activities) == reconciling.ACTIVITIES_KEPT
    assert activities[0].description == "i-00000150"
