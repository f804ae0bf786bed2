"""Whether what was applied has come about: Deployments rolled out, DaemonSets everywhere, nodes ready; and why not.

Why it exists: applying an object is only a wish. The rules for workloads are those of ``kubectl rollout status``
(kubernetes/kubectl, pkg/polymorphichelpers/rollout_status.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster, Object
from lowtide.model import names
from lowtide.model.errors import KubernetesError

_KEEPS_PODS_OFF = frozenset({"NoSchedule", "NoExecute"})


def unfinished(obj: Mapping[str, Any]) -> str:
    """Return what a Deployment or DaemonSet still waits for, empty when it is rolled out.

    Raises:
        KubernetesError: its deadline for progress has passed.
    """
    status = obj.get("status", {})
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 1):
        return "its controller has not seen it yet"
    return _of_daemon_set(status) if obj["kind"] == "DaemonSet" else _of_deployment(obj, status)


def _of_deployment(obj: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    name = obj["metadata"]["name"]
    for one in status.get("conditions", ()):
        if one["type"] == "Progressing" and one.get("reason") == "ProgressDeadlineExceeded":
            raise KubernetesError(
                f"Deployment {name} does not come up",
                where=name,
                why=one.get("message", "its deadline for progress has passed"),
                fix=f"kubectl -n {obj['metadata'].get('namespace', 'default')} describe deployment {name}",
            )
    wanted = obj["spec"].get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are of the new form"
    if status.get("replicas", 0) > updated:
        return f"{status['replicas'] - updated} old pods are still there"
    if status.get("availableReplicas", 0) < updated:
        return f"{status.get('availableReplicas', 0)} of {updated} pods are available"
    return ""


def _of_daemon_set(status: Mapping[str, Any]) -> str:
    wanted = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are of the new form"
    return f"{available} of {wanted} pods are available" if available < wanted else ""


def trouble(cluster: Cluster, obj: Mapping[str, Any]) -> str:
    """Return what keeps the pods of a workload from running, in Kubernetes' own words, empty where nothing does.

    Raises:
        KubernetesError: the server refused, or cannot be reached.
    """
    selector = obj["spec"]["selector"]["matchLabels"]
    pods = cluster.list(
        kinds.POD, namespace=obj["metadata"].get("namespace", "default"), labels=selector
    )
    return next(filter(None, map(pod_trouble, pods.items)), "")


def pod_trouble(pod: Mapping[str, Any]) -> str:
    """Return what keeps a pod from running, empty where nothing does."""
    status = pod.get("status", {})
    for one in status.get("conditions", ()):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            return f"{one.get('reason', '')}: {one.get('message', '')}"
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = one.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""


def is_ready(node: Mapping[str, Any]) -> bool:
    """Return whether a node's kubelet says that it is ready."""
    conditions = node.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def takes_any_pod(node: Mapping[str, Any]) -> bool:
    """Return whether a node is ready and nothing keeps ordinary pods off."""
    taints = node.get("spec", {}).get("taints") or ()
    return is_ready(node) and not any(one["effect"] in _KEEPS_PODS_OFF for one in taints)


def instance_of(node: Mapping[str, Any]) -> str:
    """Return the EC2 instance behind a node, from ``aws:///ZONE/INSTANCE``."""
    return str(node.get("spec", {}).get("providerID", "")).rpartition("/")[2]


def gpu_nodes(nodes: Iterable[Object]) -> tuple[Object, ...]:
    """Return the nodes that have, or are to have, NVIDIA GPUs."""
    return tuple(
        one
        for one in nodes
        if names.ACCELERATOR in one["metadata"].get("labels", {})
        or one.get("status", {}).get("capacity", {}).get("nvidia.com/gpu", "0") != "0"
    )
