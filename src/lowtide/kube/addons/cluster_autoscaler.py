"""The Cluster Autoscaler as ``lowtide up`` installs it: access rights and Deployment.

AWS permissions do not appear here: the cluster file gives them to the ServiceAccount through EKS Pod
Identity, so these manifests hold no account number.
"""

from __future__ import annotations

from typing import Any

from lowtide.kube.objects import RESTRICTED, Manifest, manifest
from lowtide.model import names
from lowtide.model.cluster import ResolvedCluster

NAME = "cluster-autoscaler"
_LABELS = {"app.kubernetes.io/name": NAME}
_METRICS_PORT = 8085
_NOBODY = 65534

_READ = ["get", "list", "watch"]

# What an autoscaler of 1.33 to 1.36 asks of the API server: its own informers (core/autoscaler.go,
# utils/kubernetes/listers.go), those of the scheduler's default plugins that it runs for its
# simulations, and its writes (taints, evictions, events). Less than upstream's example for AWS by
# endpoints (the lock is a Lease), the API group extensions (gone) and patching Jobs (nothing does).
# Capacity buffers and provisioning requests are off, so their resources are left out.
_CLUSTER_RULES: tuple[tuple[str, tuple[str, ...], list[str]], ...] = (
    ("", ("nodes",), [*_READ, "update"]),
    (
        "",
        (
            *("pods", "services", "namespaces", "replicationcontrollers"),
            *("persistentvolumes", "persistentvolumeclaims"),
        ),
        _READ,
    ),
    ("", ("pods/eviction",), ["create"]),
    ("", ("pods/status",), ["update"]),
    ("", ("events",), ["create", "patch"]),
    ("apps", ("daemonsets", "replicasets", "statefulsets"), _READ),
    ("batch", ("jobs",), _READ),
    ("policy", ("poddisruptionbudgets",), _READ),
    (
        "storage.k8s.io",
        ("storageclasses", "csinodes", "csidrivers", "csistoragecapacities", "volumeattachments"),
        _READ,
    ),
    ("resource.k8s.io", ("deviceclasses", "resourceclaims", "resourceslices"), _READ),
)


def autoscaler(cluster: ResolvedCluster) -> list[Manifest]:
    """Return the autoscaler's manifests in the order in which they can be applied."""
    return [*access(), *workload(cluster)]


def access() -> list[Manifest]:
    """Return ServiceAccount, ClusterRole, Role and their bindings."""
    return [
        _object("v1", "ServiceAccount"),
        _object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            namespace="",
            rules=[_rule(*row) for row in _CLUSTER_RULES],
        ),
        _binding("ClusterRole", namespace=""),
        _object("rbac.authorization.k8s.io/v1", "Role", rules=_namespace_rules()),
        _binding("Role", namespace=names.SYSTEM_NAMESPACE),
    ]


def workload(cluster: ResolvedCluster) -> list[Manifest]:
    """Return the Deployment and its PodDisruptionBudget."""
    return [
        _object(
            "apps/v1",
            "Deployment",
            spec={
                "replicas": 1,
                "selector": {"matchLabels": _LABELS},
                "template": {
                    "metadata": {"labels": _LABELS, "annotations": {names.SAFE_TO_EVICT: "false"}},
                    "spec": _pod_spec(cluster),
                },
            },
        ),
        _object(
            "policy/v1",
            "PodDisruptionBudget",
            spec={"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}},
        ),
    ]


def _pod_spec(cluster: ResolvedCluster) -> Manifest:
    """No toleration for GPU nodes: the autoscaler stays on the general group, which never is at zero."""
    return {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {names.OS: "linux"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "fsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": NAME,
                "image": cluster.addons.autoscaler_image,
                "command": ["/cluster-autoscaler"],
                "args": arguments(cluster),
                "env": [{"name": "AWS_REGION", "value": cluster.region}],
                "ports": [{"name": "metrics", "containerPort": _METRICS_PORT}],
                "livenessProbe": {"httpGet": {"path": "/health-check", "port": "metrics"}},
                # Memory as in upstream's example for AWS; a CPU limit would only slow its loops.
                "resources": {
                    "requests": {"cpu": "100m", "memory": "600Mi"},
                    "limits": {"memory": "600Mi"},
                },
                "securityContext": RESTRICTED,
            }
        ],
    }


def arguments(cluster: ResolvedCluster) -> list[str]:
    """Return the cluster's flags as arguments; an empty value is a flag that stands alone.

    A value of several lines is a flag that is given once a line, such as ``balancing-label``.
    """
    return [
        f"--{flag}={line}" if line else f"--{flag}"
        for flag, value in cluster.autoscaler_flags.items()
        for line in (value.splitlines() or [""])
    ]


def _namespace_rules() -> list[Manifest]:
    """Leader election (one Lease), the status ConfigMap, and the priority expander's ConfigMap."""
    lease, status = "leases", "configmaps"
    return [
        _rule("coordination.k8s.io", (lease,), ["create"]),
        _rule("coordination.k8s.io", (lease,), ["get", "update"], only=(NAME,)),
        _rule("", (status,), ["create", "list", "watch"]),
        _rule("", (status,), ["get", "update", "delete"], only=(f"{NAME}-status",)),
        _rule("", (status,), ["get"], only=(names.PRIORITY_EXPANDER_CONFIG_MAP,)),
    ]


def _rule(
    group: str, resources: tuple[str, ...], verbs: list[str], only: tuple[str, ...] = ()
) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": list(resources), "verbs": verbs}
    if only:
        rule["resourceNames"] = list(only)
    return rule


def _binding(kind: str, *, namespace: str) -> Manifest:
    return _object(
        "rbac.authorization.k8s.io/v1",
        f"{kind}Binding",
        namespace=namespace,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME},
        subjects=[
            {"kind": "ServiceAccount", "name": NAME, "namespace": names.SYSTEM_NAMESPACE},
        ],
    )


def _object(
    api_version: str, kind: str, *, namespace: str = names.SYSTEM_NAMESPACE, **content: Any
) -> Manifest:
    return manifest(api_version, kind, NAME, namespace=namespace, labels=_LABELS, **content)
