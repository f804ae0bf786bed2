"""The pod that proves a GPU: it runs ``nvidia-smi`` and ends.

Why it exists: a pod that asks for one GPU and tolerates every taint is what makes the autoscaler bring a node from zero, on any cluster.
"""

from __future__ import annotations

from lowtide.kube.objects import RESTRICTED, Manifest, manifest
from lowtide.model import names

NAME = "lowtide-proof"
NAMESPACE = "default"
#: Small (about 90 MB), and the tool itself comes from the driver of the node's image.
IMAGE = "nvidia/cuda:12.4.1-base-ubuntu22.04"
_USER = 1000


def proof_pod() -> Manifest:
    """Return the pod. The annotation is for nodes that play their pods."""
    return manifest(
        "v1",
        "Pod",
        NAME,
        namespace=NAMESPACE,
        annotations={names.RUN_SECONDS: "5"},
        spec={
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "nvidia-smi",
                    "image": IMAGE,
                    "command": ["nvidia-smi"],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"},
                        "limits": {"memory": "256Mi", "nvidia.com/gpu": "1"},
                    },
                    "securityContext": RESTRICTED,
                }
            ],
        },
    )
