"""What every image tells its kubelet alike: labels, taints, and whether it must find the cluster by itself."""

from __future__ import annotations

from collections.abc import Mapping

from lowtide.model.cluster import NodeGroup


def boots_alone(group: NodeGroup) -> bool:
    """Return whether user data must name cluster, labels and taints.

    For a managed group with an image of its own choice EKS adds them; it has none of Ubuntu.
    """
    return not group.managed or needs_image(group)


def needs_image(group: NodeGroup) -> bool:
    """Return whether the launch template names the image, and not EKS by AmiType."""
    own = bool(group.ami.image_id) or group.ami.family.startswith("Ubuntu")
    return own or not group.managed


def node_labels(labels: Mapping[str, str]) -> str:
    """Return labels as ``--node-labels`` takes them, in order of their keys."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def node_taints(group: NodeGroup) -> str:
    """Return taints as ``--register-with-taints`` takes them."""
    return ",".join(map(str, group.taints))


def kubelet_flags(group: NodeGroup) -> list[str]:
    """Return the kubelet's flags for labels and taints, without those that would be empty."""
    flags = []
    if group.labels:
        flags.append(f"--node-labels={node_labels(group.labels)}")
    if group.taints:
        flags.append(f"--register-with-taints={node_taints(group)}")
    return flags
