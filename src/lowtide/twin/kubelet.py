"""Kubelet: from a bound pod to a running one, to its end.

Why it exists: a bound pod still has to pull its images and start; a deleted one holds its GPU until it has ended.

Images are pulled one after the other on each node (kubelet's serializeImagePulls default) and stay there. Containers
start once the node is Ready.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lowtide.model.kube import Node, Phase, Pod
from lowtide.model.quantity import MIB
from lowtide.twin import images
from lowtide.twin.kernel import floor_second, whole_ms
from lowtide.twin.nodelife import NodeLife
from lowtide.twin.rules import Warn, WorldRules
from lowtide.twin.store import FINISHED, Store

TransferHearer = Callable[[str, int], None]


class Kubelet:
    """The kubelets of all nodes.

    ``transferred`` takes the way and the bytes of a pull, ``warn`` what the run has to say loudly.
    """

    def __init__(
        self,
        store: Store,
        nodes: NodeLife,
        rules: WorldRules,
        transferred: TransferHearer,
        warn: Warn,
    ) -> None:
        self._store = store
        self._kernel = store.kernel
        self._nodes = nodes
        self._rules = rules
        self._transferred = transferred
        self._warn = warn
        self._images: dict[str, dict[str, int]] = {}
        """Per node: when each image is (or was) there."""
        self._waits_for_ready: dict[str, list[Pod]] = {}
        self.installing = False
        """Whether pods that are added now have long run when the world starts."""
        self._settled: set[str] = set()
        """uids of such pods."""
        signals = store.signals
        signals.pod_added.append(self._on_added)
        signals.pod_bound.append(self._on_bound)
        signals.pod_running.append(self._on_running)
        signals.node_updated.append(self._on_node_updated)
        signals.node_removed.append(self._on_node_removed)

    def delete(self, key: str, how: str) -> None:
        """End a pod: one that runs gets its grace period, any other is gone at once."""
        pod = self._store.pods.get(key)
        if pod is None or pod.deleting_ms is not None:
            return
        grace_ms = min(self._rules.pod_grace_ms, pod.spec.grace_seconds * 1000)
        if pod.phase is not Phase.RUNNING or grace_ms <= 0:
            self._store.end_pod(key, how)
            return
        self._store.begin_deletion(key, how)
        self._kernel.after(grace_ms, partial(self._end, pod, how))

    def _on_added(self, pod: Pod) -> None:
        if self.installing:
            self._settled.add(pod.uid)

    def _on_bound(self, pod: Pod) -> None:
        if pod.phase is Phase.RUNNING:
            return
        node = self._store.nodes[pod.node_name or ""]
        if pod.uid in self._settled and self._kernel.now_ms == self._rules.start_ms:
            self._settle(pod, node)
        elif self._rules.pod_start_ms is not None:
            self._kernel.after(self._rules.pod_start_ms(pod.spec), partial(self._run, pod))
        elif node.ready:
            self._start(pod, self._pull(pod, node))
        else:
            self._pull(pod, node)
            self._waits_for_ready.setdefault(node.name, []).append(pod)

    def _settle(self, pod: Pod, node: Node) -> None:
        here = self._images.setdefault(node.name, {})
        for container in pod.spec.containers:
            here.setdefault(container.image, self._kernel.now_ms)
        self._run(pod)

    def _pull(self, pod: Pod, node: Node) -> int:
        """Begin to pull what is not there, and return when all of the pod's images are."""
        now_ms = self._kernel.now_ms
        here = self._images.setdefault(node.name, {})
        ready_ms = now_ms
        for container in pod.spec.containers:
            image = container.image
            if not image:
                continue
            if image not in here:
                begin_ms = max([floor_second(now_ms), *here.values()])
                here[image] = begin_ms + self._fetch(image, node)
            ready_ms = max(ready_ms, here[image])
        return ready_ms

    def _fetch(self, image: str, node: Node) -> int:
        """Record the transfers of an image and return its duration in ms."""
        size = self._size(image)
        machine = self._nodes.by_node.get(node.name)
        if machine is not None and machine.group.private:
            for way in images.routes(
                image,
                machine.instance.zone,
                nat_zones=self._rules.nat_zones,
                s3_gateway_endpoint=self._rules.s3_gateway_endpoint,
            ):
                self._transferred(way, size)
        return whole_ms(images.pull_seconds(size, self._rules.timings))

    def _size(self, image: str) -> int:
        """Return the bytes of an image; a guess is a large part of a wait, so it is said."""
        timings = self._rules.timings
        size = images.size_bytes(image, timings)
        if size is not None:
            return size
        self._warn(
            f"The size of the image {image} is a guess, {timings.image_mib:g} MiB: set timings.imageSizesMiB in"
            " lowtide.yaml."
        )
        return round(timings.image_mib * MIB)

    def _start(self, pod: Pod, ready_ms: int) -> None:
        wait_ms = max(0, ready_ms - floor_second(self._kernel.now_ms))
        delay_ms = wait_ms + whole_ms(self._rules.timings.container_start_s)
        self._kernel.after(delay_ms, partial(self._run, pod))

    def _run(self, pod: Pod) -> None:
        current = self._store.current(pod)
        if current is not None and current.deleting_ms is None:
            self._store.run(pod.key)

    def _on_running(self, pod: Pod) -> None:
        # A container that exits under restartPolicy Always is started again in place: its pod runs on.
        spec = pod.spec
        if spec.run_seconds is not None and spec.restart_policy != "Always":
            self._kernel.after(whole_ms(spec.run_seconds), partial(self._end, pod, FINISHED))

    def _end(self, pod: Pod, how: str) -> None:
        current = self._store.current(pod)
        if current is None or (how == FINISHED and current.deleting_ms is not None):
            return
        self._store.end_pod(pod.key, how)

    def _on_node_updated(self, node: Node) -> None:
        if node.ready and node.name in self._waits_for_ready:
            for pod in self._waits_for_ready.pop(node.name):
                if self._store.current(pod) is not None:
                    self._start(pod, self._pull(pod, node))

    def _on_node_removed(self, node: Node) -> None:
        self._images.pop(node.name, None)
        self._waits_for_ready.pop(node.name, None)
