"""What lowtide installs into a cluster, as manifests.

Why it exists: ``up``, ``render``, the twin and the examples all take the autoscaler and the device plugin
from here, so that what is simulated is what is installed.

What it must not know: a client, the cloud, and where flags, images and taints were decided (resolve).
"""

from __future__ import annotations

from lowtide.kube.addons.cluster_autoscaler import autoscaler
from lowtide.kube.addons.eks import eks_system
from lowtide.kube.addons.files import render_files
from lowtide.kube.addons.nvidia_plugin import device_plugin
from lowtide.kube.objects import Manifest
from lowtide.model.cluster import ResolvedCluster

__all__ = ["autoscaler", "default_addons", "device_plugin", "eks_system", "render_files"]


def default_addons(cluster: ResolvedCluster) -> list[Manifest]:
    """Return what ``lowtide up`` installs: the autoscaler and the device plugin."""
    return [*autoscaler(cluster), *device_plugin(cluster)]
