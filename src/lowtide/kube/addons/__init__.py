"""What lowtide installs into a cluster, as manifests.

Why it exists: ``up``, ``render``, the twin and the examples all take the autoscaler, the device plugin and the
termination handler from here, so that what is simulated is what is installed.

What it must not know: a client, the cloud, and where flags, images and taints were decided (resolve).
"""

from __future__ import annotations

from lowtide.kube.addons import termination_handler
from lowtide.kube.addons.cluster_autoscaler import autoscaler
from lowtide.kube.addons.eks import eks_system
from lowtide.kube.addons.files import render_files
from lowtide.kube.addons.nvidia_plugin import device_plugin
from lowtide.kube.objects import Manifest
from lowtide.model.cluster import ResolvedCluster

__all__ = ["autoscaler", "default_addons", "device_plugin", "eks_system", "render_files"]


def default_addons(cluster: ResolvedCluster) -> list[Manifest]:
    """Return what ``lowtide up`` installs: the autoscaler, and plugin and handler where the cluster needs them."""
    return [
        *autoscaler(cluster),
        *(device_plugin(cluster) if cluster.needs_device_plugin else ()),
        *(termination_handler.termination_handler(cluster) if cluster.uses_spot else ()),
    ]
