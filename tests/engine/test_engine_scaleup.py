"""Scale-up: templates, packing, expanders, balancing, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lowtide.engine.autoscaler import autoscale, started
from lowtide.engine.balancing import are_similar, split
from lowtide.engine.equivalence import pod_groups
from lowtide.engine.estimator import estimate
from lowtide.engine.events import pod_events
from lowtide.engine.ledger import Ledger
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.options import AutoscalerOptions
from lowtide.engine.provider import KnownGroup, ask
from lowtide.engine.template import Template, from_group, from_node, is_good_source, overlaid
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup, ScalingActivity
from lowtide.model.decision import Decision, SetDesired
from lowtide.model.kube import LabelSelector, Node, PodSpec, Requirement, Taint, TopologySpread
from lowtide.model.quantity import CPU, MEMORY, MIB, NVIDIA_GPU, PODS, amount_of
from lowtide.model.snapshot import Snapshot
from lowtide.model.workload import DaemonSet, Meta
from tests.engine.worlds import (
    GPU_SPEC,
    GPU_TAGS,
    GPU_TAINT,
    OPTIONS,
    T4,
    ZONES,
    gpu_node,
    group,
    node,
    pods,
    snapshot,
    spec,
    with_nodes,
)


def run(
    world: Snapshot, options: AutoscalerOptions = OPTIONS, memory: AutoscalerMemory | None = None
) -> Decision:
    return autoscale(world, memory or started(world, options), options)[0]


def sizes(decision: Decision) -> dict[str, int]:
    return {one.group: one.new for one in decision.commands if isinstance(one, SetDesired)}


def known(one: AutoScalingGroup) -> KnownGroup:
    return ask([one], {}, OPTIONS)[one.name]


def template(one: AutoScalingGroup) -> Template:
    made = from_group(known(one), ())
    assert made is not None
    return made


def test_ten_gpu_pods_from_zero_are_balanced_over_three_zones() -> None:
    assert sorted(sizes(run(snapshot(groups=ZONES, pods=pods(10)))).values()) == [3, 3, 4]


def test_without_balancing_one_of_the_tied_zones_takes_all() -> None:
    options = replace(OPTIONS, balance_similar_node_groups=False)
    decision = run(snapshot(groups=ZONES, pods=pods(10)), options)
    assert list(sizes(decision).values()) == [10]
    assert decision.tied == (("gpu-a", "gpu-b", "gpu-c"),)


def test_another_seed_draws_another_zone() -> None:
    drawn: set[str] = set()
    for seed in range(12):
        options = replace(OPTIONS, balance_similar_node_groups=False, seed=seed)
        drawn |= sizes(run(snapshot(groups=ZONES, pods=pods(1)), options)).keys()
    assert drawn == {"gpu-a", "gpu-b", "gpu-c"}


@pytest.mark.parametrize(
    ("age_ms", "quantities", "grows"),
    [
        (29_999, {NVIDIA_GPU: "1"}, False),
        (30_000, {NVIDIA_GPU: "1"}, True),
        (1_999, {CPU: "1"}, False),
        (2_000, {CPU: "1"}, True),
    ],
)
def test_new_pods_wait_two_seconds_and_gpu_pods_thirty(
    age_ms: int, quantities: dict[str, str], grows: bool
) -> None:
    one = spec(quantities, tolerations=GPU_SPEC.tolerations)
    world = snapshot(now_ms=age_ms, groups=ZONES, pods=pods(1, one))
    assert bool(sizes(run(world))) is grows


def test_a_young_pod_does_not_delay_an_old_one() -> None:
    young = pods(1, name="young", created_ms=30_900)
    decision = run(snapshot(groups=ZONES, pods=pods(1) + young))
    assert sum(sizes(decision).values()) == 2


@pytest.mark.parametrize(
    ("change", "one", "reason"),
    [
        ({"max_size": 0}, GPU_SPEC, "max node group size reached"),
        (
            {"tags": {k: v for k, v in GPU_TAGS.items() if "label" not in k}},
            replace(GPU_SPEC, node_selector={names.ACCELERATOR: "nvidia-tesla-t4"}),
            "node(s) didn't match Pod's node affinity/selector",
        ),
        (
            {},
            spec({NVIDIA_GPU: "1"}),
            "node(s) had untolerated taint {nvidia.com/gpu: true}",
        ),
        ({}, replace(GPU_SPEC, requests={NVIDIA_GPU: 2}), "Insufficient nvidia.com/gpu"),
        ({"shapes": ()}, GPU_SPEC, "not ready for scale-up"),
    ],
)
def test_every_group_that_cannot_help_is_refused_with_its_reason(
    change: dict[str, Any], one: PodSpec, reason: str
) -> None:
    decision = run(snapshot(groups=(group("gpu-a", **change),), pods=pods(1, one)))
    assert sizes(decision) == {}
    assert [(each.subject, each.reasons) for each in decision.refusals] == [("gpu-a", (reason,))]
    (event,) = pod_events(decision, minor="1.35")
    assert event.message == f"pod didn't trigger scale-up: 1 {reason}"


def test_since_1_36_an_event_says_that_a_taint_is_in_the_way_and_not_which() -> None:
    taints = [{"nvidia.com/gpu": "true:NoSchedule"}, {"team": "ml:NoSchedule"}]
    groups = tuple(
        group(
            f"gpu-{index}",
            tags={
                **{key: value for key, value in GPU_TAGS.items() if "/taint/" not in key},
                **{f"{names.TAG_TAINT_PREFIX}{key}": value for key, value in one.items()},
            },
        )
        for index, one in enumerate(taints)
    )
    decision = run(snapshot(groups=groups, pods=pods(1, spec({NVIDIA_GPU: "1"}))))
    (new,), (old,) = pod_events(decision), pod_events(decision, minor="1.35")
    assert new.message == "pod didn't trigger scale-up: 2 node(s) had untolerated taint(s)"
    assert "untolerated taint {team: ml}" in old.message


def test_a_group_without_the_discovery_tag_does_not_exist() -> None:
    tags = {k: v for k, v in GPU_TAGS.items() if k != names.TAG_ENABLED}
    decision = run(snapshot(groups=(group("gpu-a", tags=tags),), pods=pods(1)))
    assert (sizes(decision), decision.refusals) == ({}, ())


@pytest.mark.parametrize(
    ("value", "taints"), [("true:NoSchedule", 1), ("true", 0), (":NoExecute", 1)]
)
def test_a_taint_tag_counts_only_with_its_effect(value: str, taints: int) -> None:
    tags = {**GPU_TAGS, names.TAG_TAINT_PREFIX + NVIDIA_GPU: value}
    assert len(template(group("g", tags=tags)).node.taints) == taints


def test_the_template_from_tags_has_the_whole_machine_and_110_pods() -> None:
    made = template(group("g", "us-west-2b"))
    assert made.node.capacity == {PODS: 110, CPU: 4000, MEMORY: 16384 * MIB, NVIDIA_GPU: 1}
    assert made.node.labels[names.ZONE] == "us-west-2b"
    assert made.node.labels[names.REGION] == "us-west-2"
    assert made.node.taints == (GPU_TAINT,)
    assert [pod.spec.requests for pod in made.daemons] == [{CPU: 100}]


def test_resource_tags_override_the_type() -> None:
    tags = {**GPU_TAGS, names.TAG_RESOURCE_PREFIX + "memory": "14900Mi"}
    made = template(group("g", tags=tags))
    assert made.node.allocatable[MEMORY] == amount_of(MEMORY, "14900Mi")


def test_daemons_that_suit_the_group_take_their_room_on_its_template() -> None:
    agent = DaemonSet(
        meta=Meta(kind="DaemonSet", name="agent"),
        template=spec({CPU: "3"}, tolerations=GPU_SPEC.tolerations),
    )
    shy = DaemonSet(meta=Meta(kind="DaemonSet", name="shy"), template=spec({CPU: "3"}))
    one = replace(GPU_SPEC, requests={CPU: 1500, NVIDIA_GPU: 1})
    world = snapshot(groups=ZONES, pods=pods(1, one))
    assert sizes(run(replace(world, daemon_sets=(shy,))))
    refused = run(replace(world, daemon_sets=(agent,)))
    assert {each.reasons for each in refused.refusals} == {("Insufficient cpu",)}


def test_a_real_node_is_a_template_after_a_minute_ready() -> None:
    fresh = node("n", ready_since_ms=0)
    assert not is_good_source(fresh, ready=True, now_ms=60_000)
    assert is_good_source(fresh, ready=True, now_ms=60_001)
    assert not is_good_source(replace(fresh, unschedulable=True), ready=True, now_ms=90_000)


def test_a_real_template_drops_passing_taints_and_keeps_daemons() -> None:
    passing = Taint(key=names.TAINT_DELETION_CANDIDATE, effect="PreferNoSchedule")
    real = gpu_node("real", taints=(GPU_TAINT, passing))
    daemon = replace(
        pods(1, spec({CPU: "50m"}), name="ds", node_name="real")[0],
        owner=replace(pods(1)[0].owner, kind="DaemonSet", name="ds"),  # type: ignore[type-var] # it has one
    )
    made = from_node(real, known(group("g")), (*pods(1, node_name="real"), daemon), ())
    assert made.node.taints == (GPU_TAINT,)
    assert [pod.name for pod in made.daemons] == ["ds-0"]


def test_missing_resources_are_copied_for_balancing_but_do_not_make_pods_fit() -> None:
    late = gpu_node("late", capacity={CPU: 4000}, allocatable={CPU: 4000, PODS: 10})
    made = overlaid(from_node(late, known(group("g")), (), ()), known(group("g")))
    assert made.node.allocatable[NVIDIA_GPU] == 1
    assert NVIDIA_GPU not in made.allocatable


def test_the_cached_template_of_a_gone_node_blocks_a_pod_until_it_expires() -> None:
    """The recorded 'scales from zero only the first time' (05d): a node without its GPU is remembered."""
    options = replace(OPTIONS, node_info_cache_expire_ms=600_000)
    bare = node("g-1", {PODS: "29"}, taints=(GPU_TAINT,), ready_since_ms=0, created_ms=0)
    one = with_nodes(group("gpu-a"), (bare,))
    world = snapshot(now_ms=100_000, groups=(one,), nodes=(bare,))
    _, memory = autoscale(world, started(world, options), options)
    gone = snapshot(now_ms=200_000, groups=(group("gpu-a"),), pods=pods(1))
    blocked, memory = autoscale(gone, memory, options)
    assert [each.reasons for each in blocked.refusals] == [("Insufficient nvidia.com/gpu",)]
    later, _ = autoscale(replace(gone, now_ms=700_001), memory, options)
    assert sizes(later) == {"gpu-a": 1}


def test_a_labelled_node_without_its_gpu_is_still_awaited() -> None:
    """With the accelerator label no second node is bought; without it one is (recordings 01 and 03)."""
    late = gpu_node("late", allocatable={CPU: 4000, MEMORY: 10**10, PODS: 29}, created_ms=20_000)
    late = replace(late, ready_since_ms=90_000)
    world = snapshot(groups=(group("gpu-a"),), pods=pods(1))
    _, memory = autoscale(world, started(world, OPTIONS), OPTIONS)
    for label, expected in ((True, {}), (False, {"gpu-a": 2})):
        labels = late.labels if label else {names.HOSTNAME: "late"}
        here = replace(late, labels=labels)
        after = snapshot(
            now_ms=95_000,
            groups=(with_nodes(group("gpu-a"), (here,)),),
            nodes=(here,),
            pods=pods(1),
        )
        assert sizes(autoscale(after, memory, OPTIONS)[0]) == expected


def test_awaited_nodes_take_their_pods_only_while_the_request_is_ones_own() -> None:
    """Capacity that AWS replaces by itself is not seen (recording 14a): a surplus node is bought."""
    replaced = group("gpu-a", desired=1)
    assert sizes(run(snapshot(groups=(replaced,), pods=pods(1)))) == {"gpu-a": 2}
    world = snapshot(groups=(group("gpu-a"),), pods=pods(1))
    _, memory = autoscale(world, started(world, OPTIONS), OPTIONS)
    again = replace(world, now_ms=41_000, groups=(replaced,))
    assert sizes(autoscale(again, memory, OPTIONS)[0]) == {}


def test_a_failed_launch_backs_the_group_off_and_another_zone_takes_over() -> None:
    world = snapshot(groups=ZONES[:2], pods=pods(1))
    first, memory = autoscale(world, started(world, OPTIONS), OPTIONS)
    (tried,) = sizes(first)
    broken = tuple(
        replace(one, desired=1, activities=(ScalingActivity(start_ms=31_000, failed=True),))
        if one.name == tried
        else one
        for one in ZONES[:2]
    )
    noticed = replace(world, now_ms=100_000, groups=broken)
    second, memory = autoscale(noticed, memory, OPTIONS)
    other = ({"gpu-a", "gpu-b"} - {tried}).pop()
    assert sizes(second) == {tried: 0, other: 1}
    assert memory.backoffs[tried].until_ms == 100_000 + 5 * 60_000


def test_an_old_failure_before_the_own_resize_is_no_failure() -> None:
    world = snapshot(groups=ZONES[:1], pods=pods(1))
    _, memory = autoscale(world, started(world, OPTIONS), OPTIONS)
    old = replace(ZONES[0], desired=1, activities=(ScalingActivity(start_ms=30_000, failed=True),))
    second, memory = autoscale(replace(world, now_ms=100_000, groups=(old,)), memory, OPTIONS)
    assert (sizes(second), dict(memory.backoffs)) == ({}, {})


@pytest.mark.parametrize(
    ("expander", "chosen"),
    [("least-waste", "small"), ("most-pods", "big"), ("least-nodes", "big"), ("priority", "small")],
)
def test_each_expander_has_its_own_taste(expander: str, chosen: str) -> None:
    big = group(
        "big",
        shapes=(replace(T4, name="g4dn.metal", vcpu=96, memory_mib=393216, gpu=8),),
        max_size=2,
    )
    small = group("small", max_size=3)
    options = replace(OPTIONS, expander=(expander,), balance_similar_node_groups=False)
    world = snapshot(groups=(big, small), pods=pods(4), priorities={10: ("big",), 50: ("sma",)})
    assert set(sizes(run(world, options))) == {chosen}


def test_groups_no_priority_names_are_not_filtered_away_when_none_is_named() -> None:
    options = replace(OPTIONS, expander=("priority",))
    world = snapshot(groups=ZONES[:1], pods=pods(1), priorities={10: ("nothing",)})
    assert sizes(run(world, options)) == {"gpu-a": 1}


@pytest.mark.parametrize(
    ("targets", "nodes", "expected"),
    [
        ((0, 0, 0), 10, {"a": 4, "b": 3, "c": 3}),
        ((1, 0, 0), 10, {"a": 4, "b": 4, "c": 3}),
        ((9, 0, 0), 4, {"b": 2, "c": 2}),
        ((10, 10, 9), 5, {"c": 10}),
        ((10, 10, 10), 5, {}),
    ],
)
def test_new_nodes_go_to_the_smallest_group_with_room(
    targets: tuple[int, ...], nodes: int, expected: dict[str, int]
) -> None:
    groups = [
        known(group(name, desired=target)) for name, target in zip("abc", targets, strict=True)
    ]
    got = {one.name: target for one, target in split(groups, nodes)}
    assert sum(got.values()) == sum(expected.values())
    assert sorted(got.values()) == sorted(expected.values())


@pytest.mark.parametrize(
    ("change", "similar"),
    [
        ({}, True),
        ({"labels": {names.ZONE: "us-east-1b"}}, True),
        ({"labels": {"team": "x"}}, False),
        ({"capacity": {MEMORY: 16384 * MIB * 99 // 100}}, True),
        ({"capacity": {MEMORY: 16384 * MIB * 98 // 100}}, False),
        ({"capacity": {PODS: 29}}, False),
        ({"capacity": {"ephemeral-storage": 1}}, False),
        ({"allocatable": {CPU: 3700}}, False),
    ],
)
def test_similar_groups_have_equal_capacity_close_memory_and_equal_labels(
    change: dict[str, dict[str, int]], similar: bool
) -> None:
    first = template(ZONES[0])
    fields = {key: {**getattr(first.node, key), **value} for key, value in change.items()}
    if "capacity" in fields:
        fields.setdefault("allocatable", fields["capacity"])
    second = replace(first, node=replace(first.node, **fields))  # type: ignore[arg-type] # real fields
    assert are_similar(first, second, OPTIONS) is similar


def test_a_balancing_label_compares_nothing_else() -> None:
    options = replace(OPTIONS, balancing_labels=(names.POOL,))
    first = template(ZONES[0])
    assert not are_similar(first, first, options)
    labels = {**first.node.labels, names.POOL: "gpu"}
    pooled = replace(first, node=replace(first.node, labels=labels))
    smaller = replace(pooled, node=replace(pooled.node, capacity={CPU: 1}))
    assert are_similar(pooled, smaller, options)


def live_and_empty(tags: dict[str, str]) -> Snapshot:
    """One live zone whose node holds a pod, two empty zones, ten more pods (recordings 22)."""
    real = gpu_node("a-1")
    real = replace(
        real,
        capacity={**real.capacity, MEMORY: amount_of(MEMORY, "15922Mi"), PODS: 29},
        allocatable={**real.allocatable, MEMORY: amount_of(MEMORY, "14900Mi"), PODS: 29},
    )
    pool = names.TAG_LABEL_PREFIX + names.POOL
    if pool in tags:
        real = replace(real, labels={**real.labels, names.POOL: tags[pool]})
    groups = tuple(replace(one, tags={**one.tags, **tags}) for one in ZONES)
    groups = (with_nodes(groups[0], (real,)), *groups[1:])
    busy = pods(1, name="first", node_name="a-1")
    return snapshot(now_ms=1_231_000, groups=groups, nodes=(real,), pods=(*busy, *pods(10)))


MEMORY_TAGS = {
    names.TAG_RESOURCE_PREFIX + "memory": "14900Mi",
    names.TAG_RESOURCE_PREFIX + "pods": "29",
}


@pytest.mark.parametrize(
    ("tags", "labels", "expected"),
    [
        ({}, (), [0, 0, 10]),
        (MEMORY_TAGS, (), [1, 5, 5]),
        ({**MEMORY_TAGS, names.TAG_LABEL_PREFIX + names.POOL: "gpu"}, (names.POOL,), [3, 4, 4]),
    ],
)
def test_one_live_and_two_empty_zones_balance_only_by_a_shared_label(
    tags: dict[str, str], labels: tuple[str, ...], expected: list[int]
) -> None:
    options = replace(OPTIONS, balancing_labels=labels)
    after = {"gpu-a": 1, "gpu-b": 0, "gpu-c": 0} | sizes(run(live_and_empty(tags), options))
    assert sorted(after.values()) == expected


@pytest.mark.parametrize(
    ("asks", "machine", "limit", "nodes", "placed"),
    [
        ([("1", 10)], "2", 0, 5, 10),
        ([("1", 10)], "2", 3, 3, 6),
        ([("1", 10)], "2", -1, 0, 0),
        ([("3", 2), ("1", 2)], "4", 0, 2, 4),
        ([("5", 2)], "4", 0, 0, 0),
    ],
)
def test_first_fit_packs_the_big_ones_first_and_stops_at_the_limit(
    asks: list[tuple[str, int]], machine: str, limit: int, nodes: int, placed: int
) -> None:
    made = node("t", {CPU: machine})
    fresh = Template(node=made, daemons=(), allocatable=made.allocatable)
    waiting = [
        pod
        for index, (cpu, count) in enumerate(asks)
        for pod in pods(count, spec({CPU: cpu}), name=f"w{index}")
    ]
    ledger = Ledger.of([], [])
    count, scheduled = estimate(pod_groups(waiting), fresh, ledger, limit=limit)
    assert (count, len(scheduled)) == (nodes, placed)
    assert list(ledger.nodes) == []


def test_hard_hostname_spread_needs_a_node_per_skew() -> None:
    selector = LabelSelector(requirements=(Requirement(key="app", operator="Exists"),))
    rule = TopologySpread(max_skew=2, topology_key=names.HOSTNAME, selector=selector)
    one = spec({CPU: "100m"}, labels={"app": "x"}, spread=(rule,))
    made: Node = node("t")
    fresh = Template(node=made, daemons=(), allocatable=made.allocatable)
    full = Ledger.of([node("full", {CPU: "0"})], [])
    count, scheduled = estimate(pod_groups(pods(8, one)), fresh, full, limit=0)
    assert (count, len(scheduled)) == (4, 8)


def test_equal_pods_of_one_controller_are_one_group_and_loners_their_own() -> None:
    loners = tuple(replace(pod, owner=None) for pod in pods(2, name="bare"))
    assert sorted(len(one.pods) for one in pod_groups(pods(5) + loners)) == [1, 1, 5]


def test_after_ten_shapes_of_a_controller_odd_pods_stay_alone() -> None:
    many = tuple(
        replace(pods(1, spec({CPU: f"{cpu}m"}))[0], name=f"p{cpu}-{twin}")
        for cpu in range(1, 13)
        for twin in range(2)
    )
    assert sorted(len(one.pods) for one in pod_groups(many)) == [1] * 4 + [2] * 10


def test_the_maximum_number_of_nodes_caps_a_scale_up() -> None:
    options = replace(OPTIONS, max_nodes_total=6)
    world = snapshot(groups=ZONES, nodes=(node("n1"), node("n2")), pods=pods(10))
    assert sum(sizes(run(world, options)).values()) == 4


def test_pods_of_very_low_priority_buy_nothing() -> None:
    cheap = replace(GPU_SPEC, priority=-11)
    assert sizes(run(snapshot(groups=ZONES, pods=pods(3, cheap)))) == {}


def test_an_unhealthy_cluster_is_left_alone() -> None:
    dead = tuple(
        gpu_node(f"dead-{index}", ready=False, created_ms=-2_000_000) for index in range(4)
    )
    world = snapshot(groups=(with_nodes(ZONES[0], dead),), nodes=dead, pods=pods(5))
    decision = run(world)
    assert sizes(decision) == {}
    assert [one.reason for one in decision.events] == ["ClusterUnhealthy"]


def test_pods_that_triggered_a_scale_up_are_told_of_the_whole_plan() -> None:
    events = pod_events(run(snapshot(groups=ZONES[:1], pods=pods(2))))
    assert [one.subject for one in events] == ["Pod/default/train-0", "Pod/default/train-1"]
    assert {one.message for one in events} == {"pod triggered scale-up: [{gpu-a 0->2 (max: 10)}]"}


def test_pods_of_many_controllers_with_one_shape_are_refused_together() -> None:
    many = tuple(
        pods(1, replace(GPU_SPEC, requests={NVIDIA_GPU: 2}), name=f"job{index}")[0]
        for index in range(5)
    )
    (refusal,) = run(snapshot(groups=ZONES[:1], pods=many)).refusals
    assert len(refusal.pods) == 5
