"""The addons as files for ``kubectl apply -f``, with a note above each object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lowtide.kube.addons import cluster_autoscaler, nvidia_plugin
from lowtide.kube.addons.accounts import with_identities
from lowtide.kube.objects import to_yaml
from lowtide.model import names
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.meta import Meta

if TYPE_CHECKING:
    from lowtide.model.blueprint import Identity  # a simulation needs none of it

_AUTOSCALER_NOTES = {
    "ServiceAccount": """\
The autoscaler's identity. Its AWS permissions come from the cluster file
(iam.podIdentityAssociations), so nothing here depends on an account.""",
    "ClusterRole": """\
What it reads to simulate the scheduler, and what it may change: taints on nodes,
evictions, events.""",
    "Role": """\
In its own namespace: the lease that keeps one replica active, and the status
ConfigMap (kubectl -n kube-system describe configmap cluster-autoscaler-status).""",
    "Deployment": """\
Use the minor version of your cluster. The autoscaler has no toleration for GPU nodes:
it stays on the general group, or the last GPU node could never go.""",
    "PodDisruptionBudget": """\
A kube-system pod without a budget keeps its node alive for an hour.""",
}

_PLUGIN_NOTE = """\
Tells the kubelet how many GPUs its node has: only then does the node offer nvidia.com/gpu.
Tolerations let it onto the tainted GPU nodes; the affinity keeps it off all others, where
it would find no GPU and crash. The driver is part of the EKS-optimised accelerated AMI."""


def render_files(
    cluster: ResolvedCluster, *, identities: Iterable[Identity] = ()
) -> dict[str, str]:
    """Return the text of each file by its path; files of a folder apply in alphabetical order.

    ``identities`` are the file's; what they say of a service account of ours is written into it.
    """
    notes = {
        _system(kind, cluster_autoscaler.NAME): note for kind, note in _AUTOSCALER_NOTES.items()
    }
    notes[Meta(kind="ClusterRole", name=cluster_autoscaler.NAME)] = notes.pop(
        _system("ClusterRole", cluster_autoscaler.NAME)
    )
    notes[_system("DaemonSet", nvidia_plugin.NAME)] = _PLUGIN_NOTE
    access = with_identities(cluster_autoscaler.access(), identities)
    return {
        "autoscaler/1-access.yaml": to_yaml(access, notes=notes),
        "autoscaler/2-deployment.yaml": to_yaml(cluster_autoscaler.workload(cluster), notes=notes),
        "nvidiplugin.yaml": to_yaml(nvidia_plugin.device_plugin(cluster), notes=notes),
    }


def _system(kind: str, name: str) -> Meta:
    return Meta(kind=kind, name=name, namespace=names.SYSTEM_NAMESPACE)
