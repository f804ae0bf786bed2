"""Objects of the API server, read into the values that the engine decides on.

Why it exists: the engine sees the twin's world and a live cluster as the same values. Pod templates are read by the rules that read a
user's manifests, so both mean the same.

What it must not know: where the objects come from.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lowtide.model.kube import (
    EMPTY,
    Node,
    Owner,
    Phase,
    Pod,
    PodDisruptionBudget,
    PodSpec,
    Taint,
)
from lowtide.model.meta import Meta
from lowtide.model.quantity import Resources, resources_of
from lowtide.model.workload import BarePod, Budget, DaemonSet
from lowtide.spec.manifests import objects_from

Object = Mapping[str, Any]

#: Set by the scheduler or the admission chain; none of them says what the pod asks for.
_NOT_OF_THE_TEMPLATE = ("nodeName", "priority", "priorityClassName", "schedulingGates")


class SpecReader:
    """Reads pod specs; pods of one controller share one value, which is the engine's first test of likeness."""

    def __init__(self) -> None:
        self._known: dict[str, PodSpec] = {}

    def read(self, metadata: Object, spec: Object) -> PodSpec:
        """Return the spec of a pod or of a template.

        Raises:
            InputError: it holds what the engine does not model.
        """
        asked = {key: value for key, value in spec.items() if key not in _NOT_OF_THE_TEMPLATE}
        about = {
            "name": "pod",
            "labels": dict(metadata.get("labels") or {}),
            "annotations": dict(metadata.get("annotations") or {}),
        }
        priority = int(spec.get("priority") or 0)
        key = json.dumps([about, asked, priority], sort_keys=True)
        if key not in self._known:
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": asked}
            (read,) = objects_from([pod])
            assert isinstance(read, BarePod)
            self._known[key] = replace(
                read.template, priority=priority, priority_class=spec.get("priorityClassName", "")
            )
        return self._known[key]


def node(obj: Object) -> Node:
    """Return a node; its instance id is the last part of the providerID."""
    metadata, spec, status = obj["metadata"], obj.get("spec", {}), obj.get("status", {})
    ready = _condition(status, "Ready")
    capacity: Resources = resources_of(status.get("capacity") or {})
    return Node(
        name=metadata["name"],
        labels=metadata.get("labels") or EMPTY,
        annotations=metadata.get("annotations") or EMPTY,
        taints=tuple(
            Taint(key=one["key"], value=one.get("value", ""), effect=one["effect"])
            for one in spec.get("taints") or ()
        ),
        capacity=capacity,
        allocatable=resources_of(status.get("allocatable") or status.get("capacity") or {}),
        ready=ready.get("status") == "True",
        ready_since_ms=milliseconds(ready.get("lastTransitionTime")),
        created_ms=milliseconds(metadata.get("creationTimestamp")),
        unschedulable=bool(spec.get("unschedulable")),
        instance_id=str(spec.get("providerID", "")).rpartition("/")[2],
    )


def pod(obj: Object, specs: SpecReader) -> Pod:
    """Return a pod.

    Raises:
        InputError: it holds what the engine does not model.
    """
    metadata, status = obj["metadata"], obj.get("status", {})
    phase = status.get("phase", "Pending")
    refused = _condition(status, "PodScheduled")
    unschedulable = refused.get("status") == "False" and refused.get("reason") == "Unschedulable"
    since_ms = milliseconds(refused.get("lastTransitionTime"))
    return Pod(
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        uid=metadata["uid"],
        spec=specs.read(metadata, obj["spec"]),
        owner=_owner(metadata),
        node_name=obj["spec"].get("nodeName"),
        # Unknown is a pod whose kubelet is not heard of: it still holds what it holds.
        phase=Phase.RUNNING if phase == "Unknown" else Phase(phase),
        created_ms=milliseconds(metadata.get("creationTimestamp")),
        unschedulable_ms=since_ms if unschedulable else None,
        deleting_ms=milliseconds(metadata["deletionTimestamp"])
        if "deletionTimestamp" in metadata
        else None,
    )


def daemon_set(obj: Object, specs: SpecReader) -> DaemonSet:
    """Return a DaemonSet.

    Raises:
        InputError: its template holds what the engine does not model.
    """
    metadata, template = obj["metadata"], obj["spec"]["template"]
    meta = Meta(kind="DaemonSet", name=metadata["name"], namespace=metadata["namespace"])
    spec = specs.read(template.get("metadata") or {}, template["spec"])
    return DaemonSet(meta=meta, template=spec)


def budget(obj: Object) -> PodDisruptionBudget:
    """Return a PodDisruptionBudget with what its controller allows now."""
    plain = {key: obj[key] for key in ("apiVersion", "kind", "spec")}
    plain["metadata"] = {key: obj["metadata"][key] for key in ("name", "namespace")}
    (read,) = objects_from([plain])
    assert isinstance(read, Budget)
    return PodDisruptionBudget(
        name=obj["metadata"]["name"],
        namespace=obj["metadata"]["namespace"],
        selector=read.selector,
        disruptions_allowed=int(obj.get("status", {}).get("disruptionsAllowed", 0)),
    )


def milliseconds(time: str | None) -> int:
    """Return a time of the API (RFC 3339) in milliseconds since the epoch, 0 without one."""
    return round(dt.datetime.fromisoformat(time).timestamp() * 1000) if time else 0


def _condition(status: Object, kind: str) -> Object:
    found = (one for one in status.get("conditions") or () if one["type"] == kind)
    return next(found, {})


def _owner(metadata: Object) -> Owner | None:
    for one in metadata.get("ownerReferences") or ():
        if one.get("controller"):
            return Owner(kind=one["kind"], name=one["name"], uid=one["uid"])
    return None
