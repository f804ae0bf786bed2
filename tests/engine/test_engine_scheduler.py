"""kube-scheduler: filters, words, order and the ledger they work on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.engine.filters import refuse
from lowtide.engine.ledger import Ledger
from lowtide.engine.options import SchedulerProfile
from lowtide.engine.scheduler import schedule
from lowtide.model import names
from lowtide.model.kube import (
    Affinity,
    LabelSelector,
    Node,
    NodeSelectorTerm,
    Phase,
    Pod,
    PodAffinityTerm,
    PodSpec,
    PreferredTerm,
    Requirement,
    Taint,
    TopologySpread,
)
from lowtide.model.quantity import CPU, MEMORY, NVIDIA_GPU, PODS, amount_of
from tests.engine.worlds import GPU_SPEC, GPU_TAINT, gpu_node, node, pods, snapshot, spec

PROFILE = SchedulerProfile(seed=1)
APP = LabelSelector(requirements=(Requirement(key="app", operator="In", values=("train",)),))


def reasons(pod: Pod, target: str, ledger: Ledger) -> tuple[str, ...]:
    return refuse(pod, ledger.nodes[target], ledger)


@pytest.mark.parametrize(
    ("one", "target", "expected"),
    [
        (GPU_SPEC, gpu_node("n"), ()),
        (GPU_SPEC, node("n"), ("Insufficient nvidia.com/gpu",)),
        (
            spec({CPU: "8", MEMORY: "64Gi"}),
            node("n"),
            ("Insufficient cpu", "Insufficient memory"),
        ),
        (spec(), gpu_node("n"), ("node(s) had untolerated taint {nvidia.com/gpu: true}",)),
        (spec(), node("n", unschedulable=True), ("node(s) were unschedulable",)),
        (
            spec(node_selector={"pool": "x"}),
            node("n"),
            ("node(s) didn't match Pod's node affinity/selector",),
        ),
        (spec(), node("n", {PODS: "0"}), ("Too many pods",)),
        (
            spec(),
            node("n", taints=(Taint(key="soft", effect="PreferNoSchedule"),)),
            (),
        ),
    ],
)
def test_each_filter_refuses_in_the_words_of_kube_scheduler(
    one: PodSpec, target: Node, expected: tuple[str, ...]
) -> None:
    (pod,) = pods(1, one)
    assert reasons(pod, "n", Ledger.of([target], [])) == expected


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        (Requirement(key="gpus", operator="Gt", values=("3",)), True),
        (Requirement(key="gpus", operator="Lt", values=("4",)), False),
        (Requirement(key="gpus", operator="NotIn", values=("4",)), False),
        (Requirement(key="absent", operator="NotIn", values=("4",)), True),
        (Requirement(key="absent", operator="DoesNotExist"), True),
        (Requirement(key="gpus", operator="Exists"), True),
        (Requirement(key="absent", operator="Gt", values=("1",)), False),
    ],
)
def test_required_node_affinity_knows_every_operator(requirement: Requirement, fits: bool) -> None:
    terms = (NodeSelectorTerm(expressions=(requirement,)),)
    (pod,) = pods(1, spec(affinity=Affinity(node_required=terms)))
    target = node("n", labels={"gpus": "4"})
    assert (reasons(pod, "n", Ledger.of([target], [])) == ()) is fits


def test_hostname_anti_affinity_keeps_equal_pods_apart() -> None:
    term = PodAffinityTerm(selector=APP, topology_key=names.HOSTNAME)
    one = spec(labels={"app": "train"}, affinity=Affinity(anti_required=(term,)))
    result = schedule(snapshot(nodes=(node("a"), node("b")), pods=pods(3, one)), PROFILE)
    assert sorted(each.node for each in result.placed) == ["a", "b"]
    assert {each.reasons for each in result.refusals} == {
        ("node(s) didn't match pod anti-affinity rules",)
    }


def test_a_placed_pods_anti_affinity_also_binds_newcomers() -> None:
    term = PodAffinityTerm(selector=APP, topology_key=names.HOSTNAME)
    shy = pods(1, spec(affinity=Affinity(anti_required=(term,))), name="shy", node_name="a")
    (plain,) = pods(1, spec(labels={"app": "train"}))
    ledger = Ledger.of([node("a")], shy)
    assert reasons(plain, "a", ledger) == (
        "node(s) didn't satisfy existing pods anti-affinity rules",
    )


def test_pod_affinity_follows_its_peer_and_lets_the_first_pod_in() -> None:
    term = PodAffinityTerm(selector=APP, topology_key=names.HOSTNAME)
    one = spec(labels={"app": "train"}, affinity=Affinity(pod_required=(term,)))
    result = schedule(snapshot(nodes=(node("a"), node("b")), pods=pods(3, one)), PROFILE)
    assert len({each.node for each in result.placed}) == 1
    assert len(result.placed) == 3


def test_a_hard_zone_spread_is_even() -> None:
    zones = [f"us-east-1{letter}" for letter in "abc"]
    nodes = tuple(node(zone, labels={names.HOSTNAME: zone, names.ZONE: zone}) for zone in zones)
    rule = TopologySpread(max_skew=1, topology_key=names.ZONE, selector=APP)
    one = spec(labels={"app": "train"}, spread=(rule,))
    result = schedule(snapshot(nodes=nodes, pods=pods(6, one)), PROFILE)
    counts = [sum(1 for each in result.placed if each.node == zone) for zone in zones]
    assert counts == [2, 2, 2]


def test_a_node_without_the_spread_key_is_refused() -> None:
    rule = TopologySpread(max_skew=1, topology_key="rack", selector=APP)
    (pod,) = pods(1, spec(spread=(rule,)))
    assert reasons(pod, "n", Ledger.of([node("n")], [])) == (
        "node(s) didn't match pod topology spread constraints (missing required label)",
    )


def test_a_higher_priority_is_served_first() -> None:
    low = pods(1, GPU_SPEC, name="low")
    high = pods(1, replace(GPU_SPEC, priority=10), name="high", created_ms=5)
    result = schedule(snapshot(nodes=(gpu_node("g"),), pods=low + high), PROFILE)
    assert [each.pod for each in result.placed] == ["default/high-0"]
    assert result.refused == ("default/low-0",)


def test_preferred_affinity_wins_over_emptier_nodes() -> None:
    term = NodeSelectorTerm(expressions=(Requirement(key="fast", operator="Exists"),))
    one = spec(affinity=Affinity(node_preferred=(PreferredTerm(weight=100, term=term),)))
    fast = node("fast", labels={names.HOSTNAME: "fast", "fast": "yes"})
    busy = pods(2, spec({CPU: "1"}), name="busy", node_name="fast")
    result = schedule(snapshot(nodes=(node("plain"), fast), pods=(*busy, *pods(1, one))), PROFILE)
    assert result.placed[0].node == "fast"


def test_a_soft_taint_is_avoided_when_there_is_another_node() -> None:
    marked = node(
        "marked", taints=(Taint(key=names.TAINT_DELETION_CANDIDATE, effect="PreferNoSchedule"),)
    )
    result = schedule(snapshot(nodes=(marked, node("clean")), pods=pods(1, spec())), PROFILE)
    assert result.placed[0].node == "clean"


def test_pods_of_other_schedulers_and_ending_pods_are_left_alone() -> None:
    other = pods(1, spec(scheduler_name="volcano"), name="other")
    (ending,) = pods(1, spec(), name="ending")
    done = replace(pods(1, spec(), name="done")[0], phase=Phase.SUCCEEDED)
    every = (*other, replace(ending, deleting_ms=1), done)
    result = schedule(snapshot(nodes=(node("n"),), pods=every), PROFILE)
    assert (result.placed, result.refused) == ((), ())


def test_ties_depend_on_the_seed_and_on_nothing_else() -> None:
    nodes = tuple(gpu_node(f"g{index}") for index in range(8))
    forward = schedule(snapshot(nodes=nodes, pods=pods(4)), PROFILE)
    backward = schedule(snapshot(nodes=nodes[::-1], pods=pods(4)), PROFILE)
    assert set(forward.placed) == set(backward.placed)
    seeds = {
        schedule(snapshot(nodes=nodes, pods=pods(1)), SchedulerProfile(seed=seed)).placed[0].node
        for seed in range(40)
    }
    assert len(seeds) > 4


amounts = st.integers(0, 5000)


@given(
    sizes=st.lists(amounts, min_size=1, max_size=6),
    asks=st.lists(st.tuples(amounts, st.integers(0, 2)), max_size=20),
    seed=st.integers(0, 5),
)
def test_no_node_is_ever_over_capacity_and_every_pod_is_placed_or_refused(
    sizes: list[int], asks: list[tuple[int, int]], seed: int
) -> None:
    nodes = tuple(
        node(f"n{index}", {CPU: f"{size}m", NVIDIA_GPU: str(size % 3)})
        for index, size in enumerate(sizes)
    )
    waiting = tuple(
        pods(1, spec({CPU: f"{cpu}m", NVIDIA_GPU: str(gpus)}), name=f"p{index}")[0]
        for index, (cpu, gpus) in enumerate(asks)
    )
    result = schedule(snapshot(nodes=nodes, pods=waiting), SchedulerProfile(seed=seed))
    keys = [each.pod for each in result.placed] + list(result.refused)
    assert sorted(keys) == sorted(pod.key for pod in waiting)
    by_key = {pod.key: pod for pod in waiting}
    for one in nodes:
        here = [by_key[each.pod] for each in result.placed if each.node == one.name]
        for name in (CPU, NVIDIA_GPU):
            assert sum(pod.spec.requests[name] for pod in here) <= one.allocatable[name]
    named = {pod for each in result.refusals for pod in each.pods}
    assert named == set(result.refused)


@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 9)), max_size=40),
    cut=st.integers(0, 40),
)
def test_an_undone_ledger_equals_one_made_from_scratch(
    steps: list[tuple[bool, int, int]], cut: int
) -> None:
    nodes = [node(f"n{index}") for index in range(4)]
    every = {index: pods(1, spec({CPU: "100m"}), name=f"p{index}")[0] for index in range(10)}
    ledger = Ledger.of(nodes, [])
    where: dict[int, int] = {}
    mark, remembered = ledger.mark(), dict(where)
    for index, (placing, target, which) in enumerate(steps):
        if index == cut:
            mark, remembered = ledger.mark(), dict(where)
        if placing and which not in where:
            ledger.place(every[which], f"n{target}")
            where[which] = target
        elif which in where:
            ledger.lift(every[which].key, f"n{where.pop(which)}")
    ledger.undo(mark)
    fresh = Ledger.of(
        nodes, [replace(every[which], node_name=f"n{at}") for which, at in remembered.items()]
    )
    for name, state in fresh.nodes.items():
        assert ledger.nodes[name].free == state.free
        assert set(ledger.nodes[name].pods) == set(state.pods)


def test_removing_a_node_and_undoing_it_keeps_the_order() -> None:
    ledger = Ledger.of([node("a"), node("b"), node("c")], pods(2, spec(), node_name="b"))
    mark = ledger.mark()
    ledger.remove_node("b")
    assert list(ledger.nodes) == ["a", "c"]
    ledger.undo(mark)
    assert list(ledger.nodes) == ["a", "b", "c"]
    assert len(ledger.nodes["b"].pods) == 2
    assert ledger.nodes["b"].free[CPU] == amount_of(CPU, "3")


def test_a_cordoned_node_takes_pods_that_tolerate_it() -> None:
    (pod,) = pods(1, GPU_SPEC)
    cordoned = gpu_node("g", unschedulable=True, taints=(GPU_TAINT,))
    assert reasons(pod, "g", Ledger.of([cordoned], [])) == ("node(s) were unschedulable",)
