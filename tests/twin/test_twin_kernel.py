"""The kernel's clock and the order of what happens at one instant."""

from __future__ import annotations

import pytest

from lowtide.twin.kernel import Kernel, Priority, floor_second, whole_ms


def run(kernel: Kernel) -> None:
    while kernel.step():
        pass


def test_at_one_instant_the_world_acts_before_the_scheduler_and_the_autoscaler() -> None:
    kernel, seen = Kernel(), list[str]()
    kernel.at(5000, lambda: seen.append("autoscaler"), priority=Priority.AUTOSCALER)
    kernel.at(5000, lambda: seen.append("scheduler"), priority=Priority.SCHEDULER)
    kernel.at(5000, lambda: seen.append("world"))
    run(kernel)
    assert seen == ["world", "scheduler", "autoscaler"]


def test_world_events_of_one_second_run_in_the_order_in_which_they_were_scheduled() -> None:
    kernel, seen = Kernel(), list[int]()
    for number in range(20):
        kernel.at(5000, lambda number=number: seen.append(number))  # type: ignore[misc] # default binds now
    run(kernel)
    assert seen == list(range(20))


@pytest.mark.parametrize(
    ("now_ms", "delay_ms", "due_ms"),
    [
        (30_450, 20_000, 50_000),
        (30_000, 20_000, 50_000),
        (30_450, 0, 31_000),
        (30_000, 0, 30_000),
        (30_450, 1000, 31_000),
        (30_000, 1500, 32_000),
        (-47_950, 1000, -47_000),
    ],
)
def test_delays_count_from_the_whole_second_and_never_end_in_the_past(
    now_ms: int, delay_ms: int, due_ms: int
) -> None:
    assert Kernel(now_ms).world_time(delay_ms) == due_ms


def test_what_an_event_causes_at_its_own_instant_runs_before_the_clock_moves() -> None:
    kernel, seen = Kernel(), list[tuple[str, int]]()

    def cause() -> None:
        kernel.after(0, lambda: seen.append(("effect", kernel.now_ms)))

    kernel.at(1000, cause)
    kernel.at(1500, lambda: seen.append(("later", kernel.now_ms)), priority=Priority.AUTOSCALER)
    run(kernel)
    assert seen == [("effect", 1000), ("later", 1500)]


def test_a_cancelled_event_does_not_run_and_no_longer_counts_as_work() -> None:
    kernel, seen = Kernel(), list[str]()
    handle = kernel.at(1000, lambda: seen.append("never"))
    kernel.cancel(handle)
    kernel.cancel(handle)
    run(kernel)
    assert (seen, kernel.work, kernel.next_ms) == ([], 0, None)


def test_cancelling_what_has_run_changes_nothing() -> None:
    kernel = Kernel()
    handle = kernel.at(1000, lambda: None)
    run(kernel)
    kernel.cancel(handle)
    assert kernel.work == 0


def test_periodic_events_are_no_work_that_is_left() -> None:
    kernel = Kernel()
    kernel.at(1000, lambda: None, periodic=True)
    kernel.at(2000, lambda: None)
    assert kernel.work == 1


def test_scheduling_in_the_past_is_an_error() -> None:
    with pytest.raises(ValueError, match="before now"):
        Kernel(5000).at(4999, lambda: None)


def test_durations_are_rounded_up_to_whole_seconds() -> None:
    assert (whole_ms(41.2), whole_ms(41.0), whole_ms(0.0)) == (42_000, 41_000, 0)


def test_the_whole_second_before_a_time_is_found_before_zero_too() -> None:
    assert (floor_second(30_450), floor_second(-47_950)) == (30_000, -48_000)
