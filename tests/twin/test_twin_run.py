"""Whole runs: the same seed gives the same record, and nothing is ever lost or overbooked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.explain.usage import gpu_hours
from lowtide.model.kube import Phase, Taint
from lowtide.model.names import TAG_TAINT_PREFIX
from lowtide.model.quantity import PODS
from lowtide.model.run import RunRecord
from lowtide.model.scenario import Apply, Delete, Interrupt, NoCapacity, Scale, Scenario, Step
from lowtide.model.workload import DaemonSet, Replicated
from lowtide.twin.autoscaler_loop import AutoscalerLoop
from lowtide.twin.driver import Driver
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.rules import WorldRules
from lowtide.twin.run import Clock, record_of
from lowtide.twin.world import World

MINUTE, HOUR = 60_000, 3_600_000
MakeDeployment = Callable[..., Replicated]
MakeWorld = Callable[..., World]
System = tuple[Replicated | DaemonSet, ...]

#: The fixtures used with hypothesis are functions and frozen values: nothing is carried from one example to the next.
SHARED = [HealthCheck.function_scoped_fixture]


def run(world: World, scenario: Scenario, system: System) -> RunRecord:
    driver = Driver(world, scenario)
    world.start(system)
    driver.start()
    return record_of(world, "test", Clock(world, driver, scenario).run())


def busy(cuda: Replicated) -> Scenario:
    return Scenario(
        steps=(
            Step(action=Apply(objects=(cuda,)), at_ms=0),
            Step(action=NoCapacity(zone="us-east-1b", duration_ms=HOUR), at_ms=MINUTE),
            Step(action=Scale(target=cuda.meta, replicas=12), at_ms=10 * MINUTE),
            Step(action=Interrupt(group="gpu-a", count=2), at_ms=20 * MINUTE),
            Step(action=Scale(target=cuda.meta, replicas=1), at_ms=40 * MINUTE),
        ),
        max_duration_ms=2 * HOUR,
    )


def test_the_same_seed_gives_the_identical_log_and_record(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    system: System,
) -> None:
    first, second = (
        run(
            make_world(profiles, WorldRules(seed=7), AutoscalerLoop),
            busy(make_deployment(4)),
            system,
        )
        for _ in range(2)
    )
    assert "\n".join(first.log).encode() == "\n".join(second.log).encode()
    assert first == second
    assert len(first.log) > 100


def test_another_seed_may_choose_other_groups_but_as_many_nodes(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    system: System,
) -> None:
    scenario = Scenario(
        steps=(Step(action=Apply(objects=(make_deployment(4),)), at_ms=0),),
        max_duration_ms=HOUR,
    )
    records = [
        run(
            make_world(profiles, WorldRules(seed=seed), AutoscalerLoop),
            scenario,
            system,
        )
        for seed in range(4)
    ]
    assert {len(one.instances) for one in records} == {5}
    assert {one.pods[0].running_ms is not None for one in records} == {True}


def test_an_unchanged_world_gives_the_identical_views(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    run_to: Callable[[World, int], None],
) -> None:
    world = make_world(profiles)
    world.start((make_deployment(2, gpus=0),))
    run_to(world, 100)
    first = world.snapshot()
    run_to(world, 200)
    second = world.snapshot()
    assert first.nodes is second.nodes
    assert first.pods is second.pods
    assert first.groups is second.groups
    assert first.daemon_sets is second.daemon_sets
    assert first.controllers is second.controllers


def test_the_autoscaler_loops_only_while_its_pod_runs(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    autoscaler: Replicated,
    plugin: DaemonSet,
) -> None:
    cuda = make_deployment(1)
    scenario = Scenario(
        steps=(
            Step(action=Delete(targets=(autoscaler.meta,)), at_ms=10 * MINUTE),
            Step(action=Apply(objects=(cuda,)), at_ms=11 * MINUTE),
            Step(action=Apply(objects=(autoscaler,)), at_ms=30 * MINUTE),
        ),
        max_duration_ms=HOUR,
    )
    record = run(make_world(profiles, None, AutoscalerLoop), scenario, (autoscaler, plugin))
    told = [
        (one.action, one.at_ms // MINUTE)
        for one in record.decisions
        if one.actor == "cluster-autoscaler" and one.action in {"starts", "stops"}
    ]
    assert told == [("starts", 0), ("stops", 10), ("starts", 30)]
    assert (record.pods[0].running_ms or 0) > 30 * MINUTE


def test_a_misspelt_flag_crashes_the_autoscaler_and_is_named(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    autoscaler: Replicated,
    plugin: DaemonSet,
) -> None:
    (container,) = autoscaler.template.containers
    wrong = dataclasses.replace(container, args=("--expandr=least-waste",))
    broken = dataclasses.replace(
        autoscaler, template=dataclasses.replace(autoscaler.template, containers=(wrong,))
    )
    scenario = Scenario(steps=(Step(action=Apply(objects=(make_deployment(1),)), at_ms=0),))
    record = run(make_world(profiles, None, AutoscalerLoop), scenario, (broken, plugin))
    assert [one.cause for one in record.refused] == [
        "no autoscaler is running: unknown flag: --expandr"
    ]
    assert any("CrashLoopBackOff" in one.action for one in record.decisions)


def test_flags_that_are_not_simulated_are_in_the_runs_notices(
    make_world: MakeWorld, profiles: tuple[GroupProfile, ...], autoscaler: Replicated
) -> None:
    (container,) = autoscaler.template.containers
    flags = ("--startup-taint=team/starting", "--cores-total=0:4", "--v=4")
    more = dataclasses.replace(container, command=(*container.command, *flags))
    changed = dataclasses.replace(
        autoscaler, template=dataclasses.replace(autoscaler.template, containers=(more,))
    )
    plain = run(make_world(profiles, None, AutoscalerLoop), Scenario(), (autoscaler,))
    record = run(make_world(profiles, None, AutoscalerLoop), Scenario(), (changed,))
    assert plain.notices == ()
    assert record.notices == (
        "The autoscaler's flag --startup-taint=team/starting is not simulated: the run ignores it.",
        "The autoscaler's flag --cores-total=0:4 is not simulated: the run ignores it.",
    )


@pytest.mark.parametrize(
    ("urgent", "is_said"),
    [
        ({"priority": 10}, True),
        ({}, False),  # of equal priority
        ({"priority": 10, "preemption_policy": "Never"}, False),
        ({"priority": 10, "node_selector": {"no": "where"}}, False),  # fits nowhere even alone
    ],
)
def test_a_pod_that_kube_scheduler_would_make_room_for_is_in_the_notices(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    urgent: dict[str, object],
    is_said: bool,
) -> None:
    # The one general node has room for three pods of 500m beside nothing else.
    steps = (
        Step(action=Apply(objects=(make_deployment(3, gpus=0),)), at_ms=0),
        Step(
            action=Apply(objects=(make_deployment(2, gpus=0, name="urgent", **urgent),)),
            at_ms=MINUTE,
        ),
    )
    scenario = Scenario(steps=steps, max_duration_ms=2 * MINUTE)
    record = run(make_world((profiles[0],)), scenario, ())
    assert any(one.outcome == "pending" for one in record.pods)
    expected = (
        "Preemption is not simulated: pod default/urgent-001 (priority 10) waits, and "
        "kube-scheduler would evict pods of lower priority from node general-001 for it."
    )
    assert record.notices == ((expected,) if is_said else ())


def _other_taint(profile: GroupProfile) -> GroupProfile:
    tags = {
        key: value
        for key, value in profile.config.tags.items()
        if not key.startswith(TAG_TAINT_PREFIX)
    }
    tags[f"{TAG_TAINT_PREFIX}team"] = "ml:NoSchedule"
    return dataclasses.replace(
        profile,
        taints=(Taint(key="team", value="ml"),),
        config=dataclasses.replace(profile.config, tags=tags),
    )


def _no_room(profile: GroupProfile) -> GroupProfile:
    return dataclasses.replace(profile, config=dataclasses.replace(profile.config, max_size=0))


def _no_tags(profile: GroupProfile) -> GroupProfile:
    return dataclasses.replace(profile, config=dataclasses.replace(profile.config, tags={}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_other_taint, "untolerated taint {team: ml}"),
        (_no_room, "max node group size reached"),
        (_no_tags, "not discovered by the autoscaler: tag k8s.io/cluster-autoscaler/enabled"),
    ],
    ids=["another taint", "maximum 0", "no discovery tag"],
)
def test_a_cluster_broken_in_one_way_buys_nothing_and_says_why_for_each_group(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    system: System,
    change: Callable[[GroupProfile], GroupProfile],
    reason: str,
) -> None:
    broken = tuple(change(one) if one.is_gpu else one for one in profiles)
    scenario = Scenario(steps=(Step(action=Apply(objects=(make_deployment(2),)), at_ms=0),))
    record = run(make_world(broken, None, AutoscalerLoop), scenario, system)
    (refused,) = record.refused
    assert [one.group for one in record.instances] == ["general"]
    for zone in "abc":
        assert reason in ", ".join(refused.reasons[f"group/gpu-{zone}"])


def test_instances_are_billed_from_launch_to_their_end_at_the_price_they_were_bought_for(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    system: System,
) -> None:
    cuda = make_deployment(1)
    scenario = Scenario(
        steps=(
            Step(action=Apply(objects=(cuda,)), at_ms=0),
            Step(action=Scale(target=cuda.meta, replicas=0), at_ms=20 * MINUTE),
        ),
        max_duration_ms=HOUR,
    )
    record = run(make_world(profiles, None, AutoscalerLoop), scenario, system)
    general, gpu = record.instances
    assert (general.launched_ms, general.ended_ms, general.usd_per_hour) == (0, None, 0.096)
    assert (gpu.capacity_type, gpu.usd_per_hour) == ("spot", 0.2)
    (pod,) = record.pods
    marks = (gpu.launched_ms, gpu.node_ready_ms, gpu.gpu_ready_ms, pod.bound_ms, pod.running_ms)
    known = [one for one in (*marks, pod.ended_ms, gpu.ended_ms) if one is not None]
    assert len(known) == 7
    assert known == sorted(known)


def check(world: World) -> None:
    """Hold the world to what must be true at the end of every instant."""
    snapshot = world.snapshot()
    for group in snapshot.groups:
        assert group.min_size <= group.desired <= group.max_size
    nodes = {one.name: one for one in snapshot.nodes}
    for name, node in nodes.items():
        pods = world.store.pods_on(name)
        assert len(pods) <= node.allocatable[PODS]
        for resource, amount in world.store.requested_on(name).items():
            lost_gpus = resource not in node.allocatable or node.allocatable[resource] == 0
            assert lost_gpus or amount <= node.allocatable[resource]
    users = [one for one in snapshot.pods if one.namespace != "kube-system"]
    running = [one for one in users if one.phase is Phase.RUNNING]
    assert world.store.count.running == len(running)
    assert world.store.count.pending == len(users) - len(running)
    assert world.store.count.gpus_used == sum(one.spec.gpus for one in running)
    assert all(one.node_name in nodes for one in snapshot.pods if one.node_name is not None)
    ended = [one for one in world.recorder.pods.values() if one.ended_ms is not None]
    assert len(world.recorder.pods) == len(users) + len(ended)


ACTIONS = st.lists(
    st.tuples(
        st.integers(1, 90),
        st.sampled_from(["scale", "interrupt", "no capacity", "evict"]),
        st.integers(0, 12),
    ),
    max_size=8,
)


def play(world: World, cuda: Replicated, actions: list[tuple[int, str, int]]) -> None:
    """Let people, spot and EC2 act at the given minutes, and check the world at the end of each instant."""

    def act(what: str, number: int) -> None:
        group = f"gpu-{'abc'[number % 3]}"
        if what == "scale":
            world.scale(cuda.meta, number)
        elif what == "interrupt":
            world.interrupt(group, number // 3)
        elif what == "no capacity":
            Driver(world, Scenario())._no_capacity(NoCapacity(group=group, duration_ms=HOUR))
        elif world.store.pods:
            world.evict(list(world.store.pods)[number % len(world.store.pods)])

    for minute, what, number in actions:
        world.kernel.at(minute * MINUTE, lambda what=what, number=number: act(what, number))  # type: ignore[misc] # binds now
    while (due := world.kernel.next_ms) is not None and due <= 2 * HOUR:
        world.kernel.step()
        if world.kernel.next_ms != world.kernel.now_ms:
            world.end_instant()
            check(world)


@settings(max_examples=6, suppress_health_check=SHARED)
@given(actions=ACTIONS, seed=st.integers(0, 3))
def test_no_node_is_overbooked_and_no_pod_is_lost_from_sight(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    system: System,
    actions: list[tuple[int, str, int]],
    seed: int,
) -> None:
    world = make_world(profiles, WorldRules(seed=seed), AutoscalerLoop)
    cuda = make_deployment(3)
    world.start((*system, cuda))
    play(world, cuda, actions)
    record = record_of(world, "test", "maxDuration")
    outcomes = {"finished", "stopped", "running", "pending", "cancelled", "lost"}
    assert {one.outcome for one in record.pods} <= outcomes
    hours = gpu_hours(record)
    assert hours.billed >= hours.requested


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=SHARED)
@given(actions=ACTIONS, seed=st.integers(0, 99))
def test_no_node_is_overbooked_and_no_pod_is_lost_from_sight_in_many_runs(
    make_world: MakeWorld,
    profiles: tuple[GroupProfile, ...],
    make_deployment: MakeDeployment,
    system: System,
    actions: list[tuple[int, str, int]],
    seed: int,
) -> None:
    world = make_world(profiles, WorldRules(seed=seed), AutoscalerLoop)
    cuda = make_deployment(3)
    world.start((*system, cuda))
    play(world, cuda, actions)
    assert len(world.recorder.pods) >= 3
