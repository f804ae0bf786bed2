"""The autoscaler's memory is a value: what it keeps to save work never changes a decision."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lowtide.engine.autoscaler import autoscale, started
from lowtide.engine.ledger import Ledger
from lowtide.engine.memory import AutoscalerMemory
from lowtide.engine.options import AutoscalerOptions
from lowtide.model import names
from lowtide.model.asg import AutoScalingGroup
from lowtide.model.decision import DeleteNode, RemoveTaint, SetDesired
from lowtide.model.kube import Node, Pod, Taint
from lowtide.model.quantity import CPU, NVIDIA_GPU
from lowtide.model.snapshot import Deletion, DeletionResult, Snapshot
from lowtide.model.workload import DaemonSet, Meta
from tests.engine.worlds import (
    GPU_SPEC,
    GPU_TAGS,
    GPU_TAINT,
    OPTIONS,
    gpu_node,
    group,
    node,
    pods,
    snapshot,
    spec,
    with_nodes,
)


def without_shortcuts(memory: AutoscalerMemory) -> AutoscalerMemory:
    return replace(memory, base=None, completed={}, tag_templates={})


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Snapshot, ...]:
    """A few moments of one small cluster; nodes and pods of one moment may come back in a later one."""
    fleet = [gpu_node(f"g{index}", ready_since_ms=-100_000) for index in range(4)]
    every = pods(6) + pods(3, spec({CPU: "200m"}, tolerations=GPU_SPEC.tolerations), name="small")
    moments = []
    now_ms = 31_000
    for _ in range(draw(st.integers(2, 5))):
        here = tuple(fleet[: draw(st.integers(0, 4))])
        own: AutoScalingGroup = with_nodes(group("gpu-a"), here)
        bound: list[Pod] = []
        for pod in every:
            where = draw(st.sampled_from([None, *(one.name for one in here)]))
            bound.append(replace(pod, node_name=where, unschedulable_ms=None if where else 0))
        moments.append(
            snapshot(
                now_ms=now_ms,
                nodes=here,
                pods=tuple(bound),
                groups=(own, group("gpu-b", "us-east-1b")),
            )
        )
        now_ms += draw(st.sampled_from([100, 10_100, 700_000]))
    return (
        *moments,
        *(replace(one, now_ms=now_ms + 10_100 * at) for at, one in enumerate(moments)),
    )


@given(moments=worlds(), cutoff=st.sampled_from([-10, 1]))
def test_decisions_are_the_same_with_and_without_what_is_kept(
    moments: tuple[Snapshot, ...], cutoff: int
) -> None:
    options = replace(OPTIONS, expendable_pods_priority_cutoff=cutoff)
    kept = fresh = started(moments[0], options)
    for moment in moments:
        first, kept = autoscale(moment, kept, options)
        second, fresh = autoscale(moment, without_shortcuts(fresh), options)
        assert first == second
        assert kept == fresh


def test_another_priority_cutoff_is_another_ledger() -> None:
    cheap = pods(1, replace(GPU_SPEC, priority=-5), node_name="n0")
    nodes = (gpu_node("n0"), gpu_node("n1"))
    world = snapshot(nodes=nodes, pods=cheap, groups=(with_nodes(group("gpu-a"), nodes),))
    _, memory = autoscale(world, started(world, OPTIONS), OPTIONS)
    ignoring = replace(OPTIONS, expendable_pods_priority_cutoff=0)
    again = replace(world, now_ms=41_000)
    assert (list(memory.unneeded), sorted(autoscale(again, memory, ignoring)[1].unneeded)) == (
        ["n1"],
        ["n0", "n1"],
    )


def test_lifting_and_undoing_keeps_the_order_of_pods() -> None:
    bound = pods(3, spec({CPU: "100m"}), node_name="n")
    ledger = Ledger.of([node("n")], bound)
    mark = ledger.mark()
    ledger.lift(bound[0].key, "n")
    ledger.undo(mark)
    assert list(ledger.nodes["n"].pods) == [pod.key for pod in bound]


def loop(
    world: Snapshot, memory: AutoscalerMemory, options: AutoscalerOptions = OPTIONS
) -> tuple[list[object], AutoscalerMemory]:
    decision, memory = autoscale(world, memory, options)
    return list(decision.commands), memory


def live(one: Node) -> Snapshot:
    return snapshot(now_ms=100_000, nodes=(one,), groups=(with_nodes(group("gpu-a"), (one,)),))


def test_a_critical_daemon_that_is_not_there_yet_takes_its_room_on_the_template() -> None:
    world = live(gpu_node("g", ready_since_ms=0))
    _, memory = loop(world, started(world, OPTIONS))
    agent = DaemonSet(
        meta=Meta(kind="DaemonSet", name="agent", namespace="kube-system"),
        template=spec(
            {CPU: "3800m"},
            tolerations=GPU_SPEC.tolerations,
            priority_class="system-node-critical",
        ),
    )
    full = pods(1, name="full", node_name="g")
    asking = replace(world, now_ms=111_000, pods=(*full, *pods(1)), daemon_sets=(agent,))
    commands, _ = loop(asking, memory)
    assert not any(isinstance(one, SetDesired) for one in commands)


def test_a_changed_resource_tag_completes_a_cached_template_anew() -> None:
    bare = node("g", taints=(GPU_TAINT,), ready_since_ms=0)
    world = live(bare)
    _, memory = loop(world, started(world, OPTIONS))
    tags = {**GPU_TAGS, names.TAG_RESOURCE_PREFIX + NVIDIA_GPU: "4"}
    changed = replace(
        world, now_ms=200_000, groups=(with_nodes(group("gpu-a", tags=tags), (bare,)),)
    )
    _, memory = loop(changed, memory)
    assert memory.completed["gpu-a"].template.node.capacity[NVIDIA_GPU] == 4


def test_a_new_process_takes_back_deletions_that_an_old_one_began() -> None:
    taint = Taint(key=names.TAINT_TO_BE_DELETED, value="90")
    marked = gpu_node("g", taints=(GPU_TAINT, taint), unschedulable=True)
    world = live(marked)
    commands, memory = loop(world, started(world, OPTIONS))
    undo = RemoveTaint(node="g", key=names.TAINT_TO_BE_DELETED, uncordon=True)
    assert undo in commands
    again, _ = loop(replace(world, now_ms=110_000), memory)
    assert undo not in again


def test_a_deletion_under_way_is_not_taken_back() -> None:
    taint = Taint(key=names.TAINT_TO_BE_DELETED, value="90")
    marked = gpu_node("g", taints=(GPU_TAINT, taint), unschedulable=True)
    mine = Deletion(node="g", group="gpu-a", drain=False, started_ms=90_000)
    commands, _ = loop(replace(live(marked), deletions=(mine,)), started(live(marked), OPTIONS))
    assert not any(isinstance(one, RemoveTaint) for one in commands)


def test_only_a_failed_scale_down_delays_its_group() -> None:
    """A failed scale-up does not (scale_down_candidates_delay_processor.go has an empty body for it)."""
    options = replace(
        OPTIONS, scale_down_delay_type_local=True, scale_down_delay_after_failure_ms=900_000
    )
    idle = live(gpu_node("g"))
    failed = DeletionResult(
        node="x", group="gpu-a", ok=False, ended_ms=99_000, reason="AWS refuses", refused=True
    )
    aborted = replace(failed, refused=False, reason="node is not empty")
    for result, deleted in ((failed, False), (aborted, True)):
        world = replace(idle, deletion_results=(result,))
        _, memory = loop(world, started(idle, options), options)
        commands, _ = loop(replace(idle, now_ms=800_000), memory, options)
        assert any(isinstance(one, DeleteNode) for one in commands) is deleted


def test_the_autoscaler_never_asks_for_less_than_the_minimum() -> None:
    stuck = group("gpu-a", min_size=1, desired=1)
    world = snapshot(groups=(stuck,))
    memory = started(world, OPTIONS)
    for second in (31, 950, 1000):
        commands, memory = loop(replace(world, now_ms=second * 1000), memory)
        assert commands == []


def test_a_groups_tag_may_leave_daemons_out_of_its_utilisation() -> None:
    tags = {**GPU_TAGS, names.TAG_OPTION_PREFIX + "ignoredaemonsetsutilization": "true"}
    one = node("n")
    daemon = pods(1, spec({CPU: "3"}), name="ds", node_name="n")[0]
    assert daemon.owner is not None
    daemon = replace(daemon, owner=replace(daemon.owner, kind="DaemonSet"))
    for given_tags, expected in ((GPU_TAGS, []), (tags, ["n"])):
        own = with_nodes(group("general", tags=given_tags), (one,))
        world = snapshot(nodes=(one,), pods=(daemon,), groups=(own,))
        _, memory = loop(world, started(world, OPTIONS))
        assert list(memory.unneeded) == expected
