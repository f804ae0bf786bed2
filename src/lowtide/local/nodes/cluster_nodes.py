"""The nodes of one cluster: registered, made to offer GPUs, talked about, and removed with their instances.

Why it exists: between EC2 and a cluster stand a kubelet on each instance and the cloud controller; this is both of them for one cluster.
kwok plays the status of nodes and pods (stages.yaml).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from lowtide.kube.live.client import Cluster, Conflict, Object
from lowtide.kube.live.informer import Informer
from lowtide.kube.live.kinds import CONFIG_MAP, NODE, POD
from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.planes_port import Key
from lowtide.local.aws.eks.state import find
from lowtide.local.nodes.booted import Booted, NoNode
from lowtide.local.nodes.events import (
    CLOUD_NODE,
    CLOUD_NODE_LIFECYCLE,
    EventWriter,
    Note,
    node_reference,
)
from lowtide.local.nodes.gpus import Gpus
from lowtide.local.nodes.joining import why_not
from lowtide.local.nodes.kubelet import Images, said
from lowtide.local.nodes.machines import Machine, machine, running
from lowtide.local.nodes.node import KWOK, node_object
from lowtide.local.nodes.user_data import booted_of
from lowtide.local.nodes.worker import Worker
from lowtide.model.errors import InputError

_log = logging.getLogger(__name__)

#: A kubelet that is not let in tries again at most this much later (pkg/kubelet, registerWithAPIServer); our time, so speed divides it.
_RETRY_S = 7.0
_SYNC_S = 0.2


class ClusterNodes:
    """Follows one cluster, from ``start`` to ``stop``. Calls return at once."""

    def __init__(self, box: Box, key: Key, cluster: Cluster) -> None:
        self._box = box
        self._key = key
        self._cluster = cluster
        self._machines: dict[str, Machine] = {}
        self._names: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._seen: dict[str, Object] = {}
        self._ready: set[str] = set()
        self._images = Images()
        self._worker = Worker(f"nodes-{key[1]}")
        self._events = EventWriter(cluster)
        self._gpus = Gpus(cluster, self._worker, box.settings, self._machine_of)
        self._nodes = Informer(cluster, NODE, self._on_node)
        self._pods = Informer(cluster, POD, self._on_pod)

    def start(self) -> None:
        """Adopt what is there, and go on."""
        self._worker.start()
        self._events.start()
        self._nodes.start()
        self._pods.start()
        self._worker.after(0, self._adopt)

    def stop(self) -> None:
        """Stop; nodes stay as they are."""
        self._worker.stop()
        self._nodes.stop()
        self._pods.stop()
        self._events.stop()
        self._cluster.close()

    def appear(self, instance: Machine, booted: Booted, *, after_s: float = 0.0) -> None:
        """Register an instance's node after so many seconds, or as soon as the cluster lets it in."""
        self._machines[instance.id] = instance
        self._worker.after(after_s, partial(self._register, instance, booted))

    def vanish(self, instance_id: str) -> None:
        """An instance is gone: remove its node."""
        gone = self._machines.pop(instance_id, None)
        self._refused.pop(instance_id, None)
        if gone is not None:
            self._worker.after(0, partial(self._remove, gone.name, gone.provider_id))

    def refused(self) -> Mapping[str, str]:
        """Return why instances that run are no nodes yet, by id."""
        return dict(self._refused)

    def _machine_of(self, name: str) -> Machine | None:
        return self._machines.get(self._names.get(name, ""))

    def _adopt(self) -> None:
        """Bring nodes and instances together: those that a box left behind, and those that it started meanwhile."""
        if not (self._nodes.synced and self._pods.synced):
            self._worker.after(_SYNC_S, self._adopt)
            return
        region, name = self._key
        alive: set[str] = set()
        for instance_id in running(self._box, region):
            found = machine(self._box, region, instance_id)
            if found is None:
                continue
            alive.add(found.provider_id)
            try:
                booted = booted_of(found)
            except NoNode:
                continue
            if booted.cluster == name and found.id not in self._machines:
                self.appear(found, booted)
        for node in self._nodes.objects():
            provider_id = node["spec"].get("providerID", "")
            # A node without a provider id was made by hand, and no instance can be missing for it.
            if provider_id and _is_ours(node) and provider_id not in alive:
                self._remove(node["metadata"]["name"], provider_id)

    def _register(self, instance: Machine, booted: Booted) -> None:
        if instance.id not in self._machines:
            return
        why = why_not(self._box, self._key, booted, instance.role_arn, self._aws_auth)
        if why:
            if self._refused.get(instance.id) != why:
                _log.warning("%s does not join %s: %s", instance.id, self._key[1], why)
            self._refused[instance.id] = why
            again_s = max(_RETRY_S / self._box.settings.speed, 0.5)
            self._worker.after(again_s, partial(self._register, instance, booted))
            return
        self._refused.pop(instance.id, None)
        try:
            node = node_object(instance, booted, self._minor())
        except InputError as error:
            _log.warning("%s does not join %s: %s", instance.id, self._key[1], error.what)
            return
        self._names[instance.name] = instance.id
        try:
            self._cluster.create(node)
        except Conflict:
            self._take_over(instance, booted)
            return
        self._tell_node(instance.name, "Starting", "Starting kubelet.")
        for word in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            self._tell_node(instance.name, word, f"Node {instance.name} status is now: {word}")
        text = "Updated Node Allocatable limit across pods"
        self._tell_node(instance.name, "NodeAllocatableEnforced", text)
        self._tell_node(instance.name, "Synced", "Node synced successfully", CLOUD_NODE)

    def _take_over(self, instance: Machine, booted: Booted) -> None:
        """Adopt the node of this instance; one of an earlier instance with the same address goes first."""
        there = self._cluster.get(NODE, instance.name)
        if there is not None and there["spec"].get("providerID") == instance.provider_id:
            self._gpus.on_node(instance.name, ready=_is_ready(there))
            self._gpus.settle(instance.name)
            return
        if there is not None:
            self._remove(instance.name, there["spec"].get("providerID", ""))
        self._worker.after(_SYNC_S, partial(self._register, instance, booted))

    def _remove(self, name: str, provider_id: str) -> None:
        """Delete an instance's node, as the cloud controller does with one that AWS no longer knows."""
        there = self._cluster.get(NODE, name)
        if there is None or there["spec"].get("providerID", "") != provider_id:
            return
        text = f"Deleting node {name} because it does not exist in the cloud provider"
        self._tell_node(name, "DeletingNode", text, CLOUD_NODE_LIFECYCLE)
        self._cluster.delete(NODE, name)
        self._names.pop(name, None)

    def _aws_auth(self) -> Object | None:
        return self._cluster.get(CONFIG_MAP, "aws-auth", "kube-system")

    def _minor(self) -> str:
        with self._box.lock:
            found = find(self._box, *self._key)
            return found.minor if found is not None else ""

    def _tell_node(self, name: str, reason: str, text: str, component: str = "kubelet") -> None:
        host = name if component == "kubelet" else ""
        about = node_reference(name)
        self._events.write(
            Note(about=about, reason=reason, message=text, component=component, host=host)
        )

    def _on_node(self, change: str, node: Object) -> None:
        if not _is_ours(node):
            return
        name = node["metadata"]["name"]
        ready = change != "DELETED" and _is_ready(node)
        if ready and name not in self._ready and self._nodes.synced:
            self._tell_node(name, "NodeReady", f"Node {name} status is now: NodeReady")
        if ready:
            self._ready.add(name)
        else:
            self._ready.discard(name)
        if change == "DELETED":
            self._images.forget(name)
        self._gpus.on_node(name, ready=ready)

    def _on_pod(self, change: str, pod: Object) -> None:
        if pod["spec"].get("nodeName") is None:
            return
        uid, gone = pod["metadata"]["uid"], change == "DELETED"
        before = self._seen.pop(uid, None)
        if not gone:
            self._seen[uid] = pod
        notes = said(before, pod, self._images)
        if self._pods.synced and not gone and pod["spec"]["nodeName"] in self._names:
            self._events.write(*notes)
        self._gpus.on_pod(pod, gone=gone)


def _is_ours(node: Mapping[str, Any]) -> bool:
    return bool(node["metadata"].get("annotations", {}).get(KWOK[0]) == KWOK[1])


def _is_ready(node: Mapping[str, Any]) -> bool:
    return any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in node.get("status", {}).get("conditions", [])
    )
