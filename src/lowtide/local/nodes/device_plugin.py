"""When a node offers its GPUs: while NVIDIA's device plugin runs there.

Why it exists: a GPU node without the plugin is Ready and useless, and that is a fault that people must be able to meet here.

The plugin is known by its image (``k8s-device-plugin``, the twin's rule), whatever runs it. The mount of the kubelet's socket folder is
not asked for: manifests in use leave it out where nothing reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.kube.flags import image_name
from lowtide.model.quantity import NVIDIA_GPU

_IMAGE = "k8s-device-plugin"


def is_serving(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is a device plugin that runs and is not being deleted."""
    status = pod.get("status", {})
    if status.get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
        return False
    return any(image_name(one["image"]) == _IMAGE for one in pod["spec"]["containers"])


def offer(gpus: int) -> dict[str, Any]:
    """Return the patch of a node's status that offers GPUs."""
    amounts = {NVIDIA_GPU: str(gpus)}
    return {"status": {"capacity": amounts, "allocatable": amounts}}


def withdrawal() -> dict[str, Any]:
    """Return the patch of a node's status once its plugin is gone.

    A kubelet marks the devices unhealthy at once (allocatable 0) and keeps capacity for five minutes more (kubernetes,
    pkg/kubelet/cm/devicemanager, endpointStopGracePeriod). A plugin that was only replaced is back sooner.
    """
    return {"status": {"allocatable": {NVIDIA_GPU: "0"}}}


def no_capacity() -> dict[str, Any]:
    """Return the patch of a node's status once its plugin has been gone for those five minutes."""
    return offer(0)


def offered(node: Mapping[str, Any]) -> int | None:
    """Return how many GPUs may be allocated on a node, None where it has never offered any."""
    amount = node.get("status", {}).get("allocatable", {}).get(NVIDIA_GPU)
    return None if amount is None else int(amount)
