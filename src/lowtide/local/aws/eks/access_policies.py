"""EKS's access policies, and what each lets its holder do in Kubernetes.

EKS answers them in an authorizer of its own; the box has RBAC alone. So a policy becomes a group of the user, and the
group is bound to the ClusterRole that has the same rights (EKS user guide, "Review access policy permissions"):
AmazonEKSClusterAdminPolicy on the whole cluster becomes ``system:masters``, which needs no binding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_ARN = "arn:aws:eks::aws:cluster-access-policy/"
CLUSTER_ADMIN = f"{_ARN}AmazonEKSClusterAdminPolicy"
MASTERS = "system:masters"
_RBAC = "rbac.authorization.k8s.io"

#: Policy to the ClusterRole of equal rights. AdminView reads everything, secrets included, and has no role in Kubernetes.
_ROLES = {
    "AmazonEKSClusterAdminPolicy": "cluster-admin",
    "AmazonEKSAdminPolicy": "admin",
    "AmazonEKSEditPolicy": "edit",
    "AmazonEKSViewPolicy": "view",
    "AmazonEKSAdminViewPolicy": "eks:access-policy:admin-view",
}
#: The policies that people give to users; those of EKS's own service roles are left out.
POLICIES: Mapping[str, str] = {name: _ARN + name for name in _ROLES}

Policy = Mapping[str, Any]


def groups(policies: Iterable[Policy]) -> list[str]:
    """Return the groups that stand for associated policies."""
    return sorted({group for one in policies for group, _, _ in _grants(one)})


def objects(policies: Iterable[Policy]) -> list[dict[str, Any]]:
    """Return the RBAC objects that give those groups their rights."""
    found: list[dict[str, Any]] = []
    for one in policies:
        for group, role, namespace in _grants(one):
            if group != MASTERS:
                found.append(_binding(group, role, namespace))
            if role == _ROLES["AmazonEKSAdminViewPolicy"]:
                found.insert(0, _admin_view())
    return found


def _grants(policy: Policy) -> Iterator[tuple[str, str, str]]:
    """Yield group, ClusterRole and namespace, which is empty for the whole cluster."""
    name = policy["policyArn"].removeprefix(_ARN)
    role, scope = _ROLES[name], policy["accessScope"]
    if scope["type"] == "cluster":
        masters = policy["policyArn"] == CLUSTER_ADMIN
        yield MASTERS if masters else f"eks:access-policy:{name}", role, ""
        return
    namespaces: Sequence[str] = scope.get("namespaces", [])
    for namespace in namespaces:
        yield f"eks:access-policy:{name}:{namespace}", role, namespace


def _binding(group: str, role: str, namespace: str) -> dict[str, Any]:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    metadata = {"name": group.removesuffix(f":{namespace}") if namespace else group}
    if namespace:
        metadata["namespace"] = namespace
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": group}],
    }


def _admin_view() -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _ROLES["AmazonEKSAdminViewPolicy"]},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
    }
