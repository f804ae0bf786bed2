"""Proves that GPU nodes come from zero, go back to it, and come again.

Why it exists: many set-ups scale from zero only once (autoscaler#8799), and nothing else than doing it twice shows that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from lowtide.app.inside import Tell
from lowtide.app.patience import Patience, patiently
from lowtide.kube.addons.proof import NAME, NAMESPACE, proof_pod
from lowtide.kube.leaving import evictable
from lowtide.kube.live import kinds, rollout
from lowtide.kube.live.client import Cluster, Object
from lowtide.model.errors import KubernetesError, LowtideError
from lowtide.model.live_plan import Progress, Proof

#: Pods run that often, each on a node that came from zero.
ROUNDS = 2
_POD = f"Pod/{NAME}"
#: Pods that are named where they hold GPU nodes.
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Proving:
    """What a proof works with."""

    cluster: Cluster
    patience: Patience
    tell: Tell
    before_act: Callable[[], None]


def prove(proving: Proving) -> tuple[Proof, ...]:
    """Run the pod on a node that came from zero, and again after it went back to zero.

    Raises:
        LowtideError: GPU nodes did not come or go in time, or the pod failed.
        KubernetesError: the server refused.
    """
    _remove(proving)
    proofs = []
    try:
        for _ in range(ROUNDS):
            _wait_for_zero(proving)
            proofs.append(_round(proving))
            _remove(proving)
    except BaseException:
        # A pod that waits for a GPU would buy one some time; the error that led here is what is told.
        try:
            _remove(proving)
        except KubernetesError:
            proving.tell(Progress(subject=_POD, status="could not be deleted"))
        raise
    return tuple(proofs)


def _remove(proving: Proving) -> None:
    """Delete the pod, of this run or of one that was killed, and wait until it is gone."""
    proving.before_act()
    proving.cluster.delete(kinds.POD, NAME, namespace=NAMESPACE)
    look = partial(proving.cluster.get, kinds.POD, NAME, NAMESPACE)
    while patiently(proving.patience, look) is not None:
        proving.patience.pause(_POD)


def _wait_for_zero(proving: Proving) -> None:
    told = ""
    while nodes := patiently(proving.patience, partial(_gpu_nodes, proving.cluster)):
        held = patiently(proving.patience, partial(_holding, proving.cluster, nodes))
        status = f"waiting for {len(nodes)} to go"
        words = status + held
        if words != told:
            proving.tell(Progress(subject="GPU nodes", status=status, reason=held))
        why = f"GPU nodes that are still there: {len(nodes)}"
        proving.patience.pause(
            "GPU nodes to go",
            has_news=words != told,
            why=f"{why}, {held}" if held else why,
        )
        told = words


def _holding(cluster: Cluster, nodes: Iterable[Object]) -> str:
    """Return which users' pods hold nodes, for people; empty where none does."""
    pods = evictable(cluster.list(kinds.POD).items, (one["metadata"]["name"] for one in nodes))
    found = sorted(f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in pods)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"held by {', '.join(found[:_SHOWN])}{more}" if found else ""


def _gpu_nodes(cluster: Cluster) -> tuple[Object, ...]:
    return rollout.gpu_nodes(cluster.list(kinds.NODE).items)


def _round(proving: Proving) -> Proof:
    proving.before_act()
    started = time.monotonic()
    proving.cluster.create(proof_pod())
    proving.tell(Progress(subject=_POD, status="created, no GPU node is there"))
    told = ""
    while True:
        pod = patiently(proving.patience, partial(proving.cluster.get, kinds.POD, NAME, NAMESPACE))
        if pod is None:
            raise KubernetesError("somebody deleted the proof's pod", where=_POD)
        phase = pod.get("status", {}).get("phase", "")
        if phase == "Succeeded":
            break
        if phase == "Failed":
            raise _failed(proving.cluster)
        words = f"{phase}: {rollout.pod_trouble(pod)}"
        if words != told:
            proving.tell(Progress(subject=_POD, status=words.rstrip(": ")))
        proving.patience.pause(_POD, has_news=words != told, why=rollout.pod_trouble(pod))
        told = words
    node = str(pod["spec"]["nodeName"])
    proving.tell(Progress(subject=_POD, status=f"ran nvidia-smi on {node}"))
    seconds = round(time.monotonic() - started, 1)
    return Proof(node=node, pod_seconds=seconds, log=_log(proving.cluster))


def _failed(cluster: Cluster) -> LowtideError:
    return KubernetesError(
        "nvidia-smi failed on a GPU node",
        where=_POD,
        why=_log(cluster).strip() or "it ended with an error and printed nothing",
        fix="look at the driver of the node's image: amiFamily in the cluster file",
    )


def _log(cluster: Cluster) -> str:
    """Return what the pod printed; nodes that play their pods have no log."""
    try:
        return cluster.log(NAMESPACE, NAME)
    except KubernetesError:
        return ""
