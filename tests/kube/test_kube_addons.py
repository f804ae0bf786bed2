from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lowtide.kube.addons import (
    autoscaler,
    default_addons,
    device_plugin,
    eks_system,
    render_files,
)
from lowtide.kube.addons.cluster_autoscaler import arguments
from lowtide.kube.addons.termination_handler import termination_handler_files
from lowtide.kube.flags import autoscaler_options, is_autoscaler, is_device_plugin
from lowtide.kube.objects import Manifest
from lowtide.model import names
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.kube import Container, PodSpec, Requirement, Taint, Toleration
from lowtide.model.quantity import NVIDIA_GPU

READ = ("get", "list", "watch")

# What upstream's 1.33 to 1.36 ask for: informers and listers (core/autoscaler.go, utils/kubernetes), the
# informers of kube-scheduler's default plugins, taints, evictions, events, lease and status.
NEEDED_ANYWHERE: dict[str, dict[str, tuple[str, ...]]] = {
    "": {
        "nodes": (*READ, "update"),
        "pods": READ,
        "pods/eviction": ("create",),
        "services": READ,
        "namespaces": READ,
        "replicationcontrollers": READ,
        "persistentvolumes": READ,
        "persistentvolumeclaims": READ,
        "events": ("create", "patch"),
    },
    "apps": {"daemonsets": READ, "replicasets": READ, "statefulsets": READ},
    "batch": {"jobs": READ},
    "policy": {"poddisruptionbudgets": ("list", "watch")},
    "storage.k8s.io": {
        "storageclasses": READ,
        "csinodes": READ,
        "csidrivers": READ,
        "csistoragecapacities": READ,
        "volumeattachments": READ,
    },
    "resource.k8s.io": {"deviceclasses": READ, "resourceclaims": READ, "resourceslices": READ},
}
NEEDED_IN_ITS_NAMESPACE = [
    ("coordination.k8s.io", "leases", "", "create"),
    ("coordination.k8s.io", "leases", "cluster-autoscaler", "get"),
    ("coordination.k8s.io", "leases", "cluster-autoscaler", "update"),
    ("", "configmaps", "", "create"),
    ("", "configmaps", "", "list"),
    ("", "configmaps", "", "watch"),
    ("", "configmaps", "cluster-autoscaler-status", "get"),
    ("", "configmaps", "cluster-autoscaler-status", "update"),
    ("", "configmaps", "cluster-autoscaler-status", "delete"),
    ("", "configmaps", "cluster-autoscaler-priority-expander", "get"),
]


def of_kind(objects: list[Manifest], kind: str) -> Manifest:
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


def allows(role: Manifest, group: str, resource: str, name: str, verb: str) -> bool:
    """Evaluate a role as the RBAC authorizer does (rbac.RuleAllows)."""
    return any(
        group in rule["apiGroups"]
        and resource in rule["resources"]
        and verb in rule["verbs"]
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
        for rule in role["rules"]
    )


def pod_specs(objects: list[Manifest]) -> Iterator[Manifest]:
    for one in objects:
        template = one.get("spec", {}).get("template")
        if template:
            yield template["spec"]


def template_of(spec: Manifest) -> PodSpec:
    return PodSpec(
        containers=tuple(
            Container(
                image=one["image"],
                command=tuple(one.get("command", ())),
                args=tuple(one.get("args", ())),
            )
            for one in spec["containers"]
        )
    )


@pytest.mark.parametrize("minor", ["1.33", "1.34", "1.35", "1.36"])
def test_every_object_is_strictly_valid(cluster: ResolvedCluster, minor: str) -> None:
    for one in [*default_addons(cluster), *eks_system(cluster)]:
        assert kubernetes_validate.validate(one, minor, strict=True) == minor


def test_the_autoscaler_may_do_all_that_it_asks_for(cluster: ResolvedCluster) -> None:
    role = of_kind(autoscaler(cluster), "ClusterRole")

    missing = [
        f"{verb} {resource}.{group}"
        for group, resources in NEEDED_ANYWHERE.items()
        for resource, verbs in resources.items()
        for verb in verbs
        if not allows(role, group, resource, "", verb)
    ]

    assert missing == []


def test_the_autoscaler_may_keep_lease_and_status_in_its_namespace(
    cluster: ResolvedCluster,
) -> None:
    role = of_kind(autoscaler(cluster), "Role")

    assert role["metadata"]["namespace"] == "kube-system"
    assert [row for row in NEEDED_IN_ITS_NAMESPACE if not allows(role, *row)] == []


def test_no_rule_has_a_wildcard_and_no_secret_is_readable(cluster: ResolvedCluster) -> None:
    objects = autoscaler(cluster)
    rules = [
        *of_kind(objects, "ClusterRole")["rules"],
        *of_kind(objects, "Role")["rules"],
    ]

    assert not any("*" in (*one["resources"], *one["verbs"], *one["apiGroups"]) for one in rules)
    assert not any("secrets" in one["resources"] for one in rules)


def test_bindings_and_deployment_name_the_same_account(cluster: ResolvedCluster) -> None:
    objects = autoscaler(cluster)
    account = of_kind(objects, "ServiceAccount")["metadata"]

    for kind in ("ClusterRole", "Role"):
        binding = of_kind(objects, f"{kind}Binding")
        assert binding["roleRef"]["name"] == of_kind(objects, kind)["metadata"]["name"]
        assert binding["subjects"] == [
            {
                "kind": "ServiceAccount",
                "name": account["name"],
                "namespace": account["namespace"],
            }
        ]
    deployment = of_kind(objects, "Deployment")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    assert deployment["metadata"]["namespace"] == account["namespace"]


def test_the_clusters_flags_reach_the_program(
    resolved_cluster: Callable[..., ResolvedCluster],
) -> None:
    flags = {
        "cloud-provider": "aws",
        "balance-similar-node-groups": "",
        "node-group-auto-discovery": "asg:tag=a,b",
        "scale-down-unneeded-time": "2m",
    }
    objects = autoscaler(resolved_cluster(flags=flags))
    (spec,) = pod_specs(objects)
    container = spec["containers"][0]

    options, problems = autoscaler_options(container["command"], container["args"])

    assert problems == ()
    assert options.balance_similar_node_groups is True
    assert options.discovery_tags == (("a", ""), ("b", ""))
    assert options.scale_down_unneeded_ms == 120_000


def test_the_addons_are_recognised_for_what_they_are(cluster: ResolvedCluster) -> None:
    (autoscaler_pod,) = pod_specs(autoscaler(cluster))
    (plugin_pod,) = pod_specs(device_plugin(cluster))

    assert is_autoscaler(template_of(autoscaler_pod))
    assert not is_device_plugin(template_of(autoscaler_pod))
    assert is_device_plugin(template_of(plugin_pod))
    assert not is_autoscaler(template_of(plugin_pod))


def test_the_autoscaler_cannot_land_on_a_gpu_node_and_is_not_evicted(
    cluster: ResolvedCluster,
) -> None:
    template = of_kind(autoscaler(cluster), "Deployment")["spec"]["template"]

    assert "tolerations" not in template["spec"]
    assert template["metadata"]["annotations"][names.SAFE_TO_EVICT] == "false"
    assert template["spec"]["priorityClassName"] == "system-cluster-critical"


def test_the_budget_covers_the_autoscalers_pods(cluster: ResolvedCluster) -> None:
    objects = autoscaler(cluster)
    labels = of_kind(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    budget = of_kind(objects, "PodDisruptionBudget")["spec"]

    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def tolerated(spec: Manifest, taint: Taint) -> bool:
    return any(Toleration(**one).tolerates(taint) for one in spec.get("tolerations", ()))


@pytest.mark.parametrize(
    "taint",
    [
        Taint(key=NVIDIA_GPU, value="true"),
        Taint(key=NVIDIA_GPU, value="true", effect="NoExecute"),
        Taint(key="team", value="vision"),
        Taint(key="team", value="vision", effect="NoExecute"),
    ],
)
def test_the_plugin_tolerates_every_hard_taint_of_gpu_groups(
    taint: Taint,
    node_group: Callable[..., NodeGroup],
    resolved_cluster: Callable[..., ResolvedCluster],
) -> None:
    groups = [
        node_group("gpu-a", "us-east-1a", gpu=True, taints=(Taint(key=NVIDIA_GPU, value="true"),)),
        node_group("gpu-b", "us-east-1b", gpu=True, taints=(taint,)),
    ]
    (spec,) = pod_specs(device_plugin(resolved_cluster(*groups)))

    assert tolerated(spec, taint)
    assert tolerated(spec, Taint(key=NVIDIA_GPU, value="true"))


def test_the_plugin_tolerates_no_taint_of_other_groups(
    node_group: Callable[..., NodeGroup], resolved_cluster: Callable[..., ResolvedCluster]
) -> None:
    taint = Taint(key="dedicated", value="general")
    group = node_group("general", "us-east-1a", gpu=False, taints=(taint,))
    (spec,) = pod_specs(device_plugin(resolved_cluster(group)))

    assert not tolerated(spec, taint)


def test_the_plugin_runs_on_labelled_nodes_only(cluster: ResolvedCluster) -> None:
    (spec,) = pod_specs(device_plugin(cluster))
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]

    assert required["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": names.ACCELERATOR, "operator": "Exists"}]}
    ]


def test_the_plugin_stays_off_bottlerocket_nodes_which_bring_their_own(
    node_group: Callable[..., NodeGroup], resolved_cluster: Callable[..., ResolvedCluster]
) -> None:
    amazon = node_group("gpu-a", "us-east-1a", gpu=True)
    theirs = bottlerocket(node_group("gpu-b", "us-east-1b", gpu=True))
    general = bottlerocket(node_group("general", "us-east-1a", gpu=False))
    (spec,) = pod_specs(device_plugin(resolved_cluster(general, amazon, theirs)))
    (term,) = node_terms(spec["affinity"])

    labels = {names.ACCELERATOR: "nvidia-tesla-t4"}

    assert matches(term, {**labels, names.EKSCTL_NODEGROUP: "gpu-a"})
    assert not matches(term, {**labels, names.EKSCTL_NODEGROUP: "gpu-b"})
    assert not matches(term, {names.EKSCTL_NODEGROUP: "general"})


def test_the_plugin_is_installed_only_where_an_image_lacks_it(
    node_group: Callable[..., NodeGroup], resolved_cluster: Callable[..., ResolvedCluster]
) -> None:
    theirs = bottlerocket(node_group("gpu-b", "us-east-1b", gpu=True))
    general = node_group("general", "us-east-1a", gpu=False)

    mixed = resolved_cluster(general, theirs, node_group("gpu-a", "us-east-1a", gpu=True))

    assert "DaemonSet" in {one["kind"] for one in default_addons(mixed)}
    for cluster in (resolved_cluster(general), resolved_cluster(general, theirs)):
        assert "DaemonSet" not in {one["kind"] for one in default_addons(cluster)}


def test_the_plugin_has_no_token_of_the_api(cluster: ResolvedCluster) -> None:
    (spec,) = pod_specs(device_plugin(cluster))

    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec


def test_the_termination_handler_is_installed_only_where_spot_is_used(
    node_group: Callable[..., NodeGroup], resolved_cluster: Callable[..., ResolvedCluster]
) -> None:
    general = node_group("general", "us-east-1a", gpu=False)
    spot = resolved_cluster(general, node_group("gpu", "us-east-1a", gpu=True))

    handler = "aws-node-termination-handler"

    assert handler in {one["metadata"]["name"] for one in default_addons(spot)}
    assert handler not in {
        one["metadata"]["name"] for one in default_addons(resolved_cluster(general))
    }


def bottlerocket(group: NodeGroup) -> NodeGroup:
    return replace(group, ami=replace(group.ami, family="Bottlerocket"))


def node_terms(affinity: Manifest) -> list[Manifest]:
    terms: list[Manifest] = affinity["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    return terms


def matches(term: Manifest, labels: dict[str, str]) -> bool:
    """Evaluate a term as the scheduler does: every expression must hold."""
    expressions = [
        Requirement(key=one["key"], operator=one["operator"], values=tuple(one.get("values", ())))
        for one in term["matchExpressions"]
    ]
    return all(one.matches(labels) for one in expressions)


def test_containers_of_ours_are_pinned_bounded_and_unprivileged(cluster: ResolvedCluster) -> None:
    for spec in pod_specs(default_addons(cluster)):
        for container in spec["containers"]:
            check_container(spec, container)


def check_container(spec: Manifest, container: Manifest) -> None:
    tag = container["image"].rpartition("/")[2].partition(":")[2]
    assert tag
    assert tag != "latest"
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]
    own: dict[str, Any] = container["securityContext"]
    both = {**spec.get("securityContext", {}), **own}
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not own.get("privileged")
    assert both["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not any(spec.get(one) for one in ("hostNetwork", "hostPID", "hostIPC"))


def test_the_autoscalers_pod_is_restricted(cluster: ResolvedCluster) -> None:
    (spec,) = pod_specs(autoscaler(cluster))

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_what_eks_runs_is_marked_as_its_own(cluster: ResolvedCluster) -> None:
    objects = eks_system(cluster)

    assert {one["metadata"]["name"] for one in objects if one["kind"] == "DaemonSet"} == {
        "aws-node",
        "kube-proxy",
    }
    assert {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment"} == {
        "coredns",
        "metrics-server",
    }
    assert all(
        one["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "eks" for one in objects
    )


def test_rendered_files_hold_exactly_the_default_addons(cluster: ResolvedCluster) -> None:
    texts = render_files(cluster)

    read = [*yaml_of(texts)]

    handler = [*yaml_of(termination_handler_files(cluster))]
    assert [*read, *handler] == default_addons(cluster)
    assert all(text.startswith("# ") for text in texts.values())


def yaml_of(texts: dict[str, str]) -> Iterator[Manifest]:
    for path in sorted(texts):
        yield from yaml.safe_load_all(texts[path])


def test_a_flag_of_several_lines_is_given_once_a_line(cluster: ResolvedCluster) -> None:
    flags = {"balancing-label": "a\nb", "skip-nodes-with-local-storage": ""}
    changed = replace(cluster, autoscaler_flags=flags)
    assert arguments(changed) == [
        "--balancing-label=a",
        "--balancing-label=b",
        "--skip-nodes-with-local-storage",
    ]
