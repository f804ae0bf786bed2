"""AWS and Kubernetes together make one picture: what waits, and why; what is held; what it costs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from lowtide.explain.cluster_status import AwsView, KubernetesView, cluster_status
from lowtide.model.cluster_status import ClusterStatus
from lowtide.model.node_groups import SeenGroup, SeenInstance

NOW = dt.datetime(2026, 11, 29, 12, 0, tzinfo=dt.UTC)
CREATED = "2026-11-29T11:58:00Z"
UNSCHEDULABLE = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."


def instance(number: int, **fields: Any) -> SeenInstance:
    return SeenInstance(
        **{
            "id": f"i-{number}",
            "instance_type": "g4dn.xlarge",
            "zone": "us-east-1a",
            "state": "InService",
            "spot": True,
            "launched_at": NOW - dt.timedelta(minutes=10),
            **fields,
        }
    )


def a_group(*instances: SeenInstance, **fields: Any) -> SeenGroup:
    return SeenGroup(
        **{
            "name": "gpu",
            "asg": "lowtide-vision-nodegroup-gpu",
            "managed": False,
            "owner": "vision",
            "min_size": 0,
            "max_size": 4,
            "desired": len(instances),
            "zones": ("us-east-1a",),
            "types": ("g4dn.xlarge",),
            "on_demand_percent": 0,
            "instances": instances,
            **fields,
        }
    )


def node(number: int, *, ready: bool = True, gpus: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"name": f"node-{number}"},
        "spec": {"providerID": f"aws:///us-east-1a/i-{number}"},
        "status": {
            "allocatable": {"nvidia.com/gpu": str(gpus)} if gpus else {},
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def a_pod(name: str, *, gpus: int = 1, phase: str = "Pending", on: str = "", **status: Any) -> Any:
    limits = {"nvidia.com/gpu": gpus} if gpus else {}
    owner = {"kind": "ReplicaSet", "name": "train-abc", "controller": True}
    spec: dict[str, Any] = {"containers": [{"resources": {"limits": limits}}]}
    return {
        "metadata": {
            "name": name,
            "namespace": "ml",
            "uid": f"uid-{name}",
            "creationTimestamp": CREATED,
            "labels": {"pod-template-hash": "abc"},
            "ownerReferences": [owner],
        },
        "spec": {**spec, "nodeName": on} if on else spec,
        "status": {"phase": phase, **status},
    }


def unschedulable(message: str = UNSCHEDULABLE) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {"conditions": [{**condition, "message": message}]}


def told(name: str, reason: str, message: str, when: str) -> dict[str, Any]:
    return {
        "metadata": {"creationTimestamp": when},
        "reason": reason,
        "message": message,
        "lastTimestamp": when,
        "involvedObject": {"uid": f"uid-{name}"},
    }


def a_price(name: str, _zone: str, spot: bool) -> float | None:
    return (0.2 if spot else 0.5) if name == "g4dn.xlarge" else None


def picture(*groups: SeenGroup, **kube: Any) -> ClusterStatus:
    aws = AwsView(
        name="vision",
        region="us-east-1",
        account="123456789012",
        status="ACTIVE",
        version="1.36",
        ours=True,
        groups=groups,
        control_plane_usd_per_hour=0.1,
    )
    return cluster_status(
        aws,
        KubernetesView(**kube),
        price=a_price,
        now_s=NOW.timestamp(),
        at=NOW.isoformat(),
    )


def test_pods_of_one_owner_that_wait_for_one_reason_are_one_row() -> None:
    pods = tuple(a_pod(f"train-{n}", **unschedulable()) for n in range(3))
    (row,) = picture(pods=pods).waiting
    assert row.owner == "Deployment ml/train"
    assert row.pods == ("ml/train-0", "ml/train-1", "ml/train-2")
    assert (row.gpus, row.reason, row.since_s) == (3, UNSCHEDULABLE, 120.0)


def test_what_the_autoscaler_said_last_stands_behind_the_reason() -> None:
    pod = a_pod("train-0", **unschedulable())
    events = (
        told("train-0", "NotTriggerScaleUp", "pod didn't trigger scale-up", "2026-11-29T11:59:30Z"),
        told("train-0", "TriggeredScaleUp", "pod triggered scale-up", "2026-11-29T11:59:00Z"),
        told("train-0", "FailedScheduling", "later", "2026-11-29T11:59:59Z"),
        told("other", "NotTriggerScaleUp", "other", "2026-11-29T11:59:59Z"),
    )
    (row,) = picture(pods=(pod,), events=events).waiting
    assert row.reason == f"{UNSCHEDULABLE} (pod didn't trigger scale-up)"


def test_a_pod_with_a_node_waits_for_its_container() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    state: dict[str, Any] = {"containerStatuses": [{"state": {"waiting": waiting}}]}
    starts: dict[str, Any] = {
        "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]
    }
    pods = (
        a_pod("pulls", on="node-1", **state),
        a_pod("starts", on="node-1", **starts),
        a_pod("unseen"),
    )
    reasons = {row.pods[0]: row.reason for row in picture(pods=pods).waiting}
    assert reasons == {
        "ml/pulls": "ImagePullBackOff: no such image",
        "ml/starts": "its containers start",
        "ml/unseen": "the scheduler has not seen it",
    }


def test_gpus_are_counted_as_asked_held_and_offered() -> None:
    pods = (
        a_pod("runs", phase="Running", on="node-1", gpus=2),
        a_pod("waits", gpus=4),
        a_pod("done", phase="Succeeded", on="node-1", gpus=8),
        a_pod("cpu", phase="Running", on="node-1", gpus=0),
    )
    nodes = (node(1, gpus=4), node(2, ready=False, gpus=4))
    found = picture(a_group(instance(1), instance(2)), pods=pods, nodes=nodes)
    assert (found.gpus.asked, found.gpus.held, found.gpus.offered) == (6, 2, 4)
    assert [(one.name, one.state, one.gpus_used) for one in found.nodes] == [
        ("node-1", "ready", 2),
        ("node-2", "not ready", 0),
    ]
    assert found.groups[0].ready == 1
    assert found.pods_running == 2


def test_an_init_container_counts_where_it_asks_for_more() -> None:
    pod = a_pod("train")
    pod["spec"]["initContainers"] = [{"resources": {"requests": {"nvidia.com/gpu": "3"}}}]
    assert picture(pods=(pod,)).gpus.asked == 3


def test_an_instance_without_a_node_says_what_auto_scaling_says() -> None:
    found = picture(a_group(instance(1, state="Pending"), instance(2, state="Terminating")))
    assert [one.state for one in found.nodes] == ["Pending", "Terminating"]
    assert [one.age_s for one in found.nodes] == [600.0, 600.0]


def test_the_cost_of_now_is_that_of_what_runs() -> None:
    group = a_group(instance(1), instance(2, spot=False), instance(3, instance_type="p9.large"))
    cost = picture(group).cost
    assert (cost.nodes, cost.fixed, cost.total) == (0.7, 0.1, 0.7 + 0.1)
    assert cost.unpriced == ("p9.large",)
    assert "volumes" in cost.without


def test_a_failed_launch_is_trouble_only_while_nodes_are_missing() -> None:
    failed = {"trouble": "no capacity", "lost": 2}
    short = picture(a_group(desired=1, **failed))
    assert short.groups[0].trouble == "no capacity"
    assert short.lost == 2
    assert picture(a_group(instance(1), **failed)).groups[0].trouble == ""


def test_how_a_group_buys_is_told_by_its_maximum() -> None:
    mixed = a_group(on_demand_base=1)
    plain = a_group(on_demand_percent=100)
    none = a_group(max_size=0)
    bought = [picture(one).groups[0].bought for one in (mixed, plain, none)]
    assert bought == ["mixed", "on-demand", "spot"]
