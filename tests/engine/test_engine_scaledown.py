"""Scale-down: who is unneeded, what blocks, when nodes go, and how many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from lowtide.engine.autoscaler import autoscale, started
from lowtide.engine.drain import Budgets, pods_to_move
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.options import AutoscalerOptions
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup
from lowtide.model.decision import AddTaint, Decision, DeleteNode, RemoveTaint
from lowtide.model.kube import (
    LabelSelector,
    LocalVolume,
    Node,
    Owner,
    Pod,
    PodDisruptionBudget,
    Taint,
)
from lowtide.model.quantity import CPU, NVIDIA_GPU
from lowtide.model.snapshot import Deletion, Snapshot
from tests.engine.worlds import (
    GPU_SPEC,
    GPU_TAGS,
    OPTIONS,
    gpu_node,
    group,
    node,
    pods,
    snapshot,
    spec,
    with_nodes,
)

MINUTE = 60_000
EVERYTHING = LabelSelector()


def loops(
    world: Snapshot,
    seconds: Sequence[float],
    options: AutoscalerOptions = OPTIONS,
    memory: AutoscalerMemory | None = None,
) -> tuple[list[Decision], AutoscalerMemory]:
    """Run a loop at each of these times over an unchanging world."""
    memory = memory or started(replace(world, now_ms=0), options)
    decisions = []
    for second in seconds:
        decision, memory = autoscale(replace(world, now_ms=round(second * 1000)), memory, options)
        decisions.append(decision)
    return decisions, memory


def deleted(decision: Decision) -> list[str]:
    return [one.node for one in decision.commands if isinstance(one, DeleteNode)]


def cluster(count: int, bound: Sequence[Pod] = (), **change: Any) -> Snapshot:
    """A GPU group with this many live nodes, and pods bound to them."""
    nodes = tuple(gpu_node(f"g{index}") for index in range(count))
    return snapshot(
        groups=(with_nodes(group("gpu-a", **change), nodes),), nodes=nodes, pods=tuple(bound)
    )


def test_an_empty_node_goes_after_more_than_ten_minutes_unneeded() -> None:
    decisions, _ = loops(cluster(1), [10, 609.9, 610, 610.1])
    assert [deleted(one) for one in decisions] == [[], [], [], ["g0"]]
    assert decisions[-1].tainted


def test_a_groups_own_tag_sets_its_time() -> None:
    tags = {**GPU_TAGS, names.TAG_OPTION_PREFIX + "scaledownunneededtime": "2m"}
    decisions, _ = loops(cluster(1, tags=tags), [10, 130.1])
    assert [deleted(one) for one in decisions] == [[], ["g0"]]


def test_a_malformed_option_tag_changes_nothing() -> None:
    tags = {**GPU_TAGS, names.TAG_OPTION_PREFIX + "scaledownunneededtime": "soon"}
    decisions, _ = loops(cluster(1, tags=tags), [10, 130.1, 611])
    assert [deleted(one) for one in decisions] == [[], [], ["g0"]]


def test_an_unready_node_has_twenty_minutes() -> None:
    world = cluster(1)
    broken = replace(world.nodes[0], ready=False)
    decisions, _ = loops(replace(world, nodes=(broken,)), [10, 611, 1211])
    assert [deleted(one) for one in decisions] == [[], [], ["g0"]]


def test_the_minimum_size_stays() -> None:
    decisions, _ = loops(cluster(3, min_size=2), [10, 611])
    assert len(deleted(decisions[-1])) == 1


def test_at_most_ten_nodes_are_in_deletion_at_once() -> None:
    world = cluster(15, max_size=20)
    decisions, memory = loops(world, [10, 611])
    assert len(deleted(decisions[-1])) == 10
    under_way = tuple(
        Deletion(node=name, group="gpu-a", drain=False, started_ms=611_000)
        for name in deleted(decisions[-1])
    )
    more, _ = loops(replace(world, deletions=under_way), [611.1], memory=memory)
    assert deleted(more[0]) == []


@pytest.mark.parametrize(("local", "expected"), [(False, []), (True, ["old"])])
def test_a_scale_up_anywhere_delays_deletions_everywhere_unless_delays_are_local(
    local: bool, expected: list[str]
) -> None:
    options = replace(OPTIONS, scale_down_delay_type_local=local)
    old = gpu_node("old")
    groups = (with_nodes(group("gpu-a"), (old,)), group("gpu-b", "us-east-1b"))
    idle = snapshot(groups=groups, nodes=(old,))
    _, memory = loops(idle, [10], options)
    busy = replace(
        idle,
        pods=pods(2, replace(GPU_SPEC, node_selector={names.ZONE: "us-east-1b"}), created_ms=0),
    )
    grown, memory = loops(busy, [500], options, memory)
    assert grown[0].scaled_up
    decisions, _ = loops(idle, [620], options, memory)
    assert deleted(decisions[0]) == expected


@pytest.mark.parametrize(("used", "candidate"), [(1, True), (2, True), (3, False)])
def test_gpu_nodes_are_judged_by_gpus_alone_and_half_used_is_low(
    used: int, candidate: bool
) -> None:
    four = gpu_node("four", allocatable={CPU: 4000, NVIDIA_GPU: 4, "memory": 10**10, "pods": 9})
    busy = pods(1, spec({CPU: "3900m"}, tolerations=GPU_SPEC.tolerations), name="cpu")
    held = pods(used, replace(GPU_SPEC, requests={NVIDIA_GPU: 1}))
    other = gpu_node("other", allocatable={CPU: 8000, NVIDIA_GPU: 8, "memory": 10**10, "pods": 9})
    full = pods(1, replace(GPU_SPEC, requests={NVIDIA_GPU: 5}), name="full", node_name="other")
    bound = tuple(replace(pod, node_name="four") for pod in (*busy, *held))
    world = snapshot(
        groups=(with_nodes(group("gpu-a"), (four, other)),),
        nodes=(four, other),
        pods=(*bound, *full),
    )
    _, memory = loops(world, [10])
    assert ("four" in memory.unneeded) is candidate


def test_a_node_whose_pods_find_no_room_elsewhere_stays() -> None:
    lonely = pods(1, spec({CPU: "100m"}, tolerations=GPU_SPEC.tolerations), node_name="g0")
    _, memory = loops(cluster(1, lonely), [10])
    assert dict(memory.unneeded) == {}
    assert memory.unremovable_until == {"g0": 10_000 + 5 * MINUTE}


def test_drains_go_one_at_a_time_and_after_empty_nodes() -> None:
    light = spec({CPU: "100m"}, tolerations=GPU_SPEC.tolerations)
    bound = [pods(1, light, name=f"w{index}", node_name=f"g{index}")[0] for index in range(2)]
    decisions, _ = loops(cluster(4, bound), [10, 611])
    gone = deleted(decisions[-1])
    assert gone[:2] == sorted({"g2", "g3"}, key=gone.index)
    assert len([name for name in gone if name in {"g0", "g1"}]) == 1


def test_a_node_may_be_annotated_to_stay() -> None:
    world = cluster(1)
    kept = replace(world.nodes[0], annotations={names.SCALE_DOWN_DISABLED: "true"})
    decisions, _ = loops(replace(world, nodes=(kept,)), [10, 900])
    assert deleted(decisions[-1]) == []


def test_unneeded_nodes_get_a_soft_taint_and_lose_it_when_needed_again() -> None:
    world = cluster(1)
    decisions, memory = loops(world, [10])
    (added,) = (one for one in decisions[0].commands if isinstance(one, AddTaint))
    assert (added.node, added.taint.effect) == ("g0", "PreferNoSchedule")
    marked = replace(world.nodes[0], taints=(*world.nodes[0].taints, added.taint))
    busy = replace(world, nodes=(marked,), pods=pods(1, node_name="g0"))
    again, memory = loops(busy, [20], memory=memory)
    assert [one for one in again[0].commands if isinstance(one, RemoveTaint)] == [
        RemoveTaint(node="g0", key=names.TAINT_DELETION_CANDIDATE)
    ]
    assert dict(memory.unneeded) == {}


def test_no_more_than_ten_soft_taints_change_in_a_loop() -> None:
    decisions, _ = loops(cluster(15, max_size=20), [10])
    assert sum(isinstance(one, AddTaint) for one in decisions[0].commands) == 10


def test_a_node_being_deleted_is_left_alone_for_five_minutes() -> None:
    world = cluster(1)
    taint = Taint(key=names.TAINT_TO_BE_DELETED, value="1000")
    going = replace(world.nodes[0], taints=(*world.nodes[0].taints, taint))
    _, early = loops(replace(world, nodes=(going,)), [1100])
    _, late = loops(replace(world, nodes=(going,)), [1301])
    assert (list(early.unneeded), list(late.unneeded)) == ([], ["g0"])


def test_new_pods_stop_deletions_for_their_loop() -> None:
    world = cluster(1)
    _, memory = loops(world, [10])
    young = replace(world, pods=pods(1, spec({CPU: "64"}), created_ms=610_500))
    decisions, memory = loops(young, [611], memory=memory)
    assert deleted(decisions[0]) == []
    decisions, _ = loops(world, [613], memory=memory)
    assert deleted(decisions[0]) == ["g0"]


def test_an_instance_that_never_registers_is_terminated_after_fifteen_minutes() -> None:
    ghost = gpu_node("ghost")
    world = snapshot(groups=(with_nodes(group("gpu-a"), (ghost,)),))
    decisions, _ = loops(world, [10, 909, 911])
    assert [len(one.commands) for one in decisions] == [0, 0, 1]


PLAIN = Pod(
    name="p",
    uid="p",
    spec=spec(),
    owner=Owner(kind="ReplicaSet", name="rs", uid="rs"),
    node_name="n",
)


def changed(**fields: Any) -> Pod:
    own = {key: fields.pop(key) for key in list(fields) if key in Pod.__dataclass_fields__}
    return replace(PLAIN, spec=replace(PLAIN.spec, **fields), **own)


def annotated(value: str) -> dict[str, str]:
    return {names.SAFE_TO_EVICT: value}


@pytest.mark.parametrize(
    ("pod", "moves", "blocked"),
    [
        (PLAIN, True, ""),
        (changed(owner=Owner(kind="Job", name="j", uid="j")), True, ""),
        (changed(owner=Owner(kind="DaemonSet", name="d", uid="d")), False, ""),
        (changed(owner=None), False, "default/p is not replicated"),
        (
            changed(owner=Owner(kind="RayCluster", name="r", uid="r")),
            False,
            "default/p is not replicated",
        ),
        (changed(owner=None, annotations=annotated("true")), True, ""),
        (
            changed(annotations=annotated("false")),
            False,
            "pod annotated as not safe to evict present: p",
        ),
        (
            changed(local_volumes=(("cache", LocalVolume.EMPTY_DIR),)),
            False,
            "pod with local storage present: p",
        ),
        (changed(local_volumes=(("shm", LocalVolume.EMPTY_DIR_MEMORY),)), True, ""),
        (
            changed(
                local_volumes=(("cache", LocalVolume.EMPTY_DIR),),
                annotations={names.SAFE_TO_EVICT_VOLUMES: "other, cache"},
            ),
            True,
            "",
        ),
        (
            changed(namespace="kube-system"),
            False,
            "non-daemonset, non-mirrored, non-pdb-assigned kube-system pod present: p",
        ),
        (changed(namespace="kube-system", created_ms=-70 * MINUTE), True, ""),
        (changed(deleting_ms=-2 * MINUTE), False, ""),
        (changed(annotations={"kubernetes.io/config.mirror": "x"}), False, ""),
    ],
)
def test_each_rule_about_moving_a_pod(pod: Pod, moves: bool, blocked: str) -> None:
    result = pods_to_move([pod], Budgets(()), OPTIONS, now_ms=0, controllers=None)
    assert (bool(result.pods), result.blocked) == (moves, blocked)


@pytest.mark.parametrize(("allowed", "blocked"), [(0, True), (1, False)])
def test_a_disruption_budget_blocks_at_zero(allowed: int, blocked: bool) -> None:
    budget = PodDisruptionBudget(
        name="b", namespace="default", selector=EVERYTHING, disruptions_allowed=allowed
    )
    result = pods_to_move([PLAIN], Budgets([budget]), OPTIONS, now_ms=0, controllers=None)
    assert bool(result.blocked) is blocked


@pytest.mark.parametrize(
    ("change", "pod"),
    [
        (
            {"skip_nodes_with_local_storage": False},
            changed(local_volumes=(("c", LocalVolume.HOST_PATH),)),
        ),
        ({"skip_nodes_with_system_pods": False}, changed(namespace="kube-system")),
        (
            {"skip_nodes_with_custom_controller_pods": False},
            changed(owner=Owner(kind="RayCluster", name="r", uid="r")),
        ),
    ],
)
def test_flags_switch_blocking_rules_off(change: dict[str, bool], pod: Pod) -> None:
    options = replace(OPTIONS, **change)  # type: ignore[arg-type] # real flags
    blocked = pods_to_move([pod], Budgets(()), OPTIONS, now_ms=0, controllers=None)
    allowed = pods_to_move([pod], Budgets(()), options, now_ms=0, controllers=None)
    assert (blocked.blocked != "", allowed.pods) == (True, [pod])


def test_a_pod_whose_controller_is_gone_blocks() -> None:
    result = pods_to_move([PLAIN], Budgets(()), OPTIONS, now_ms=0, controllers={})
    assert result.blocked == "controller of default/p is not available"


def test_planned_removals_use_up_a_budget() -> None:
    light = spec({CPU: "100m"}, tolerations=GPU_SPEC.tolerations)
    bound = [pods(1, light, name=f"w{index}", node_name=f"g{index}")[0] for index in range(2)]
    budget = PodDisruptionBudget(
        name="b", namespace="default", selector=EVERYTHING, disruptions_allowed=1
    )
    world = replace(cluster(3, bound), budgets=(budget,))
    _, memory = loops(world, [10])
    assert len(memory.unneeded.keys() & {"g0", "g1"}) == 1


def test_general_nodes_are_judged_by_cpu_and_memory() -> None:
    both: tuple[Node, ...] = (node("n0"), node("n1"))
    busy = pods(1, spec({CPU: "2100m"}), node_name="n0")
    own: AutoScalingGroup = with_nodes(group("general", min_size=0), both)
    _, memory = loops(snapshot(groups=(own,), nodes=both, pods=busy), [10])
    assert list(memory.unneeded) == ["n1"]
