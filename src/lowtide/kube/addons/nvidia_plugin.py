"""NVIDIA's device plugin: without its pod on a node, that node has no ``nvidia.com/gpu``.

Driver and container runtime come with the EKS-optimised accelerated AMI; the plugin only tells the
kubelet how many GPUs there are.
"""

from __future__ import annotations

from lowtide.kube.objects import Manifest, manifest
from lowtide.model import names
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.kube import Taint, Toleration
from lowtide.model.quantity import NVIDIA_GPU

NAME = "nvidia-device-plugin-daemonset"
_LABELS = {"name": "nvidia-device-plugin-ds"}
_SOCKETS = "/var/lib/kubelet/device-plugins"


def device_plugin(cluster: ResolvedCluster) -> list[Manifest]:
    """Return the DaemonSet, tolerating every taint of the cluster's GPU groups."""
    return [
        manifest(
            "apps/v1",
            "DaemonSet",
            NAME,
            namespace=names.SYSTEM_NAMESPACE,
            labels=_LABELS,
            spec={
                "selector": {"matchLabels": _LABELS},
                "updateStrategy": {"type": "RollingUpdate"},
                "template": {"metadata": {"labels": _LABELS}, "spec": _pod_spec(cluster)},
            },
        )
    ]


def _pod_spec(cluster: ResolvedCluster) -> Manifest:
    return {
        "priorityClassName": "system-node-critical",
        "affinity": {"nodeAffinity": _on_gpu_nodes()},
        "tolerations": _tolerations(cluster),
        "containers": [
            {
                "name": "nvidia-device-plugin-ctr",
                "image": cluster.addons.device_plugin_image,
                "resources": {
                    "requests": {"cpu": "50m", "memory": "100Mi"},
                    "limits": {"memory": "300Mi"},
                },
                # It runs as root, because the kubelet's socket folder is root's (eksctl#6025), but
                # unprivileged: neither host devices nor capabilities are needed to count GPUs.
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "volumeMounts": [{"name": "device-plugins", "mountPath": _SOCKETS}],
            }
        ],
        "volumes": [{"name": "device-plugins", "hostPath": {"path": _SOCKETS}}],
    }


def _on_gpu_nodes() -> Manifest:
    """On a node without a GPU the plugin would crash-loop (eksctl#8858)."""
    term = {"matchExpressions": [{"key": names.ACCELERATOR, "operator": "Exists"}]}
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}


def _tolerations(cluster: ResolvedCluster) -> list[Manifest]:
    """EKS adds a GPU toleration only to pods that request GPUs, which the plugin does not."""
    needed = [Taint(key=NVIDIA_GPU)]
    for group in cluster.node_groups:
        if group.is_gpu:
            needed += [taint for taint in group.taints if taint.effect != "PreferNoSchedule"]
    tolerations = {
        (taint.key, taint.effect): Toleration(key=taint.key, operator="Exists", effect=taint.effect)
        for taint in needed
    }
    return [
        {"key": one.key, "operator": one.operator, "effect": one.effect}
        for one in tolerations.values()
    ]
