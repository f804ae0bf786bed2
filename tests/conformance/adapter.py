"""Runs a recorded scenario on the twin: the scenario's world replaces ours, the rest is the product.

The fields and rules are defined in the recordings' README. Nothing here knows a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lowtide.catalog import shape
from lowtide.cloud.groups import GroupConfig, NoCapacityWindow, Offer
from lowtide.engine.options import AutoscalerOptions
from lowtide.kube.flags import autoscaler_options
from lowtide.model.asg import InstanceShape
from lowtide.model.kube import LocalVolume, PodSpec, Taint
from lowtide.model.policy import Timings
from lowtide.model.quantity import resources_of
from lowtide.model.run import StateRow
from lowtide.model.workload import (
    BarePod,
    Budget,
    ConfigMap,
    DaemonSet,
    Job,
    KubeObject,
    Meta,
    Replicated,
)
from lowtide.spec.manifests import objects_from
from lowtide.twin.autoscaler_loop import AutoscalerLoop
from lowtide.twin.kernel import Kernel
from lowtide.twin.profiles import GroupProfile, NodeProfile
from lowtide.twin.rules import WorldRules
from lowtide.twin.world import World

START_MS = -60_000
PROVIDER_BUILT_MS = -58_980
DISCOVERY = "asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/demo"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run of the twin: states by time and the starts of the autoscaler's loops."""

    states: tuple[StateRow, ...]
    log: tuple[str, ...]

    def desired_before(self, time_ms: int) -> dict[str, int]:
        """Return the desired size of each group just before a time."""
        found: Mapping[str, int] = {}
        for row in self.states:
            if row.at_ms >= time_ms:
                break
            found = row.desired_by_group
        return dict(found)


def run(scenario: Json, *, seed: int = 0) -> Run:
    """Run a scenario to its end."""
    kernel = Kernel(START_MS)
    starts = {one["name"]: one["start_s"] * 1000 for one in scenario["workloads"]}
    rules = WorldRules(
        start_ms=START_MS,
        daemons_instant=True,
        gpu_needs_plugin=False,
        pod_start_ms=lambda spec: starts.get(spec.labels.get("app", ""), 0),
        pod_grace_ms=0,
        job_backoff=False,
        extended_resource_toleration=False,
        timings=Timings(autoscaler_loop_s=scenario.get("loop_s", 0.1)),
        seed=seed,
    )
    world = World(kernel, tuple(_profile(one) for one in scenario["groups"]), rules)
    world.start(_initial(scenario))
    for group in scenario["groups"]:
        for failure in group.get("failures") or ():
            world.shut_capacity(group["name"], _window(failure))
    _plan(scenario, world)
    loop = AutoscalerLoop(world, kernel, _options(scenario, seed), rules)
    world.autoscalers.loop = loop
    loop.start(PROVIDER_BUILT_MS)
    until_ms = scenario["until_s"] * 1000
    while (due := kernel.next_ms) is not None and due < until_ms:
        kernel.step()
        if kernel.next_ms != kernel.now_ms:
            world.end_instant()
    return Run(tuple(world.recorder.states), tuple(world.recorder.log))


def _options(scenario: Json, seed: int) -> AutoscalerOptions:
    flags = {"node-group-auto-discovery": DISCOVERY, "cloud-provider": "aws", **scenario["flags"]}
    args = []
    for name, value in flags.items():
        many = value if isinstance(value, list) else [value]
        args += [f"--{name}={one}" for one in many]
    options, problems = autoscaler_options(("./cluster-autoscaler",), args)
    assert not problems, problems
    return replace(options, seed=seed)


def _profile(group: Json) -> GroupProfile:
    node = group["node"]
    zones = tuple(group.get("zones") or [group["zone"]])
    types = tuple(group.get("instanceTypes") or [group["instanceType"]])
    capacity, allocatable = (resources_of(node[key]) for key in ("capacity", "allocatable"))
    return GroupProfile(
        config=GroupConfig(
            name=group["name"],
            min_size=group["min"],
            max_size=group["max"],
            desired=group["desired"],
            zones=zones,
            offers=tuple(Offer(instance_type=one) for one in types),
            tags=group["asgTags"],
            shapes=tuple(_shape(one) for one in types),
            on_demand_launch_ms=group["launch_s"] * 1000,
            spot_launch_ms=group["launch_s"] * 1000,
            terminate_ms=group["terminate_s"] * 1000,
            retry_ms=group.get("retry_s", 60) * 1000,
        ),
        nodes={one: NodeProfile(capacity=capacity, allocatable=allocatable) for one in types},
        region=zones[0][:-1],
        labels={key: value for key, value in node["labels"].items() if value is not None},
        taints=tuple(Taint(**one) for one in node["taints"]),
        register_ms=group["register_s"] * 1000,
        ready_ms=group["ready_s"] * 1000,
        gpu_ms=group["gpu_s"] * 1000,
    )


def _shape(name: str) -> InstanceShape:
    found = shape(name)
    assert found is not None, name
    return found


def _window(failure: Json) -> NoCapacityWindow:
    return NoCapacityWindow(
        from_ms=failure["from_s"] * 1000,
        to_ms=failure["to_s"] * 1000,
        code=failure["code"],
        silent=failure["code"] == "Silent",
    )


def _initial(scenario: Json) -> list[KubeObject]:
    objects: list[KubeObject] = [
        DaemonSet(
            meta=Meta(kind="DaemonSet", name=one["name"], namespace=_space(one, "kube-system")),
            template=_spec(one),
        )
        for one in scenario["daemonsets"]
    ]
    objects += [
        ConfigMap(
            meta=Meta(kind="ConfigMap", name=one["name"], namespace="kube-system"), data=one["data"]
        )
        for one in scenario.get("configmaps") or ()
    ]
    return objects + [_budget(one) for one in scenario["pdbs"]]


def _budget(one: Json) -> Budget:
    (made,) = objects_from(
        [
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": one["name"], "namespace": _space(one, "default")},
                "spec": {
                    "selector": {"matchLabels": one["selector"]},
                    **{
                        key: one[key]
                        for key in ("minAvailable", "maxUnavailable")
                        if one.get(key) is not None
                    },
                },
            }
        ]
    )
    assert isinstance(made, Budget)
    return made


def _space(one: Json, default: str) -> str:
    return str(one.get("namespace") or default)


def _plan(scenario: Json, world: World) -> None:
    """Put everything that comes from outside on the clock, in the order of the file."""
    kernel = world.kernel

    def at(seconds: float, action: Callable[[], object]) -> None:
        def act() -> None:
            action()

        kernel.at(round(seconds * 1000), act)

    for one in scenario["workloads"]:
        made = _workloads(one)
        at(one["at_s"], partial(world.apply, made))
        if one.get("delete_at_s") is not None:
            for each in made:
                at(one["delete_at_s"], partial(world.delete, each.meta))
    for one in scenario.get("external") or ():
        at(one["at_s"], partial(world.set_desired, one["group"], one["desired"]))
    for one in scenario["interrupts"]:
        at(one["at_s"], partial(world.interrupt, one["group"], one["index"]))


def _workloads(one: Json) -> list[Replicated | Job | BarePod]:
    spec, count = _spec(one), one["count"]
    meta = Meta(kind=one["kind"], name=one["name"], namespace=_space(one, "default"))
    match one["kind"]:
        case "ReplicaSet":
            return [Replicated(meta=meta, replicas=count, template=spec)]
        case "Job":
            # The recorded Job controller replaces lost pods without end and without a pause.
            return [
                Job(
                    meta=meta,
                    parallelism=count,
                    completions=count,
                    backoff_limit=10**9,
                    template=spec,
                )
            ]
        case _:
            return [
                BarePod(meta=replace(meta, name=f"{meta.name}-{index:03d}"), template=spec)
                for index in range(1, count + 1)
            ]


def _spec(one: Json) -> PodSpec:
    """A pod template through the product's own manifest reader, with what only the recorded world has."""
    (made,) = objects_from(
        [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": one["name"],
                    "labels": {"app": one["name"], **(one.get("labels") or {})},
                    "annotations": _annotations(one),
                },
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 30,
                    "containers": [{"name": "main", "image": "x", "resources": _resources(one)}],
                    "tolerations": one.get("tolerations") or [],
                    "nodeSelector": one.get("nodeSelector") or {},
                    "affinity": one.get("affinity") or {},
                    "topologySpreadConstraints": one.get("topologySpread") or [],
                },
            }
        ]
    )
    assert isinstance(made, BarePod)
    return replace(
        made.template,
        priority=one.get("priority") or 0,
        local_volumes=tuple((kind, LocalVolume(kind)) for kind in one.get("volumes") or ()),
    )


def _resources(one: Json) -> dict[str, dict[str, str]]:
    requests = dict(one["requests"])
    limits = {key: value for key, value in requests.items() if key == "nvidia.com/gpu"}
    return {"requests": requests, "limits": limits}


def _annotations(one: Json) -> dict[str, str]:
    annotations = dict(one.get("annotations") or {})
    if one.get("run_s") is not None:
        annotations["lowtide.dev/run-seconds"] = str(one["run_s"])
    return annotations
