"""From EC2's instances to the nodes of clusters: listens to the box, and knows which cluster has a control plane.

Why it exists: Auto Scaling knows nothing of clusters, and a control plane nothing of instances; which cluster an instance belongs to
stands in its user data alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from lowtide.kube.live.client import Cluster
from lowtide.local.aws.box import Box
from lowtide.local.aws.eks.planes_port import Key
from lowtide.local.aws.events import Event, InstanceGone, InstanceInService
from lowtide.local.nodes.booted import NoNode
from lowtide.local.nodes.cluster_nodes import ClusterNodes
from lowtide.local.nodes.joining import cluster_key
from lowtide.local.nodes.machines import machine
from lowtide.local.nodes.user_data import booted_of
from lowtide.local.nodes.worker import Worker

_log = logging.getLogger(__name__)


class Nodes:
    """The nodes of all clusters of a box. ``kubeconfig`` finds the bridge's own for a cluster that runs."""

    def __init__(self, box: Box, kubeconfig: Callable[[Key], Path | None]) -> None:
        self._box = box
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._clusters: dict[Key, ClusterNodes] = {}
        self._no_nodes: dict[str, str] = {}
        self._worker = Worker("nodes")
        self._worker.start()
        box.subscribe(self._hear)

    def cluster_up(self, key: Key) -> None:
        """A control plane serves, anew perhaps and at another address: instances become its nodes."""
        path = self._kubeconfig(key)
        if path is None:
            return
        fresh = ClusterNodes(self._box, key, Cluster.connect(path))
        with self._lock:
            old, self._clusters[key] = self._clusters.get(key), fresh
        if old is not None:
            old.stop()
        fresh.start()

    def cluster_down(self, key: Key) -> None:
        """A control plane is about to stop."""
        with self._lock:
            old = self._clusters.pop(key, None)
        if old is not None:
            old.stop()

    def close(self) -> None:
        """Stop everything; nodes stay as they are."""
        self._worker.stop()
        for key in list(self._clusters):
            self.cluster_down(key)

    def refused(self) -> Mapping[str, str]:
        """Return why instances that run are no nodes, by id."""
        with self._lock:
            clusters = list(self._clusters.values())
        waiting = {id_: why for one in clusters for id_, why in one.refused().items()}
        return {**self._no_nodes, **waiting}

    def _hear(self, event: Event) -> None:
        """Take an event of the box, under its lock."""
        if isinstance(event, InstanceInService):
            self._worker.after(0, partial(self._launched, event.region, event.instance_id))
        elif isinstance(event, InstanceGone):
            self._worker.after(0, partial(self._gone, event.region, event.instance_id))

    def _launched(self, region: str, instance_id: str) -> None:
        found = machine(self._box, region, instance_id)
        if found is None:
            return
        try:
            booted = booted_of(found)
        except NoNode as error:
            _log.warning("%s does not become a node: %s", instance_id, error)
            self._no_nodes[instance_id] = str(error)
            return
        key = cluster_key(self._box, region, booted)
        if key is None:
            why = f"there is no cluster {booted.cluster} in {region}"
            _log.warning("%s does not become a node: %s", instance_id, why)
            self._no_nodes[instance_id] = why
            return
        with self._lock:
            nodes = self._clusters.get(key)
        # Of a cluster whose control plane does not serve yet, the instance is found when it does.
        if nodes is not None:
            settings = self._box.settings
            after_s = settings.delays.node_registers_s / settings.speed
            nodes.appear(found, booted, after_s=after_s)

    def _gone(self, region: str, instance_id: str) -> None:
        self._no_nodes.pop(instance_id, None)
        with self._lock:
            clusters = [one for key, one in self._clusters.items() if key[0] == region]
        for one in clusters:
            one.vanish(instance_id)
