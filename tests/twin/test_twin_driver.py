"""Scenarios: when steps are carried out, what conditions mean, and how runs end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from lowtide.model.quantity import GIB
from lowtide.model.run import RunRecord
from lowtide.model.scenario import (
    Apply,
    Condition,
    Delete,
    Interrupt,
    NoCapacity,
    Scale,
    Scenario,
    Step,
    TraceJob,
)
from lowtide.model.workload import DaemonSet, Meta, Replicated
from lowtide.twin.autoscaler_loop import AutoscalerLoop
from lowtide.twin.driver import Driver
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.run import Clock, record_of
from lowtide.twin.world import World

MINUTE, HOUR = 60_000, 3_600_000
MakeDeployment = Callable[..., Replicated]
Play = Callable[[Scenario], RunRecord]
System = tuple[Replicated | DaemonSet, ...]


def when(text: str) -> Condition:
    metric, operator, value = text.split()
    return Condition(metric=metric, operator=operator, value=int(value))


def at(time_ms: int, action: object) -> Step:
    return Step(action=action, at_ms=time_ms)  # type: ignore[arg-type] # any action


def after(condition: str, action: object, hold_ms: int = 0) -> Step:
    return Step(action=action, after=when(condition), hold_ms=hold_ms)  # type: ignore[arg-type] # any action


def times(record: RunRecord, actor: str) -> list[float]:
    return [one.at_ms / 1000 for one in record.decisions if one.actor == actor]


@pytest.fixture
def play(
    make_world: Callable[..., World],
    profiles: tuple[GroupProfile, ...],
    system: System,
) -> Play:
    """A function that plays a scenario on the small cluster with autoscaler and plugin."""

    def run(scenario: Scenario) -> RunRecord:
        world = make_world(profiles, None, AutoscalerLoop)
        driver = Driver(world, scenario)
        world.start(system)
        driver.start()
        return record_of(world, "test", Clock(world, driver, scenario).run())

    return run


def test_zero_to_ten_to_zero_and_again(play: Play, make_deployment: MakeDeployment) -> None:
    cuda = make_deployment(10)
    record = play(
        Scenario(
            steps=(
                at(0, Apply(objects=(cuda,))),
                after("podsRunning == 10", Scale(target=cuda.meta, replicas=0), 30 * MINUTE),
                after("gpuNodes == 0", Scale(target=cuda.meta, replicas=10), HOUR),
                after("podsRunning == 10", Scale(target=cuda.meta, replicas=0), 30 * MINUTE),
            ),
            until=when("gpuNodes == 0"),
        )
    )
    sizes = [sum(row.nodes_by_group[f"gpu-{zone}"] for zone in "abc") for row in record.states]
    changes = [size for size, before in zip(sizes, [-1, *sizes], strict=False) if size != before]
    assert record.ended == "until"
    assert changes == [0, 10, 0, 10, 0]
    assert [one.outcome for one in record.pods] == ["stopped"] * 20
    first = {one.group: 0 for one in record.instances}
    for one in record.instances[1:11]:
        first[one.group] += 1
    assert sorted(first.values()) == [0, 3, 3, 4]


def test_a_condition_is_looked_at_only_after_the_step_before_it(
    play: Play, make_deployment: MakeDeployment
) -> None:
    cuda = make_deployment(1)
    record = play(
        Scenario(
            steps=(
                at(HOUR, Apply(objects=(cuda,))),
                after("podsPending == 0", Scale(target=cuda.meta, replicas=0)),
            ),
            until=when("gpuNodes == 0"),
        )
    )
    applied, scaled = times(record, "user")
    assert applied == 3600
    assert scaled == (record.pods[0].running_ms or 0) / 1000


def test_zero_gpu_nodes_right_after_a_step_is_not_yet_the_steps_effect(
    play: Play, make_deployment: MakeDeployment
) -> None:
    cuda = make_deployment(2)
    record = play(
        Scenario(
            steps=(
                at(0, Apply(objects=(cuda,))),
                after("gpuNodes == 0", Scale(target=cuda.meta, replicas=2)),
            ),
            max_duration_ms=HOUR,
        )
    )
    assert times(record, "user") == [0]
    assert record.ended == "maxDuration"


def test_a_condition_must_hold_without_a_break(play: Play, make_deployment: MakeDeployment) -> None:
    cuda, other = make_deployment(1), make_deployment(1, name="other", gpus=0)
    record = play(
        Scenario(
            steps=(
                at(0, Apply(objects=(other,))),
                after("podsRunning == 1", Apply(objects=(cuda,))),
                after("podsRunning == 1", Delete(targets=(cuda.meta,)), 30 * MINUTE),
            ),
            max_duration_ms=2 * HOUR,
        )
    )
    assert len(times(record, "user")) == 2


def test_a_quiet_run_lasts_until_its_last_change_and_not_until_that_was_sure(
    play: Play, make_deployment: MakeDeployment
) -> None:
    cuda = make_deployment(1)
    steps = (at(0, Apply(objects=(cuda,))), at(10 * MINUTE, Scale(target=cuda.meta, replicas=0)))
    record = play(Scenario(steps=steps))
    (gpu,) = (one for one in record.instances if one.gpus)
    assert record.ended == "quiet"
    assert record.duration_ms == record.states[-1].at_ms == gpu.ended_ms
    assert max(one.at_ms for one in record.decisions) <= record.duration_ms


def test_a_run_that_reaches_its_longest_duration_before_it_is_quiet_lasts_that_long(
    play: Play, make_deployment: MakeDeployment
) -> None:
    steps = (at(0, Apply(objects=(make_deployment(1, gpus=0),))),)
    record = play(Scenario(steps=steps, max_duration_ms=30 * MINUTE))
    assert (record.ended, record.duration_ms) == ("maxDuration", 30 * MINUTE)


def test_the_autoscalers_answer_to_a_pod_belongs_to_a_quiet_run(
    play: Play, make_deployment: MakeDeployment
) -> None:
    hopeless = make_deployment(1, node_selector={"no": "where"})
    record = play(Scenario(steps=(at(0, Apply(objects=(hopeless,))),)))
    # The autoscaler gives new GPU pods 30 s; nothing has changed since the first instant.
    assert record.states[-1].at_ms == 0
    assert 30_000 <= record.duration_ms <= MINUTE


def test_a_group_that_can_never_launch_does_not_keep_a_run_from_ending(
    make_world: Callable[..., World],
    profiles: tuple[GroupProfile, ...],
    make_gpu_profile: Callable[..., GroupProfile],
    system: System,
) -> None:
    dear = make_gpu_profile("a", minimum=1, desired=1)
    config = dataclasses.replace(dear.config, max_spot_usd_per_hour=0.1)
    groups = (profiles[0], dataclasses.replace(dear, config=config))
    job = TraceJob(name="j", submit_ms=0, run_ms=MINUTE, gpus=1, cpu_milli=500, memory_bytes=GIB)
    scenario = Scenario(trace=(job,), max_duration_ms=None)
    world = make_world(groups, None, AutoscalerLoop)
    driver = Driver(world, scenario)
    world.start(system)
    driver.start()
    record = record_of(world, "test", Clock(world, driver, scenario).run())
    assert record.ended == "quiet"
    assert world.kernel.now_ms < 6 * HOUR
    failures = [one for one in record.decisions if one.actor == "EC2"]
    assert [(one.at_ms, one.why) for one in failures] == [(0, "SpotMaxPriceTooLow")]
    assert len(world.capacity.state.groups["gpu-a"].activities) == 1
    assert [one.pods for one in record.refused] == [("default/j-001",)]


def test_pods_that_nothing_helps_do_not_keep_a_run_from_ending(
    play: Play, make_deployment: MakeDeployment
) -> None:
    scenario = Scenario(
        steps=(at(0, Apply(objects=(make_deployment(3, node_selector={"no": "where"}),))),)
    )
    record = play(scenario)
    (refused,) = record.refused
    assert record.ended == "quiet"
    assert len(refused.pods) == 3
    assert set(refused.reasons) == {
        "node/general-001",
        "group/general",
        "group/gpu-a",
        "group/gpu-b",
        "group/gpu-c",
    }
    assert "didn't match Pod's node affinity/selector" in refused.cause


def test_a_run_ends_at_its_longest_duration(play: Play, make_deployment: MakeDeployment) -> None:
    record = play(
        Scenario(steps=(at(0, Apply(objects=(make_deployment(1),))),), max_duration_ms=20 * MINUTE)
    )
    assert (record.ended, record.duration_ms) == ("maxDuration", 20 * MINUTE)


def test_a_run_ends_at_a_given_time(play: Play, make_deployment: MakeDeployment) -> None:
    record = play(
        Scenario(steps=(at(0, Apply(objects=(make_deployment(1),))),), until_ms=10 * MINUTE)
    )
    assert (record.ended, record.duration_ms) == ("until", 10 * MINUTE)


def test_interrupted_instances_are_the_oldest_and_their_pods_run_again(
    play: Play, make_deployment: MakeDeployment
) -> None:
    record = play(
        Scenario(
            steps=(
                at(0, Apply(objects=(make_deployment(6),))),
                after("podsRunning == 6", Interrupt(group="gpu-a", count=2), MINUTE),
            )
        )
    )
    taken = [one.node for one in record.instances if one.interrupted]
    assert record.interruptions == 2
    assert taken == ["gpu-a-001", "gpu-a-002"]
    assert [one.outcome for one in record.pods].count("lost") == 2
    assert [one.outcome for one in record.pods].count("running") == 6


def test_on_demand_instances_are_not_interrupted(
    play: Play, make_deployment: MakeDeployment
) -> None:
    record = play(Scenario(steps=(at(0, Interrupt(group="general")),), max_duration_ms=HOUR))
    assert record.interruptions == 0
    assert any(one.why == "0 of 1 spot instances exist" for one in record.decisions)


def test_a_zone_without_capacity_sends_the_work_to_the_others(
    play: Play, make_deployment: MakeDeployment
) -> None:
    record = play(
        Scenario(
            steps=(
                at(0, NoCapacity(zone="us-east-1a", duration_ms=2 * HOUR)),
                at(0, Apply(objects=(make_deployment(6),))),
            ),
            until=when("podsRunning == 6"),
        )
    )
    assert record.ended == "until"
    assert {one.zone for one in record.instances if one.gpus} == {"us-east-1b", "us-east-1c"}


def test_trace_jobs_are_submitted_at_their_second_and_run_for_their_time(play: Play) -> None:
    trace = tuple(
        TraceJob(
            name=f"job-{number}",
            submit_ms=number * MINUTE + 500,
            run_ms=5 * MINUTE,
            gpus=1,
            cpu_milli=500,
            memory_bytes=GIB,
            gang=2,
        )
        for number in range(4)
    )
    record = play(Scenario(trace=trace, max_duration_ms=None))
    assert record.ended == "quiet"
    assert [one.outcome for one in record.pods] == ["finished"] * 8
    assert [one.created_ms for one in record.pods][::2] == [1000, 61_000, 121_000, 181_000]
    assert {(one.ended_ms or 0) - (one.running_ms or 0) for one in record.pods} == {5 * MINUTE}


def test_a_scale_of_nothing_is_told_and_the_run_goes_on(play: Play) -> None:
    missing = Meta(kind="Deployment", name="nobody")
    record = play(Scenario(steps=(at(0, Scale(target=missing, replicas=3)),)))
    assert [one.why for one in record.decisions if one.actor == "API server"] == ["not found"]


@pytest.mark.parametrize("system", [()], ids=["no autoscaler"])
def test_without_an_autoscaler_pods_wait_and_the_reason_says_so(
    play: Play, make_deployment: MakeDeployment
) -> None:
    record = play(Scenario(steps=(at(0, Apply(objects=(make_deployment(2),))),)))
    assert [one.cause for one in record.refused] == ["no autoscaler is running"]
    assert record.refused[0].reasons == {"node/general-001": ("Insufficient nvidia.com/gpu",)}


@pytest.mark.parametrize(
    ("steps", "until", "said"),
    [
        pytest.param(
            [after("gpuNodes == 3", NoCapacity()), at(HOUR, NoCapacity())],
            None,
            (
                "Steps 2 to 3 of the scenario did not happen: gpuNodes == 3 never held for as long as step 2 asks.",
            ),
            id="a condition that never holds",
        ),
        pytest.param(
            [at(3 * HOUR, NoCapacity())],
            None,
            ("Step 2 of the scenario did not happen: the time of step 2 was not reached.",),
            id="a time after the end",
        ),
        pytest.param(
            [],
            "podsRunning == 9",
            ("The scenario's until, podsRunning == 9, did not come to hold.",),
            id="an end that never comes",
        ),
        pytest.param([], "podsRunning == 1", (), id="all came"),
    ],
)
def test_what_was_asked_for_and_never_came_is_said(
    play: Play,
    make_deployment: MakeDeployment,
    steps: list[Step],
    until: str | None,
    said: tuple[str, ...],
) -> None:
    first = at(0, Apply(objects=(make_deployment(1),)))
    record = play(
        Scenario(
            steps=(first, *steps),
            until=when(until) if until else None,
            max_duration_ms=2 * HOUR,
        )
    )
    assert record.notices == said
