"""NVIDIA's device plugin: without its pod on a node, that node has no ``nvidia.com/gpu``.

Driver and container runtime come with the EKS-optimised accelerated AMI; the plugin only tells the
kubelet how many GPUs there are. Bottlerocket's NVIDIA images run a plugin of their own, with which a second
one collides (bottlerocket#4309): there it stays away.
"""

from __future__ import annotations

from lowtide.kube.objects import Manifest, manifest
from lowtide.model import names
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.quantity import NVIDIA_GPU
from lowtide.model.taints import Taint, Toleration

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
        # It talks to the kubelet's socket alone: upstream's chart makes an account with rights only for its config manager and for
        # GPU feature discovery (deployments/helm, templates/role.yml), and neither runs here.
        "automountServiceAccountToken": False,
        "affinity": {"nodeAffinity": _where_needed(cluster)},
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


def _where_needed(cluster: ResolvedCluster) -> Manifest:
    """Return GPU nodes whose image has no plugin.

    On a node without a GPU it would crash-loop (eksctl#8858). No label of Bottlerocket's tells its nodes (bottlerocket#4756), but every
    node has the name of its group from kubelet start.
    """
    expressions: list[Manifest] = [{"key": names.ACCELERATOR, "operator": "Exists"}]
    served = [one.name for one in cluster.node_groups if one.brings_device_plugin]
    if served:
        expressions.append({"key": names.EKSCTL_NODEGROUP, "operator": "NotIn", "values": served})
    term = {"matchExpressions": expressions}
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
