"""Controllers: pods come, go and come back as their controllers say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from lowtide.model.errors import InputError
from lowtide.model.kube import Container, LabelSelector, Pod, PodSpec, Requirement, Toleration
from lowtide.model.names import SYSTEM_NAMESPACE, TAINT_UNSCHEDULABLE
from lowtide.model.quantity import CPU, GIB, MEMORY
from lowtide.model.workload import (
    BarePod,
    Budget,
    DaemonSet,
    Job,
    Meta,
    OtherObject,
    PriorityClass,
    Replicated,
)
from lowtide.twin.profiles import GroupProfile
from lowtide.twin.world import World

RunTo = Callable[[World, int], None]
MakeDeployment = Callable[..., Replicated]

SMALL = PodSpec(
    labels={"app": "small"},
    requests={CPU: 100, MEMORY: GIB // 4},
    restart_policy="Never",
    containers=(Container(image="example.org/small:1"),),
)


@pytest.fixture
def world(make_world: Callable[..., World], profiles: tuple[GroupProfile, ...]) -> World:
    """A started world with one general node."""
    made = make_world(profiles)
    made.start()
    return made


def pods(world: World, prefix: str) -> list[Pod]:
    return [one for one in world.store.pods.values() if one.name.startswith(prefix)]


def active(world: World, prefix: str) -> list[str]:
    return [one.name for one in pods(world, prefix) if one.deleting_ms is None]


def job(parallelism: int, completions: int | None, *, seconds: float = 60.0, limit: int = 6) -> Job:
    return Job(
        meta=Meta(kind="Job", name="train"),
        parallelism=parallelism,
        completions=completions,
        backoff_limit=limit,
        template=dataclasses.replace(SMALL, run_seconds=seconds),
    )


def test_a_deployments_pods_belong_to_a_replica_set_and_share_their_spec(
    world: World, make_deployment: MakeDeployment
) -> None:
    world.apply((make_deployment(3),))
    made = pods(world, "cuda")
    assert [one.name for one in made] == ["cuda-001", "cuda-002", "cuda-003"]
    assert {one.owner.kind for one in made if one.owner} == {"ReplicaSet"}
    assert len({id(one.spec) for one in made}) == 1


def test_scaling_down_deletes_pods_without_a_node_first_then_the_youngest(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    small = make_deployment(4, gpus=0)
    world.apply((small,))
    run_to(world, 30)
    assert world.scale(small.meta, 6)
    assert world.scale(small.meta, 3)
    assert active(world, "cuda") == ["cuda-001", "cuda-002", "cuda-003"]


def test_a_deleted_running_pod_holds_its_node_until_its_grace_is_over(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    small = make_deployment(1, gpus=0)
    world.apply((small,))
    run_to(world, 30)
    world.scale(small.meta, 0)
    (ending,) = pods(world, "cuda")
    assert ending.deleting_ms == 30_000
    run_to(world, 31)
    assert pods(world, "cuda") == []
    assert world.recorder.pod_usages()[0].outcome == "stopped"


def test_a_controller_at_zero_is_there_until_its_last_pod_has_gone(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    cuda = make_deployment(1, gpus=0)
    world.apply((cuda,))
    run_to(world, 60)
    (pod,) = pods(world, "cuda")
    assert pod.owner is not None
    world.scale(cuda.meta, 0)
    assert world.snapshot().controllers == {pod.owner.uid: 0}
    run_to(world, 62)
    assert pods(world, "cuda") == []
    assert world.snapshot().controllers == {}


def test_the_replica_set_of_an_old_template_is_there_at_zero_while_its_pods_end(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    world.apply((make_deployment(1, gpus=0),))
    run_to(world, 60)
    (old,) = pods(world, "cuda")
    world.apply((make_deployment(1, gpus=0, priority=5),))
    (new,) = [one for one in pods(world, "cuda") if one.uid != old.uid]
    assert old.owner is not None
    assert new.owner is not None
    assert world.snapshot().controllers == {old.owner.uid: 0, new.owner.uid: 1}


def test_a_deleted_controller_is_gone_before_its_pods_are(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    cuda = make_deployment(1, gpus=0)
    world.apply((cuda,))
    run_to(world, 60)
    world.delete(cuda.meta)
    assert len(pods(world, "cuda")) == 1
    assert world.snapshot().controllers == {}


def test_a_pod_deleted_before_it_ran_is_cancelled_at_once(
    world: World, make_deployment: MakeDeployment
) -> None:
    deployment = make_deployment(1)
    world.apply((deployment,))
    assert world.delete(deployment.meta)
    assert pods(world, "cuda") == []
    assert world.recorder.pod_usages()[0].outcome == "cancelled"


def test_applying_a_changed_template_replaces_every_pod(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    world.apply((make_deployment(2, gpus=0),))
    run_to(world, 30)
    world.apply((make_deployment(2, gpus=0, priority=5),))
    assert active(world, "cuda") == ["cuda-003", "cuda-004"]
    assert {one.spec.priority for one in pods(world, "cuda") if one.deleting_ms is None} == {5}


def test_applying_the_same_deployment_again_changes_no_pod(
    world: World, make_deployment: MakeDeployment
) -> None:
    world.apply((make_deployment(2),))
    world.apply((make_deployment(2),))
    assert active(world, "cuda") == ["cuda-001", "cuda-002"]


def test_what_cannot_be_scaled_or_found_says_so(world: World) -> None:
    assert not world.scale(Meta(kind="Deployment", name="nobody"), 3)
    assert not world.delete(Meta(kind="Deployment", name="nobody"))


def test_a_container_that_exits_under_restart_always_keeps_its_pod_running(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    world.apply((make_deployment(1, gpus=0, run_seconds=5.0),))
    run_to(world, 600)
    assert world.store.count.running == 1
    assert world.store.count.finished == 0


def test_a_job_ends_after_its_completions_and_never_runs_more_than_its_parallelism(
    world: World, run_to: RunTo
) -> None:
    world.apply((job(2, 5),))
    for second in range(0, 400, 5):
        run_to(world, second)
        assert len(pods(world, "train")) <= 2
    assert world.store.count.finished == 5
    assert pods(world, "train") == []


def test_a_job_without_completions_ends_with_its_first_success(world: World, run_to: RunTo) -> None:
    world.apply((job(1, None),))
    run_to(world, 600)
    assert world.store.count.finished == 1


def test_a_work_queue_starts_no_pod_after_the_first_success(world: World, run_to: RunTo) -> None:
    world.apply((job(3, None),))
    run_to(world, 600)
    assert world.store.count.finished == 3


def test_an_evicted_job_pod_is_made_again_after_the_controllers_back_off(
    world: World, run_to: RunTo
) -> None:
    world.apply((job(1, 1, seconds=600.0),))
    run_to(world, 60)
    assert world.evict("default/train-001")
    run_to(world, 69)
    assert active(world, "train") == []
    run_to(world, 70)
    assert active(world, "train") == ["train-002"]


def test_a_job_gives_up_after_its_back_off_limit(world: World, run_to: RunTo) -> None:
    world.apply((job(1, 1, seconds=6000.0, limit=1),))
    run_to(world, 60)
    world.evict("default/train-001")
    run_to(world, 120)
    world.evict("default/train-002")
    run_to(world, 3600)
    assert pods(world, "train") == []
    assert any("BackoffLimitExceeded" in one.why for one in world.recorder.decisions)


def test_a_bare_pod_that_is_lost_is_gone(world: World, run_to: RunTo) -> None:
    world.apply((BarePod(meta=Meta(kind="Pod", name="one"), template=SMALL),))
    run_to(world, 60)
    assert world.evict("default/one")
    run_to(world, 120)
    assert pods(world, "one") == []


def test_a_stateful_set_keeps_its_ordinals(world: World, run_to: RunTo) -> None:
    template = dataclasses.replace(SMALL, restart_policy="Always")
    world.apply(
        (Replicated(meta=Meta(kind="StatefulSet", name="db"), replicas=2, template=template),)
    )
    run_to(world, 60)
    world.evict("default/db-0")
    run_to(world, 120)
    assert sorted(active(world, "db")) == ["db-0", "db-1"]


def test_an_eviction_that_a_budget_forbids_is_refused(
    world: World, make_deployment: MakeDeployment, run_to: RunTo
) -> None:
    selector = LabelSelector(
        requirements=(Requirement(key="app", operator="In", values=("cuda",)),)
    )
    budget = Budget(
        meta=Meta(kind="PodDisruptionBudget", name="keep"), selector=selector, max_unavailable=1
    )
    world.apply((budget, make_deployment(2, gpus=0)))
    run_to(world, 30)
    assert [one.disruptions_allowed for one in world.snapshot().budgets] == [1]
    assert world.evict("default/cuda-001")
    assert [one.disruptions_allowed for one in world.snapshot().budgets] == [0]
    assert not world.evict("default/cuda-002")
    assert world.store.pods["default/cuda-002"].deleting_ms is None


@pytest.mark.parametrize(
    ("bounds", "allowed"),
    [
        ({"min_available": 3}, 1),
        ({"min_available": "50%"}, 2),
        ({"max_unavailable": "25%"}, 1),
        ({"max_unavailable": 0}, 0),
        ({"min_available": 9}, 0),
    ],
)
def test_budgets_allow_healthy_pods_minus_needed_ones(
    world: World,
    run_to: RunTo,
    bounds: dict[str, int | str],
    allowed: int,
) -> None:
    low, high = bounds.get("min_available"), bounds.get("max_unavailable")
    budget = Budget(
        meta=Meta(kind="PodDisruptionBudget", name="b"),
        selector=LabelSelector(),
        min_available=low,
        max_unavailable=high,
    )
    small = dataclasses.replace(SMALL, restart_policy="Always")
    world.apply(
        (budget, Replicated(meta=Meta(kind="ReplicaSet", name="s"), replicas=4, template=small))
    )
    run_to(world, 30)
    assert world.store.count.running == 4
    assert [one.disruptions_allowed for one in world.snapshot().budgets] == [allowed]


def test_a_daemon_set_has_one_pod_on_each_node_it_matches(
    world: World, plugin: DaemonSet, run_to: RunTo
) -> None:
    everywhere = dataclasses.replace(
        plugin,
        meta=Meta(kind="DaemonSet", name="everywhere", namespace=SYSTEM_NAMESPACE),
        template=dataclasses.replace(SMALL, tolerations=(Toleration(operator="Exists"),)),
    )
    world.apply((plugin, everywhere))
    world.set_desired("gpu-a", 2)
    run_to(world, 200)
    assert sorted(one.node_name or "" for one in pods(world, "everywhere")) == [
        "general-001",
        "gpu-a-001",
        "gpu-a-002",
    ]
    assert sorted(one.node_name or "" for one in pods(world, "nvidia")) == [
        "gpu-a-001",
        "gpu-a-002",
    ]


def test_an_evicted_daemon_pod_comes_back_to_its_node(
    world: World, plugin: DaemonSet, run_to: RunTo
) -> None:
    world.apply((plugin,))
    world.set_desired("gpu-a", 1)
    run_to(world, 200)
    world.evict("kube-system/nvidia-device-plugin-001")
    run_to(world, 210)
    assert [one.name for one in pods(world, "nvidia")] == ["nvidia-device-plugin-002"]


def test_a_daemon_pod_that_does_not_fit_waits_for_its_node(world: World, run_to: RunTo) -> None:
    large = DaemonSet(
        meta=Meta(kind="DaemonSet", name="large"),
        template=dataclasses.replace(SMALL, requests={CPU: 4000}),
    )
    world.apply((large,))
    run_to(world, 10)
    (waiting,) = pods(world, "large")
    assert waiting.node_name is None
    assert waiting.unschedulable_ms == 0


def test_daemon_pods_tolerate_cordoned_nodes(world: World, run_to: RunTo) -> None:
    world.cordon("general-001")
    world.apply((DaemonSet(meta=Meta(kind="DaemonSet", name="agent"), template=SMALL),))
    run_to(world, 10)
    (agent,) = pods(world, "agent")
    assert agent.node_name == "general-001"
    assert any(one.key == TAINT_UNSCHEDULABLE for one in agent.spec.tolerations)


def test_a_priority_class_gives_its_pods_their_priority(
    world: World, make_deployment: MakeDeployment
) -> None:
    urgent = PriorityClass(meta=Meta(kind="PriorityClass", name="urgent", namespace=""), value=9)
    world.apply((urgent, make_deployment(1, priority_class="urgent")))
    assert [one.spec.priority for one in pods(world, "cuda")] == [9]


def test_pods_of_an_unknown_priority_class_are_made_once_the_class_comes(
    world: World, make_deployment: MakeDeployment
) -> None:
    world.apply((make_deployment(1, priority_class="urgent"),))
    assert pods(world, "cuda") == []
    assert "no PriorityClass with name urgent was found" in world.recorder.decisions[-1].why
    world.apply(
        (PriorityClass(meta=Meta(kind="PriorityClass", name="urgent", namespace=""), value=9),)
    )
    assert [one.spec.priority for one in pods(world, "cuda")] == [9]


def test_objects_without_effect_are_accepted_and_can_be_deleted(world: World) -> None:
    meta = Meta(kind="Service", name="web")
    world.apply((OtherObject(meta=meta),))
    assert world.delete(meta)


def test_applying_a_bare_pod_again_leaves_it_alone(world: World, run_to: RunTo) -> None:
    alone = BarePod(meta=Meta(kind="Pod", name="alone"), template=SMALL)
    world.apply((alone, alone))
    run_to(world, 30)
    world.apply((alone,))
    run_to(world, 60)
    (usage,) = [one for one in world.recorder.pod_usages() if one.name == "alone"]
    assert (usage.outcome, active(world, "alone")) == ("running", ["alone"])


def test_more_pods_than_a_cluster_can_hold_are_refused(
    world: World, make_deployment: MakeDeployment
) -> None:
    with pytest.raises(InputError, match="asks for more pods than a cluster can hold"):
        world.apply((make_deployment(150_001),))
