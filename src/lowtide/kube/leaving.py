"""What has to go, or be looked after, before a cluster is deleted: autoscalers, balancers, pods, volumes.

Why it exists: each is found by a rule of Kubernetes or of what runs in it; the rules are here, the calls elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lowtide.kube.autoscaler_words import DEPLOYMENT
from lowtide.model.names import SYSTEM_NAMESPACE

Object = Mapping[str, Any]

#: Set by kubelets on the mirror of a static pod, which nobody can evict (well-known annotations).
_MIRROR = "kubernetes.io/config.mirror"
_EBS_DRIVER = "ebs.csi.aws.com"


def is_autoscaler(deployment: Object) -> bool:
    """Return whether a Deployment is a Cluster Autoscaler, whatever it is called."""
    if deployment["metadata"]["name"] == DEPLOYMENT:
        return True
    pod = deployment.get("spec", {}).get("template", {}).get("spec", {})
    images = (one.get("image", "") for one in pod.get("containers", ()))
    return any(_repository(image) == DEPLOYMENT for image in images)


def _repository(image: str) -> str:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


def has_balancer(obj: Object) -> bool:
    """Return whether AWS has, or is to make, a load balancer for a Service or an Ingress."""
    if obj["kind"] == "Service":
        return bool(obj.get("spec", {}).get("type") == "LoadBalancer")
    points = obj.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return any(".elb." in one.get("hostname", "") for one in points)


def evictable(pods: Iterable[Object], nodes: Iterable[str]) -> tuple[Object, ...]:
    """Return the users' pods on some nodes that an eviction would end.

    Left out are pods that a DaemonSet would put there again, mirrors, and those that are over (``kubectl drain`` does the same), and the
    cluster's own, which have nowhere to go: a PodDisruptionBudget of CoreDNS would hold every deletion up.
    """
    names = frozenset(nodes)
    return tuple(one for one in pods if one.get("spec", {}).get("nodeName") in names and _ends(one))


def _ends(pod: Object) -> bool:
    metadata = pod["metadata"]
    owners = metadata.get("ownerReferences", ())
    return (
        metadata.get("namespace") != SYSTEM_NAMESPACE
        and pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}
        and _MIRROR not in metadata.get("annotations", {})
        and not any(one["kind"] == "DaemonSet" and one.get("controller") for one in owners)
    )


def ebs_volume(volume: Object) -> str:
    """Return the EBS volume behind a PersistentVolume, empty where it is something else."""
    spec = volume.get("spec", {})
    csi = spec.get("csi", {})
    if csi.get("driver") == _EBS_DRIVER:
        return str(csi.get("volumeHandle", ""))
    # The older form is aws://ZONE/ID, or the id alone (Kubernetes API reference, AWSElasticBlockStoreVolumeSource).
    return str(spec.get("awsElasticBlockStore", {}).get("volumeID", "")).rpartition("/")[2]
