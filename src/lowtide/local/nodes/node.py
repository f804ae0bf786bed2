"""The Node object that an instance's kubelet registers, with what the cloud controller adds to it.

Why it exists: the scheduler, the autoscaler and ``kubectl describe node`` read all of this. Capacity and allocatable come from
``resolve``, where plan and twin have them from, so a pod that fits there fits here.

Sources: a recorded node (labels, addresses, node info); kubelet's registration (kubernetes, pkg/kubelet/kubelet_node_status.go); labels of
cloud-provider-aws (topology.k8s.aws/zone-id since 1.30).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from lowtide import catalog
from lowtide.local.controlplane.releases import release_of
from lowtide.local.nodes.booted import Booted
from lowtide.local.nodes.machines import Machine
from lowtide.model import names
from lowtide.model.quantity import (
    EPHEMERAL_STORAGE,
    KIB,
    MEMORY,
    NVIDIA_GPU,
    Resources,
    format_amount,
)
from lowtide.resolve.nodes import candidate

#: kwok looks after nodes with this annotation alone.
KWOK = ("kwok.x-k8s.io/node", "fake")
INSTANCE = "lowtide.dev/instance"
_KUBELET_PORT = 10250
_KERNELS = {"amd64": "x86_64", "arm64": "aarch64"}
#: The minor in the names of images: …-nvidia-580-1.36-v…, aws-k8s-1.36-nvidia, k8s_1.36/images.
_MINOR = re.compile(r"(?:-|k8s[-_])(1\.\d+)(?=-v|-|/)")
#: Family of the image to osImage, kernel and container runtime of such nodes; versions of late 2026.
_SYSTEMS = {
    "bottlerocket": ("Bottlerocket OS 1.52.0", "6.12.40", "containerd://2.1.5+bottlerocket"),
    "ubuntu": ("Ubuntu LTS", "6.14.0-1012-aws", "containerd://2.1.5"),
    "amazon": ("Amazon Linux 2023", "6.12.40-64.114.amzn2023", "containerd://2.1.5"),
}


def node_object(machine: Machine, booted: Booted, minor: str) -> dict[str, Any]:
    """Return the node as it is first seen: not Ready, without GPUs.

    The kubelet is of the image's minor; ``minor`` is the cluster's, for images that do not say theirs.

    Raises:
        InputError: the catalog does not know the type.
    """
    arch = catalog.instance_type(machine.instance_type).arch
    offered = candidate(
        catalog.offering(machine.instance_type, machine.region),
        disk_gib=machine.disk_gib,
        max_pods=booted.max_pods,
    )
    taints = [
        {"key": one.key, "effect": one.effect, **({"value": one.value} if one.value else {})}
        for one in booted.taints
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": machine.name,
            "labels": _labels(machine, booted, arch),
            "annotations": {KWOK[0]: KWOK[1], INSTANCE: machine.id},
        },
        "spec": {"providerID": machine.provider_id, **({"taints": taints} if taints else {})},
        "status": {
            "addresses": _addresses(machine),
            "capacity": _written(offered.capacity),
            "allocatable": _written(offered.allocatable),
            "conditions": _conditions(),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": _KUBELET_PORT}},
            "nodeInfo": _info(machine, arch, minor),
        },
    }


def gpus_of(machine: Machine) -> int:
    """Return the GPUs that a device plugin finds: those of the type, where the image has a driver.

    AWS's public images have one where their name says nvidia; of other images it is taken for granted.
    """
    if machine.image is not None and "nvidia" not in machine.image.name:
        return 0
    return catalog.instance_type(machine.instance_type).nvidia_gpus


def brings_plugin(machine: Machine) -> bool:
    """Return whether the image offers its GPUs by itself: Bottlerocket's NVIDIA variants do (EKS user guide)."""
    return machine.image is not None and machine.image.name.startswith("bottlerocket")


def _labels(machine: Machine, booted: Booted, arch: str) -> dict[str, str]:
    known = {
        "beta.kubernetes.io/arch": arch,
        "beta.kubernetes.io/instance-type": machine.instance_type,
        "beta.kubernetes.io/os": "linux",
        "failure-domain.beta.kubernetes.io/region": machine.region,
        "failure-domain.beta.kubernetes.io/zone": machine.zone,
        names.ARCH: arch,
        names.HOSTNAME: machine.name,
        names.OS: "linux",
        names.INSTANCE_TYPE: machine.instance_type,
        names.REGION: machine.region,
        names.ZONE: machine.zone,
    }
    if machine.zone_id:
        known["topology.k8s.aws/zone-id"] = machine.zone_id
    return {**booted.labels, **known}


def _addresses(machine: Machine) -> list[dict[str, str]]:
    return [
        {"type": "InternalIP", "address": machine.private_ip},
        {"type": "InternalDNS", "address": machine.name},
        {"type": "Hostname", "address": machine.name},
    ]


def _conditions() -> list[dict[str, str]]:
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = (
        ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"),
    )  # fmt: skip
    return [
        {
            "type": kind,
            "status": "False",
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        for kind, reason, message in rows
    ]


def _info(machine: Machine, arch: str, minor: str) -> dict[str, str]:
    name = machine.image.name if machine.image is not None else "amazon"
    family = next((one for one in _SYSTEMS if name.startswith(one)), "amazon")
    system, kernel, runtime = _SYSTEMS[family]
    found = _MINOR.search(name)
    version = f"v{release_of(found[1] if found else minor).kubernetes}"
    return {
        "architecture": arch,
        "bootID": machine.id,
        "containerRuntimeVersion": runtime,
        "kernelVersion": f"{kernel}.{_KERNELS[arch]}" if family == "amazon" else kernel,
        "kubeProxyVersion": version,
        "kubeletVersion": version,
        "machineID": f"ec2{machine.id}",
        "operatingSystem": "linux",
        "osImage": system,
        "systemUUID": f"ec2{machine.id}",
    }


def _written(amounts: Resources) -> dict[str, str]:
    """Write amounts as a kubelet does; GPUs are the device plugin's to add."""
    return {
        key: f"{amount // KIB}Ki"
        if key in {MEMORY, EPHEMERAL_STORAGE}
        else format_amount(key, amount)
        for key, amount in amounts.items()
        if key != NVIDIA_GPU
    }
