"""What EKS itself runs on a cluster, in outline: for simulating and for the cluster in a box, not for applying on AWS.

Why it exists: these pods take CPU, memory and pod slots on every node and block the removal of general
nodes, so the twin and the box need their requests, tolerations and budgets. EKS installs and upgrades them; no
version is claimed here, and images carry no tag.

Sources: the coredns manifests that EKS ships (eksctl, pkg/addons/default/assets/coredns-1.36.json) and
the VPC CNI chart (25m for each of its two containers); kube-proxy 100m (EKS manifests). metrics-server:
the community add-on's two replicas with 100m and 200Mi, whose scratch
volume is an emptyDir; that it spreads like coredns is assumed. The pod-identity agent's chart
(aws/eks-pod-identity-agent) asks for no resources.
"""

from __future__ import annotations

from lowtide.kube.objects import Manifest, manifest
from lowtide.model import names
from lowtide.model.cluster import ResolvedCluster

#: On every object here.
EKS_LABEL = {"app.kubernetes.io/managed-by": "eks"}

_EVERYWHERE = [{"operator": "Exists"}]
_CRITICAL = [
    {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
    {"key": "CriticalAddonsOnly", "operator": "Exists"},
]


def eks_system(cluster: ResolvedCluster) -> list[Manifest]:
    """Return aws-node, kube-proxy, coredns and metrics-server as the scheduler sees them."""
    names_in_order = ("vpc-cni", "kube-proxy", "coredns", "metrics-server")
    return [one for name in names_in_order for one in eks_addon(name, cluster.region)]


def eks_addon(name: str, region: str) -> list[Manifest]:
    """Return what EKS's add-on of that name runs, nothing where it is not known here."""
    match name:
        case "vpc-cni":
            images = ("amazon-k8s-cni", "amazon/aws-network-policy-agent")
            return [_daemon(region, "aws-node", images, "25m")]
        case "kube-proxy":
            return [_daemon(region, "kube-proxy", ("eks/kube-proxy",), "100m")]
        case "eks-pod-identity-agent":
            return [_daemon(region, name, ("eks/eks-pod-identity-agent",))]
        case "coredns":
            return _pair(region, name, memory="70Mi", limit="170Mi", tolerations=_CRITICAL)
        case "metrics-server":
            return _pair(region, name, memory="200Mi", limit="400Mi", scratch=True)
        case _:
            return []


def _daemon(region: str, name: str, images: tuple[str, ...], cpu: str = "") -> Manifest:
    containers = [
        {
            "name": image.rpartition("/")[2],
            "image": _image(region, image),
            **({"resources": {"requests": {"cpu": cpu}}} if cpu else {}),
        }
        for image in images
    ]
    spec = {
        "priorityClassName": "system-node-critical",
        "hostNetwork": True,
        "tolerations": _EVERYWHERE,
        "containers": containers,
    }
    return manifest(
        "apps/v1",
        "DaemonSet",
        name,
        namespace=names.SYSTEM_NAMESPACE,
        labels=EKS_LABEL,
        spec={"selector": {"matchLabels": _own(name)}, "template": _template(name, spec)},
    )


def _pair(
    region: str,
    name: str,
    *,
    memory: str,
    limit: str,
    tolerations: list[Manifest] | None = None,
    scratch: bool = False,
) -> list[Manifest]:
    """Two replicas that prefer different nodes and zones, and a budget that keeps one of them."""
    container = {
        "name": name,
        "image": _image(region, f"eks/{name}"),
        "resources": {
            "requests": {"cpu": "100m", "memory": memory},
            "limits": {"memory": limit},
        },
    }
    spec: Manifest = {
        "priorityClassName": "system-cluster-critical",
        "affinity": {"podAntiAffinity": _apart(name)},
        "topologySpreadConstraints": [_spread(name)],
        "containers": [container],
    }
    if tolerations:
        spec["tolerations"] = tolerations
    if scratch:
        spec["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    return [
        manifest(
            "apps/v1",
            "Deployment",
            name,
            namespace=names.SYSTEM_NAMESPACE,
            labels=EKS_LABEL,
            spec={
                "replicas": 2,
                "selector": {"matchLabels": _own(name)},
                "template": _template(name, spec),
            },
        ),
        manifest(
            "policy/v1",
            "PodDisruptionBudget",
            name,
            namespace=names.SYSTEM_NAMESPACE,
            labels=EKS_LABEL,
            spec={"maxUnavailable": 1, "selector": {"matchLabels": _own(name)}},
        ),
    ]


def _own(name: str) -> dict[str, str]:
    return {"k8s-app": name}


def _template(name: str, spec: Manifest) -> Manifest:
    return {"metadata": {"labels": _own(name)}, "spec": spec}


def _apart(name: str) -> Manifest:
    term = {"labelSelector": {"matchLabels": _own(name)}, "topologyKey": names.HOSTNAME}
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "podAffinityTerm": term}
        ]
    }


def _spread(name: str) -> Manifest:
    return {
        "maxSkew": 1,
        "topologyKey": names.ZONE,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _own(name)},
    }


def _image(region: str, path: str) -> str:
    """EKS's images in a region's registry (602401143452 is EKS's account in most regions)."""
    return f"602401143452.dkr.ecr.{region}.amazonaws.com/{path}"
