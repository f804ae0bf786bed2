"""Lets GPUs of nodes appear and go with the device plugin.

Why it exists: this is the kubelet's device manager, for all nodes of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lowtide.kube.live.client import Cluster
from lowtide.kube.live.kinds import NODE
from lowtide.local.aws.settings import Settings
from lowtide.local.nodes.device_plugin import (
    is_serving,
    no_capacity,
    offer,
    offered,
    withdrawal,
)
from lowtide.local.nodes.machines import Machine
from lowtide.local.nodes.node import brings_plugin, gpus_of
from lowtide.local.nodes.worker import Worker

#: How long a kubelet waits for a plugin to come back (pkg/kubelet/cm/devicemanager, endpointStopGracePeriod).
_GRACE_S = 300.0


class Gpus:
    """Follows the device plugin's pods, and patches nodes. ``machine_of`` finds the instance of a node's name."""

    def __init__(
        self,
        cluster: Cluster,
        worker: Worker,
        settings: Settings,
        machine_of: Callable[[str], Machine | None],
    ) -> None:
        self._cluster = cluster
        self._worker = worker
        self._speed = settings.speed
        self._advertised_s = settings.delays.gpu_advertised_s
        self._machine_of = machine_of
        self._plugins: dict[str, set[str]] = {}
        self._ready: set[str] = set()

    def on_node(self, name: str, *, ready: bool) -> None:
        """A node has become Ready, or is no longer, or is gone."""
        if not ready:
            self._ready.discard(name)
        elif name not in self._ready:
            self._ready.add(name)
            machine = self._machine_of(name)
            # Elsewhere it is the plugin's pod that counts, and how long that has run; it is there already where a node takes
            # over the name, and with it the pods, of one that has just gone.
            if machine is not None and (brings_plugin(machine) or self._plugins.get(name)):
                self._soon(name, self._advertised_s)

    def on_pod(self, pod: Mapping[str, Any], *, gone: bool) -> None:
        """A bound pod has changed or is gone."""
        node, uid = pod["spec"]["nodeName"], pod["metadata"]["uid"]
        there = self._plugins.setdefault(node, set()) if is_serving(pod) else None
        if there is not None and not gone:
            if uid not in there:
                there.add(uid)
                self._soon(node, self._advertised_s)
        elif uid in self._plugins.get(node, ()):
            self._plugins[node].discard(uid)
            self._soon(node, 0.0)

    def settle(self, name: str) -> None:
        """Make the node offer what it should now. In the worker's thread."""
        machine = self._machine_of(name)
        gpus = gpus_of(machine) if machine is not None else 0
        node = self._cluster.get(NODE, name) if gpus else None
        if machine is None or node is None:
            return
        has = offered(node)
        if self._is_served(machine):
            if has != gpus:
                self._cluster.patch(NODE, name, offer(gpus), status=True)
        elif has:
            self._cluster.patch(NODE, name, withdrawal(), status=True)
            self._worker.after(_GRACE_S / self._speed, partial(self._forget, name))

    def _soon(self, node: str, seconds: float) -> None:
        self._worker.after(seconds / self._speed, partial(self.settle, node))

    def _forget(self, name: str) -> None:
        """Take the capacity away as well, of a plugin that did not come back."""
        machine = self._machine_of(name)
        if machine is None or self._is_served(machine):
            return
        if self._cluster.get(NODE, name) is not None:
            self._cluster.patch(NODE, name, no_capacity(), status=True)

    def _is_served(self, machine: Machine) -> bool:
        if brings_plugin(machine):
            return machine.name in self._ready
        return bool(self._plugins.get(machine.name))
