"""AWS's node termination handler: it drains a spot node in the two minutes before EC2 takes it back.

It runs in queue mode: one Deployment reads the queue of the interruption stack, into which EventBridge puts spot interruption
warnings and rebalance recommendations. In this mode it drains for every event that the rules let through, and completes lifecycle
hooks only when such an event comes; there is no hook and no rule for one, because a hook keeps nodes alive that never joined.

Sources: aws/aws-node-termination-handler at v1.25.6 (README.md; pkg/config/config.go; pkg/monitor/sqsevent). Its AWS permissions
come with its queue from the interruption stack, through EKS Pod Identity, so these manifests hold no account number.
"""

from __future__ import annotations

from typing import Any

from lowtide.kube.objects import RESTRICTED, Manifest, manifest, to_yaml
from lowtide.model import names
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.meta import Meta

NAME = "aws-node-termination-handler"
#: Key of the ConfigMap ``NAME`` that holds the queue's URL.
QUEUE_KEY = "queue-url"

_LABELS = {"app.kubernetes.io/name": NAME}
_PROBE_PORT = 8080
#: The user of the image and of upstream's chart.
USER = 1000

# The chart's ClusterRole without the API group "extensions" (gone), and with events, which it writes when told to.
_RULES: tuple[tuple[str, str, list[str]], ...] = (
    ("", "nodes", ["get", "list", "patch", "update"]),
    ("", "pods", ["get", "list"]),
    ("", "pods/eviction", ["create"]),
    ("", "events", ["create", "patch"]),
    ("apps", "daemonsets", ["get"]),
)

_NOTES = {
    "ServiceAccount": """\
Its AWS permissions (its queue, describing instances) come from the interruption stack.""",
    "Deployment": """\
Reads the queue of the interruption stack and drains the nodes that EC2 is about to take back.
It tolerates no GPU taint: it stays on the general group, away from the nodes it drains.""",
    "ConfigMap": "The queue of the interruption stack.",
}


def termination_handler(cluster: ResolvedCluster) -> list[Manifest]:
    """Return the handler's manifests in the order in which they can be applied; the queue's ConfigMap is not among them."""
    return [*access(), *workload(cluster)]


def access() -> list[Manifest]:
    """Return ServiceAccount, ClusterRole and binding."""
    api = "rbac.authorization.k8s.io"
    return [
        _object("v1", "ServiceAccount"),
        _object(
            f"{api}/v1",
            "ClusterRole",
            namespace="",
            rules=[
                {"apiGroups": [group], "resources": [resource], "verbs": verbs}
                for group, resource, verbs in _RULES
            ],
        ),
        _object(
            f"{api}/v1",
            "ClusterRoleBinding",
            namespace="",
            roleRef={"apiGroup": api, "kind": "ClusterRole", "name": NAME},
            subjects=[
                {"kind": "ServiceAccount", "name": NAME, "namespace": names.SYSTEM_NAMESPACE}
            ],
        ),
    ]


def queue(url: str) -> Manifest:
    """Return the ConfigMap with the queue's URL, which holds the number of the account."""
    return _object("v1", "ConfigMap", data={QUEUE_KEY: url})


def workload(cluster: ResolvedCluster) -> list[Manifest]:
    """Return the Deployment."""
    return [
        _object(
            "apps/v1",
            "Deployment",
            spec={
                "replicas": 1,
                "selector": {"matchLabels": _LABELS},
                "template": {
                    # Without a budget or this word, a kube-system pod keeps its node alive for an hour.
                    "metadata": {"labels": _LABELS, "annotations": {names.SAFE_TO_EVICT: "true"}},
                    "spec": _pod_spec(cluster),
                },
            },
        )
    ]


def settings(cluster: ResolvedCluster) -> dict[str, str]:
    """Return what differs from the handler's own defaults, by environment variable.

    The rules of a queue see every spot instance of the account and region. ``MANAGED_TAG`` is a tag whose key carries the cluster's
    name, so that events of other clusters are dropped; an instance that never joined has nothing to drain, and its message goes.
    """
    return {
        "ENABLE_SQS_TERMINATION_DRAINING": "true",
        "AWS_REGION": cluster.region,
        "CHECK_TAG_BEFORE_DRAINING": "true",
        "MANAGED_TAG": f"kubernetes.io/cluster/{cluster.name}",
        "DELETE_SQS_MSG_IF_NODE_NOT_FOUND": "true",
        "EMIT_KUBERNETES_EVENTS": "true",
        "ENABLE_PROBES_SERVER": "true",
    }


#: Requests and limits as upstream's chart had them as its defaults.
RESOURCES: Manifest = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"memory": "128Mi"},
}


def _pod_spec(cluster: ResolvedCluster) -> Manifest:
    return {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {names.OS: "linux"},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": NAME,
                "image": cluster.addons.termination_handler_image,
                "env": _environment(cluster),
                "ports": [{"name": "probes", "containerPort": _PROBE_PORT}],
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": "probes"}},
                "resources": RESOURCES,
                "securityContext": RESTRICTED,
            }
        ],
    }


def _environment(cluster: ResolvedCluster) -> list[Manifest]:
    """Its own node and pod, because it must not evict itself; the queue; and the settings."""
    own = {
        "NODE_NAME": "spec.nodeName",
        "POD_NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
    }
    return [
        *(
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for name, path in own.items()
        ),
        {
            "name": "QUEUE_URL",
            "valueFrom": {"configMapKeyRef": {"name": NAME, "key": QUEUE_KEY}},
        },
        *({"name": name, "value": value} for name, value in settings(cluster).items()),
    ]


def termination_handler_files(cluster: ResolvedCluster, *, queue_url: str = "") -> dict[str, str]:
    """Return the text of each file by its path; the ConfigMap is among them where the queue's URL is known."""
    notes = {_system(kind): note for kind, note in _NOTES.items()}
    files = {
        "termination-handler/1-access.yaml": to_yaml(access(), notes=notes),
        "termination-handler/2-deployment.yaml": to_yaml(workload(cluster), notes=notes),
    }
    if queue_url:
        text = to_yaml([queue(queue_url)], notes=notes)
        return {"termination-handler/0-queue.yaml": text, **files}
    return files


def _system(kind: str) -> Meta:
    return Meta(kind=kind, name=NAME, namespace=names.SYSTEM_NAMESPACE)


def _object(
    api_version: str, kind: str, *, namespace: str = names.SYSTEM_NAMESPACE, **content: Any
) -> Manifest:
    return manifest(api_version, kind, NAME, namespace=namespace, labels=_LABELS, **content)
