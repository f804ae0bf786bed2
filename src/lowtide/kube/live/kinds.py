"""Which path of the API serves which kind.

Why it exists: objects travel here as the plain dicts that the API takes, so the client has to be told where each kind lives. Built-in kinds
are a table; no call is spent on discovery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.model.errors import KubernetesError


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of the API: group (empty for core), version, kind, plural name, and whether it lives in namespaces."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1`` or ``v1``, as manifests write it."""
        return f"{self.group}/{self.version}" if self.group else self.version


NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
POD = Kind("", "v1", "Pod", "pods")
EVENT = Kind("", "v1", "Event", "events")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SECRET = Kind("", "v1", "Secret", "secrets")
SERVICE = Kind("", "v1", "Service", "services")
PERSISTENT_VOLUME = Kind("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False)
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
JOB = Kind("batch", "v1", "Job", "jobs")
INGRESS = Kind("networking.k8s.io", "v1", "Ingress", "ingresses")
BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
PRIORITY_CLASS = Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", False)
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False)
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False
)

KNOWN: Mapping[tuple[str, str], Kind] = {
    (one.api_version, one.name): one
    for one in (
        NODE,
        NAMESPACE,
        POD,
        EVENT,
        CONFIG_MAP,
        SECRET,
        SERVICE,
        PERSISTENT_VOLUME,
        SERVICE_ACCOUNT,
        DEPLOYMENT,
        REPLICA_SET,
        STATEFUL_SET,
        DAEMON_SET,
        JOB,
        INGRESS,
        BUDGET,
        PRIORITY_CLASS,
        LEASE,
        ROLE,
        ROLE_BINDING,
        CLUSTER_ROLE,
        CLUSTER_ROLE_BINDING,
    )
}


def kind_of(obj: Mapping[str, Any]) -> Kind:
    """Return the kind of an object.

    Raises:
        KubernetesError: it is none that lowtide works with.
    """
    found = KNOWN.get((obj.get("apiVersion", ""), obj.get("kind", "")))
    if found is None:
        raise KubernetesError(
            f"{obj.get('kind', 'an object without kind')} is no kind that lowtide can apply",
            where=str(obj.get("metadata", {}).get("name", "")),
            why=f"apiVersion {obj.get('apiVersion')!r} is not in its table of kinds",
            fix="apply it with kubectl",
        )
    return found
