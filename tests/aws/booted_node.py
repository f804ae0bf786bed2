"""What a node would make of its user data: the text after CloudFormation, and labels, taints and pods in it.

Why it exists: tests compare the node that starts with the node that the autoscaler expects, so user data is read back here with
other means (YAML, TOML, MIME) than it was written with.
"""

from __future__ import annotations

import email
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lowtide.model.kube import Taint

VALUES = {
    "ClusterEndpoint": "https://ABC.gr7.us-east-1.eks.amazonaws.com",
    "ClusterCa": "LS0tLS1CRUdJTg==",
    "ServiceCidr": "10.100.0.0/16",
    "ClusterDns": "10.100.0.10",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BootedNode:
    """Labels and taints of a kubelet, and its maximum of pods, None where the image computes it."""

    labels: dict[str, str]
    taints: frozenset[Taint]
    max_pods: int | None


def received(user_data: Mapping[str, Any]) -> str:
    """Return what an instance receives of a UserData property."""
    inner = user_data["Fn::Base64"]
    if isinstance(inner, str):
        return inner
    body = inner["Fn::Sub"]
    text, variables = body if isinstance(body, list) else (body, {})
    # What Fn::Sub does not find among its variables it looks up as parameter of the template.
    known = {*variables, "ClusterCa"}
    places = re.compile(r"\$\{(!?)([^}]*)\}")

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return f"${{{found[2]}}}"
        assert found[2] in known, f"{found[2]} is no variable of Fn::Sub"
        return VALUES[found[2]]

    return places.sub(value, text)


def parts(text: str) -> list[tuple[str, str]]:
    """Return content type and body of each part of a MIME document."""
    message = email.message_from_string(text)
    assert message.is_multipart()
    found = []
    for part in message.get_payload():
        assert isinstance(part, email.message.Message)
        found.append((part.get_content_type(), str(part.get_payload())))
    return found


def node_configs(text: str) -> list[dict[str, Any]]:
    """Return the NodeConfig documents of AL2023 user data."""
    return [
        yaml.safe_load(body) for kind, body in parts(text) if kind == "application/node.eks.aws"
    ]


def al2023_node(text: str) -> BootedNode:
    """Return the node that nodeadm starts."""
    flags: list[str] = []
    config: dict[str, Any] = {}
    for document in node_configs(text):
        kubelet = document["spec"].get("kubelet", {})
        flags += kubelet.get("flags", [])
        config |= kubelet.get("config", {})
    return _node(flags, config.get("maxPods"))


def bottlerocket_node(text: str) -> BootedNode:
    """Return the node that Bottlerocket starts."""
    settings = tomllib.loads(text)["settings"]["kubernetes"]
    taints = frozenset(
        _taint(key, *value.split(":"))
        for key, values in settings.get("node-taints", {}).items()
        for value in values
    )
    return BootedNode(
        labels=settings.get("node-labels", {}),
        taints=taints,
        max_pods=settings.get("max-pods"),
    )


def ubuntu_node(text: str) -> BootedNode:
    """Return the node that Canonical's bootstrap.sh starts."""
    command = shlex.split(text[text.index("/etc/eks/bootstrap.sh") :])
    flags = command[command.index("--kubelet-extra-args") + 1].split()
    pods = [int(one.split("=")[1]) for one in flags if one.startswith("--max-pods=")]
    return _node(flags, pods[0] if pods else None)


def _node(flags: list[str], max_pods: int | None) -> BootedNode:
    labels: dict[str, str] = {}
    taints: set[Taint] = set()
    for flag in flags:
        name, _, value = flag.partition("=")
        if name == "--node-labels":
            labels |= dict(one.split("=", 1) for one in value.split(","))
        if name == "--register-with-taints":
            taints |= {_kubelet_taint(one) for one in value.split(",")}
    return BootedNode(labels=labels, taints=frozenset(taints), max_pods=max_pods)


def _kubelet_taint(text: str) -> Taint:
    """Read ``key=value:Effect`` or ``key:Effect``, as the kubelet does (pkg/util/taints, ParseTaints)."""
    name, effect = text.rsplit(":", 1)
    key, _, value = name.partition("=")
    return _taint(key, value, effect)


def _taint(key: str, value: str, effect: str) -> Taint:
    return Taint(key=key, value=value, effect=effect)
