"""Empties a cluster before its stacks are deleted: nothing buys nodes any more, balancers go, pods end in peace, volumes are marked.

Why it exists: a cluster that is deleted while its autoscaler runs buys replacements, a balancer that its controller no longer deletes
holds the network, and a pod that is not asked to end loses its work. Each wait has an end, and an API server that cannot be asked
is no obstacle: the stacks are deleted all the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lowtide import catalog
from lowtide.app.balancers import SHARE, Ways, delete_balancers
from lowtide.app.inside import Tell
from lowtide.app.patience import Patience, patiently
from lowtide.aws.live.account import Account
from lowtide.aws.live.node_groups import node_groups, set_bounds
from lowtide.aws.live.remains.asking import Asking
from lowtide.aws.live.remains.ec2 import tag_volumes
from lowtide.kube.leaving import ebs_volume, evictable, is_autoscaler
from lowtide.kube.live import kinds
from lowtide.kube.live.apply import called
from lowtide.kube.live.client import Cluster, NotFound, Object, Unreachable
from lowtide.kube.live.rollout import gpu_nodes
from lowtide.model.errors import AwsError, KubernetesError
from lowtide.model.live_plan import Progress
from lowtide.model.names import DOWN
from lowtide.model.node_groups import SeenGroup

Pod = Mapping[str, Any]

#: Keeps pods off a node, with a mark by which ``up`` knows that it was not somebody else who did.
CORDON = {"metadata": {"annotations": {DOWN: "cordoned"}}, "spec": {"unschedulable": True}}
#: Seconds in which an API server has to answer for the first time.
REACH_S = 20.0
#: Seconds that the autoscaler's pods have to end, which their own grace is shorter than.
AUTOSCALER_S = 60.0
#: A step is taken that many times where the API server cannot be reached; each call has 15 seconds.
_TRIES = 5
#: A group that is being deleted already, or is gone.
_GOING = frozenset(
    {
        "ValidationError",
        "ResourceNotFoundException",
        "ResourceInUseException",
        "ScalingActivityInProgress",
    }
)


@dataclass(slots=True)
class Emptied:
    """What became of it: pods that were ended by force, and what could not be done."""

    forced: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What emptying works with. ``drain_s`` are the seconds that all pods together have to end; 0 ends none of them."""

    account: Account
    name: str
    cluster: Cluster | None
    tell: Tell
    before_act: Callable[[], None]
    drain_s: float
    patience: Patience


def empty(means: Means) -> Emptied:
    """Empty a cluster.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    return _Emptying(means).run()


class _Emptying:
    def __init__(self, means: Means) -> None:
        self._means = means
        self._done = Emptied()
        self._cluster = means.cluster
        self._drain_ends = 0.0

    def run(self) -> Emptied:
        """Do all of it, in the order in which nothing is bought anew and GPU pods can still end by themselves."""
        self._greet()
        self._try(self._stop_autoscaler, self._drain_gpu_nodes)
        self._stop_groups()
        self._try(self._delete_balancers, self._mark_volumes, self._drain_nodes)
        return self._done

    def _greet(self) -> None:
        """Ask the API server something; one that does not answer is not waited for any longer."""
        ends = time.monotonic() + REACH_S
        while self._cluster is not None:
            try:
                self._cluster.list(kinds.NAMESPACE)
            except Unreachable as error:
                if time.monotonic() > ends:
                    self._note(
                        f"the API server does not answer, so the cluster was not emptied ({error.why})"
                    )
                    self._cluster = None
                    return
                self._means.patience.pause("the API server", why=error.why)
            except KubernetesError:
                return  # it answers, and each step says what it is refused
            else:
                return

    def _try(self, *steps: Callable[[Cluster], None]) -> None:
        """Do what works in the cluster; what it refuses is noted, and when it is lost nothing more is asked of it."""
        for step in steps:
            if self._cluster is None:
                return
            try:
                self._take(step, self._cluster)
            except KubernetesError as error:
                self._note(f"in the cluster: {error.what}: {error.why}")
                if isinstance(error, Unreachable):
                    self._cluster = None

    def _take(self, step: Callable[[Cluster], None], cluster: Cluster) -> None:
        """Take a step, and take it again while the API server does not answer for a moment: each may be taken twice."""
        for _ in range(_TRIES - 1):
            try:
                step(cluster)
            except Unreachable as error:
                self._means.patience.pause("the API server", why=error.why)
            else:
                return
        step(cluster)

    def _say(self, subject: str, status: str, reason: str = "") -> None:
        self._means.tell(Progress(subject=subject, status=status, reason=reason))

    def _note(self, words: str) -> None:
        self._done.notes.append(words)
        self._say("note", words)

    def _until(self, is_done: Callable[[], bool], within_s: float, what: str) -> bool:
        """Look again and again until it is done; False where the time was over before. ``what`` is waited for."""
        ends = time.monotonic() + min(within_s, SHARE * self._means.patience.left_s)
        while not patiently(self._means.patience, is_done):
            if time.monotonic() > ends:
                return False
            self._means.patience.pause(what, has_news=True)
        return True

    # Nothing is bought any more

    def _stop_autoscaler(self, cluster: Cluster) -> None:
        found = patiently(self._means.patience, lambda: cluster.list(kinds.DEPLOYMENT).items)
        for one in filter(is_autoscaler, found):
            name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
            if one["spec"].get("replicas", 1):
                self._means.before_act()
                cluster.patch(
                    kinds.DEPLOYMENT, name, {"spec": {"replicas": 0}}, namespace=namespace
                )
            labels = one["spec"]["selector"].get("matchLabels", {})
            no_pod = partial(_has_no_pod, cluster, namespace, labels)
            if self._until(no_pod, AUTOSCALER_S, f"the pods of {called(one)} to end"):
                self._say(called(one), "scaled to 0")
            else:
                self._note(f"{called(one)}: its pods did not end in {AUTOSCALER_S:.0f} s")

    def _stop_groups(self) -> None:
        """Let the GPU groups hold nothing: their instances end, and none comes in their place."""
        means = self._means
        look = partial(node_groups, means.account, means.name)
        for group in filter(_is_of_gpus, patiently(means.patience, look)):
            most = max(1, group.max_size) if group.managed else 0  # EKS takes no maximum of 0
            if group.owner != means.name or not (
                group.min_size or group.desired or group.max_size != most
            ):
                continue
            means.before_act()
            stop = partial(set_bounds, means.account, means.name, group, 0, most)
            try:
                patiently(means.patience, stop, acts=True)
            except AwsError as error:
                if error.code not in _GOING:
                    raise
                self._note(f"node group {group.name} was not set to 0 ({error.why})")
                continue
            self._say(f"node group {group.name}", "set to 0 nodes")

    # Balancers and volumes

    def _delete_balancers(self, cluster: Cluster) -> None:
        means = self._means
        delete_balancers(
            cluster,
            Ways(
                patience=means.patience,
                before_act=means.before_act,
                say=self._say,
                note=self._note,
            ),
        )

    def _mark_volumes(self, cluster: Cluster) -> None:
        """Put the cluster's tag on volumes that pods used: drivers do not always, and only the cluster knows them."""
        volumes = tuple(filter(None, map(ebs_volume, cluster.list(kinds.PERSISTENT_VOLUME).items)))
        if not volumes:
            return
        self._means.before_act()
        try:
            tag_volumes(Asking(self._means.account, self._means.name), volumes)
        except AwsError as error:
            self._note(
                f"{', '.join(volumes)} could not be marked, so look at them yourself ({error.why})"
            )

    # Pods

    def _drain_gpu_nodes(self, cluster: Cluster) -> None:
        self._drain_ends = time.monotonic() + self._means.drain_s
        self._drain(cluster, gpu_nodes(cluster.list(kinds.NODE).items))

    def _drain_nodes(self, cluster: Cluster) -> None:
        self._drain(cluster, cluster.list(kinds.NODE).items)

    def _drain(self, cluster: Cluster, nodes: Sequence[Object]) -> None:
        if not self._means.drain_s:
            return
        names = [one["metadata"]["name"] for one in nodes]
        for one in nodes:
            if not one.get("spec", {}).get("unschedulable"):
                self._means.before_act()
                with contextlib.suppress(NotFound):  # it went meanwhile
                    cluster.patch(kinds.NODE, one["metadata"]["name"], CORDON)
        told = ""
        while pods := evictable(cluster.list(kinds.POD).items, names):
            blocked = [one for one in pods if not self._evicted(cluster, one)]
            words = f"waiting for {len(pods)} pods to end"
            held = f"{len(blocked)} held by a PodDisruptionBudget" if blocked else ""
            if words + held != told:
                self._say("drain", words, held)
                told = words + held
            if time.monotonic() > self._drain_ends:
                self._force(cluster, pods, blocked)
                return
            self._means.patience.pause("pods to end", has_news=True)

    def _evicted(self, cluster: Cluster, pod: Pod) -> bool:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            return True
        self._means.before_act()
        try:
            return cluster.evict(metadata["namespace"], metadata["name"])
        except KubernetesError:
            # Several budgets for one pod are an error of the server, and it ends as one that forbids.
            return False

    def _force(self, cluster: Cluster, pods: Iterable[Pod], blocked: list[Pod]) -> None:
        """End what the drain's time was not enough for."""
        held = {one["metadata"]["uid"] for one in blocked}
        for one in pods:
            metadata = one["metadata"]
            why = (
                "a PodDisruptionBudget forbade it"
                if metadata["uid"] in held
                else "it took too long"
            )
            self._done.forced.append(f"{metadata['namespace']}/{metadata['name']} ({why})")
            if not metadata.get("deletionTimestamp"):
                self._means.before_act()
                cluster.delete(kinds.POD, metadata["name"], namespace=metadata["namespace"])
        self._say("drain", f"the time is over; ended by force: {', '.join(self._done.forced)}")


def _has_no_pod(cluster: Cluster, namespace: str, labels: Mapping[str, str]) -> bool:
    return not cluster.list(kinds.POD, namespace=namespace, labels=labels).items


def _is_of_gpus(group: SeenGroup) -> bool:
    shapes = (catalog.shape(one) for one in group.types)
    return any(one is not None and one.gpu for one in shapes)
