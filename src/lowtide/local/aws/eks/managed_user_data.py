"""The user data of managed nodes: the user's own, and after it what EKS adds (cluster, labels, taints).

Sources: EKS user guide, "Customize managed nodes with launch templates" (MIME parts are merged; Bottlerocket's settings are
joined); awslabs/amazon-eks-ami, doc/usage/nodeadm.
"""

from __future__ import annotations

import email.message
import email.parser
import json
import tomllib
from collections.abc import Mapping
from typing import Any

import yaml

from lowtide.aws.templates.userdata_text import toml_text, unescaped
from lowtide.local.aws.eks.managed_image import BOTTLEROCKET
from lowtide.local.aws.eks.refusals import invalid_request
from lowtide.local.aws.eks.state import Cluster

_BOUNDARY = "//"
_NODE_CONFIG = "application/node.eks.aws"
#: EKS's words for the effects of a taint, and Kubernetes'.
EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "NO_EXECUTE": "NoExecute",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
}


def user_data(cluster: Cluster, nodegroup: Mapping[str, Any], image: str, given: str) -> str:
    """Return the text that a managed node starts with; ``given`` is that of the user's launch template.

    Raises:
        AwsError: InvalidRequestException for user data that EKS cannot add to.
    """
    labels = {
        **nodegroup["labels"],
        "eks.amazonaws.com/nodegroup": nodegroup["nodegroupName"],
        "eks.amazonaws.com/nodegroup-image": image,
        "eks.amazonaws.com/capacityType": nodegroup["capacityType"],
    }
    if nodegroup["amiType"].startswith(BOTTLEROCKET):
        return _bottlerocket(cluster, nodegroup, labels, given)
    own = yaml.safe_dump(_node_config(cluster, nodegroup, labels), sort_keys=False, width=10**6)
    return _mime([*_parts(given), (_NODE_CONFIG, own)])


def _node_config(
    cluster: Cluster, nodegroup: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any]:
    flags = ["--node-labels=" + ",".join(f"{key}={value}" for key, value in labels.items())]
    if nodegroup["taints"]:
        flags.append("--register-with-taints=" + ",".join(map(_taint, nodegroup["taints"])))
    described = cluster.described
    return {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": cluster.name,
                "apiServerEndpoint": described["endpoint"],
                "certificateAuthority": described["certificateAuthority"]["data"],
                "cidr": described["kubernetesNetworkConfig"]["serviceIpv4Cidr"],
            },
            "kubelet": {"flags": flags},
        },
    }


def _bottlerocket(
    cluster: Cluster, nodegroup: Mapping[str, Any], labels: Mapping[str, str], given: str
) -> str:
    try:
        document = tomllib.loads(given)
    except tomllib.TOMLDecodeError as error:
        raise invalid_request(f"User data was not in TOML format: {error}") from None
    kubernetes = document.setdefault("settings", {}).setdefault("kubernetes", {})
    kubernetes |= {
        "cluster-name": cluster.name,
        "api-server": cluster.described["endpoint"],
        "cluster-certificate": cluster.described["certificateAuthority"]["data"],
    }
    kubernetes["node-labels"] = {**kubernetes.get("node-labels", {}), **labels}
    for one in nodegroup["taints"]:
        taints = kubernetes.setdefault("node-taints", {})
        taints.setdefault(one["key"], []).append(f"{one.get('value', '')}:{EFFECTS[one['effect']]}")
    return unescaped(toml_text(document))


def _parts(given: str) -> list[tuple[str, str]]:
    """Return type and body of the MIME parts of the user's user data.

    Raises:
        AwsError: InvalidRequestException where it is not MIME.
    """
    if not given.strip():
        return []
    message = email.parser.Parser().parsestr(given)
    if not message.is_multipart():
        raise invalid_request("User data was not in the MIME multipart format.")
    found = []
    for one in message.get_payload():
        assert isinstance(one, email.message.Message)
        body = one.get_payload(decode=True)
        assert isinstance(body, bytes)
        found.append((one["Content-Type"] or "text/plain", body.decode()))
    return found


def _mime(parts: list[tuple[str, str]]) -> str:
    lines = [
        "MIME-Version: 1.0",
        f"Content-Type: multipart/mixed; boundary={json.dumps(_BOUNDARY)}",
        "",
    ]
    for content_type, body in parts:
        lines += [f"--{_BOUNDARY}", f"Content-Type: {content_type}", "", body.rstrip("\n"), ""]
    return "\n".join([*lines, f"--{_BOUNDARY}--", ""])


def _taint(one: Mapping[str, str]) -> str:
    return f"{one['key']}={one.get('value', '')}:{EFFECTS[one['effect']]}"
