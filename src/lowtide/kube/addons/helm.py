"""Values for the upstream Helm charts, for clusters whose add-ons are kept by Helm.

Why it exists: people who run production by Helm want the charts of the projects themselves; with these values a chart makes what our
manifests make. Every value is read from the manifests, so that the two cannot differ.

Charts: cluster-autoscaler 9.58.0 (in the autoscaler's repository at its tag 1.36.1), nvidia-device-plugin 0.20.0 and
aws-node-termination-handler 0.27.6 (for its version 1.25.6); read on 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lowtide.kube.addons import cluster_autoscaler, nvidia_plugin, termination_handler
from lowtide.kube.objects import Manifest, yaml_text
from lowtide.model.cluster import ResolvedCluster

_DISCOVERY = "--node-group-auto-discovery=asg:tag="
_PROVIDER = "--cloud-provider="


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart to install: release name, where it is, which version, and its values.

    ``repository`` is empty for a chart that ``chart`` names by its own address.
    """

    release: str
    chart: str
    version: str
    values: Mapping[str, object]
    repository: str = ""

    @property
    def file(self) -> str:
        """The path of the values' file."""
        return f"helm/{self.release}.yaml"


def charts(
    cluster: ResolvedCluster, *, plugin: bool, interruptions: bool, queue_url: str = ""
) -> tuple[Chart, ...]:
    """Return the charts of a cluster.

    Args:
        cluster: the resolved cluster.
        plugin: whether the device plugin is needed.
        interruptions: whether there is a queue of interruptions to read.
        queue_url: its URL; without it, it is given at installation.
    """
    found = [autoscaler_chart(cluster)]
    if plugin:
        found.append(device_plugin_chart(cluster))
    if interruptions:
        found.append(termination_handler_chart(cluster, queue_url=queue_url))
    return tuple(found)


def helm_files(charts: tuple[Chart, ...]) -> dict[str, str]:
    """Return the text of each values file by its path."""
    return {one.file: yaml_text(one.values) for one in charts}


def autoscaler_chart(cluster: ResolvedCluster) -> Chart:
    """Return the Cluster Autoscaler's chart.

    The chart writes provider and discovery by itself; everything else goes through ``customArgs``, which keeps order, repeated flags
    and flags without a value. Its own default arguments are switched off.
    """
    deployment, budget = cluster_autoscaler.workload(cluster)
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    arguments: list[str] = container["args"]
    discovery = next((one for one in arguments if one.startswith(_DISCOVERY)), "")
    values = {
        **_named(cluster_autoscaler.NAME),
        "replicaCount": deployment["spec"]["replicas"],
        "image": _image(container["image"]),
        "cloudProvider": "aws",
        "awsRegion": cluster.region,
        "autoDiscovery": {
            "clusterName": cluster.name,
            "tags": discovery.removeprefix(_DISCOVERY).split(","),
        },
        "extraArgs": {"logtostderr": None, "stderrthreshold": None, "v": None},
        "customArgs": [
            one for one in arguments if one != discovery and not one.startswith(_PROVIDER)
        ],
        "rbac": {"serviceAccount": {"name": spec["serviceAccountName"]}},
        "podAnnotations": deployment["spec"]["template"]["metadata"]["annotations"],
        "podDisruptionBudget": {"maxUnavailable": budget["spec"]["maxUnavailable"]},
        "priorityClassName": spec["priorityClassName"],
        "nodeSelector": spec["nodeSelector"],
        "securityContext": spec["securityContext"],
        "containerSecurityContext": container["securityContext"],
        "resources": container["resources"],
        "service": {"create": False},
    }
    return Chart(
        release=cluster_autoscaler.NAME,
        chart="cluster-autoscaler",
        repository="https://kubernetes.github.io/autoscaler",
        version="9.58.0",
        values=values,
    )


def device_plugin_chart(cluster: ResolvedCluster) -> Chart:
    """Return the NVIDIA device plugin's chart.

    The chart looks for labels of node feature discovery, which is not installed; our affinity replaces them. It has no value for
    ``automountServiceAccountToken``.
    """
    (daemons,) = nvidia_plugin.device_plugin(cluster)
    spec = daemons["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    values = {
        "fullnameOverride": nvidia_plugin.NAME,
        "image": _image(container["image"]),
        "affinity": spec["affinity"],
        "tolerations": spec["tolerations"],
        "priorityClassName": spec["priorityClassName"],
        "resources": container["resources"],
        "securityContext": container["securityContext"],
        "updateStrategy": daemons["spec"]["updateStrategy"],
    }
    return Chart(
        release="nvidia-device-plugin",
        chart="nvidia-device-plugin",
        repository="https://nvidia.github.io/k8s-device-plugin",
        version="0.20.0",
        values=values,
    )


def termination_handler_chart(cluster: ResolvedCluster, *, queue_url: str = "") -> Chart:
    """Return the node termination handler's chart in queue mode."""
    (deployment,) = termination_handler.workload(cluster)
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    environment = termination_handler.settings(cluster)
    values = {
        "fullnameOverride": termination_handler.NAME,
        "image": _image(container["image"]),
        "replicas": deployment["spec"]["replicas"],
        "serviceAccount": {"name": template["spec"]["serviceAccountName"]},
        "enableSqsTerminationDraining": True,
        **({"queueURL": queue_url} if queue_url else {}),
        "awsRegion": environment["AWS_REGION"],
        "checkTagBeforeDraining": True,
        "managedTag": environment["MANAGED_TAG"],
        "deleteSqsMsgIfNodeNotFound": True,
        "emitKubernetesEvents": True,
        "podAnnotations": template["metadata"]["annotations"],
        "priorityClassName": template["spec"]["priorityClassName"],
        "podSecurityContext": template["spec"]["securityContext"],
        "securityContext": container["securityContext"],
        "resources": container["resources"],
    }
    return Chart(
        release=termination_handler.NAME,
        chart="oci://public.ecr.aws/aws-ec2/helm/aws-node-termination-handler",
        version="0.27.6",
        values=values,
    )


def _named(name: str) -> Manifest:
    """Name objects and container as our manifests do, whatever the release is called."""
    return {"nameOverride": name, "fullnameOverride": name}


def _image(image: str) -> Manifest:
    """Split an image as charts take it; they join the parts with a colon, which suits a digest, too."""
    repository, _, tag = image.rpartition(":")
    if not repository or "/" in tag:  # no tag, or the colon of a registry's port
        return {"repository": image, "tag": "latest"}
    return {"repository": repository, "tag": tag}
