from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from lowtide.kube.addons import autoscaler, device_plugin
from lowtide.kube.addons.helm import (
    Chart,
    autoscaler_chart,
    charts,
    device_plugin_chart,
    helm_files,
    termination_handler_chart,
)
from lowtide.kube.addons.termination_handler import termination_handler
from lowtide.kube.flags import autoscaler_options
from lowtide.kube.objects import Manifest
from lowtide.model.cluster import AddonVersions, NodeGroup, ResolvedCluster
from lowtide.model.kube import Taint
from lowtide.model.quantity import NVIDIA_GPU


def deployment(objects: list[Manifest], kind: str = "Deployment") -> Manifest:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


def pod(objects: list[Manifest], kind: str = "Deployment") -> tuple[Manifest, Manifest]:
    spec = deployment(objects, kind)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return spec, container


def values(chart: Chart) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(helm_files((chart,))[chart.file])
    return read


def chart_arguments(given: dict[str, Any]) -> list[str]:
    """Form the command line as the chart's templates/deployment.yaml does for AWS."""
    defaults = {"logtostderr": True, "stderrthreshold": "info", "v": 4}
    extra = {**defaults, **given["extraArgs"]}
    tags = ",".join(given["autoDiscovery"]["tags"])
    return [
        f"--cloud-provider={given['cloudProvider']}",
        "--namespace=kube-system",
        f"--node-group-auto-discovery=asg:tag={tags}",
        # Helm drops a default that the user sets to null.
        *(f"--{key}={value}" for key, value in extra.items() if value is not None),
        *given["customArgs"],
    ]


FLAGS = {
    "cloud-provider": "aws",
    "node-group-auto-discovery": "asg:tag=k8s.io/cluster-autoscaler/enabled,"
    "k8s.io/cluster-autoscaler/example",
    "balance-similar-node-groups": "true",
    "balancing-label": "lowtide.dev/pool\nteam",
    "expander": "least-waste",
    "scale-down-unneeded-time": "5m",
}


@pytest.fixture
def tuned(
    resolved_cluster: Callable[..., ResolvedCluster], node_group: Callable[..., NodeGroup]
) -> ResolvedCluster:
    """A cluster whose autoscaler has a flag that is given twice."""
    taints = (Taint(key=NVIDIA_GPU, value="true"), Taint(key="team", effect="NoExecute"))
    return resolved_cluster(
        node_group("general", "us-east-1a", gpu=False),
        node_group("gpu", "us-east-1a", gpu=True, taints=taints),
        flags=FLAGS,
    )


def test_the_autoscalers_chart_gets_the_arguments_of_the_manifest(tuned: ResolvedCluster) -> None:
    _, container = pod(autoscaler(tuned))

    formed = chart_arguments(values(autoscaler_chart(tuned)))

    assert sorted(formed) == sorted([*container["args"], "--namespace=kube-system"])
    command = ("/cluster-autoscaler",)
    assert autoscaler_options(command, [*formed[:1], *formed[2:]]) == autoscaler_options(
        command, container["args"]
    )


def test_the_autoscalers_chart_makes_the_pod_of_the_manifest(tuned: ResolvedCluster) -> None:
    spec, container = pod(autoscaler(tuned))
    given = values(autoscaler_chart(tuned))

    assert f"{given['image']['repository']}:{given['image']['tag']}" == container["image"]
    assert given["resources"] == container["resources"]
    assert given["containerSecurityContext"] == container["securityContext"]
    assert given["securityContext"] == spec["securityContext"]
    assert given["priorityClassName"] == spec["priorityClassName"]
    assert given["rbac"]["serviceAccount"]["name"] == spec["serviceAccountName"]
    assert given["podDisruptionBudget"] == {"maxUnavailable": 1}
    assert given["podAnnotations"] == {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}


def test_the_plugins_chart_makes_the_pod_of_the_manifest(tuned: ResolvedCluster) -> None:
    spec, container = pod(device_plugin(tuned), "DaemonSet")
    given = values(device_plugin_chart(tuned))

    assert given["affinity"] == spec["affinity"]
    assert given["tolerations"] == spec["tolerations"]
    assert {one["key"] for one in given["tolerations"]} == {NVIDIA_GPU, "team"}
    assert given["resources"] == container["resources"]
    assert given["securityContext"] == container["securityContext"]
    assert f"{given['image']['repository']}:{given['image']['tag']}" == container["image"]


def test_the_handlers_chart_makes_the_pod_of_the_manifest(tuned: ResolvedCluster) -> None:
    spec, container = pod(termination_handler(tuned))
    given = values(termination_handler_chart(tuned))
    environment = {one["name"]: one.get("value") for one in container["env"]}

    assert given["enableSqsTerminationDraining"] is True
    assert given["managedTag"] == environment["MANAGED_TAG"]
    assert given["awsRegion"] == environment["AWS_REGION"]
    assert str(given["emitKubernetesEvents"]).lower() == environment["EMIT_KUBERNETES_EVENTS"]
    assert given["serviceAccount"]["name"] == spec["serviceAccountName"]
    assert given["securityContext"] == container["securityContext"]


def test_the_queues_url_is_a_value_only_where_the_account_is_known(
    tuned: ResolvedCluster,
) -> None:
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/q"

    assert "queueURL" not in values(termination_handler_chart(tuned))
    assert values(termination_handler_chart(tuned, queue_url=url))["queueURL"] == url


def test_charts_are_those_that_the_cluster_needs(tuned: ResolvedCluster) -> None:
    everything = charts(tuned, plugin=True, interruptions=True)
    least = charts(tuned, plugin=False, interruptions=False)

    assert [one.release for one in everything] == [
        "cluster-autoscaler",
        "nvidia-device-plugin",
        "aws-node-termination-handler",
    ]
    assert [one.release for one in least] == ["cluster-autoscaler"]
    assert all(one.version for one in everything)


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("registry.k8s.io/autoscaler:v1", "registry.k8s.io/autoscaler", "v1"),
        ("localhost:5000/autoscaler", "localhost:5000/autoscaler", "latest"),
        ("localhost:5000/autoscaler:v1", "localhost:5000/autoscaler", "v1"),
        ("r.io/a@sha256:0123", "r.io/a@sha256", "0123"),
        ("autoscaler", "autoscaler", "latest"),
    ],
)
def test_images_are_split_as_a_registry_would_read_them(
    tuned: ResolvedCluster, image: str, repository: str, tag: str
) -> None:
    addons = AddonVersions(
        autoscaler_image=image, device_plugin_image="x:y", termination_handler_image="z:1"
    )

    given = values(autoscaler_chart(replace(tuned, addons=addons)))

    assert given["image"] == {"repository": repository, "tag": tag}
