"""User data of Bottlerocket: settings in TOML.

Source: bottlerocket.dev, settings reference (kubernetes, host-containers). The NVIDIA variant brings its own device plugin and
container runtime; the admin container is off unless the file asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.aws.templates.userdata_kubelet import boots_alone
from lowtide.aws.templates.userdata_text import CERTIFICATE, ENDPOINT, joined, toml_text
from lowtide.model.blueprint import Launch
from lowtide.model.cluster import NodeGroup
from lowtide.model.errors import InputError


def bottlerocket_text(cluster: str, group: NodeGroup, launch: Launch) -> str:
    """Return the settings; empty for a managed group that changes none.

    Raises:
        InputError: the file wants scripts or kubelet files, which Bottlerocket has no place for.
    """
    _refuse_scripts(group, launch)
    settings = joined(_file_settings(launch.bottlerocket), _own_settings(cluster, group, launch))
    return toml_text({"settings": settings}) if settings else ""


def _own_settings(cluster: str, group: NodeGroup, launch: Launch) -> dict[str, Any]:
    kubernetes: dict[str, Any] = {}
    if boots_alone(group):
        kubernetes |= {
            "cluster-name": cluster,
            "api-server": ENDPOINT,
            "cluster-certificate": CERTIFICATE,
        }
    if launch.cluster_dns:
        kubernetes["cluster-dns-ip"] = launch.cluster_dns
    if launch.max_pods:
        kubernetes["max-pods"] = launch.max_pods
    if boots_alone(group) and group.labels:
        kubernetes["node-labels"] = {key: group.labels[key] for key in sorted(group.labels)}
    if boots_alone(group) and group.taints:
        kubernetes["node-taints"] = _taints(group)
    return {"kubernetes": kubernetes} if kubernetes else {}


def _taints(group: NodeGroup) -> dict[str, list[str]]:
    """Return ``VALUE:EFFECT`` texts by key; a key may have several effects."""
    found: dict[str, list[str]] = {}
    for one in group.taints:
        found.setdefault(one.key, []).append(f"{one.value}:{one.effect}")
    return found


def _file_settings(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the file's ``bottlerocket`` section asks for."""
    settings = dict(section.get("settings") or {})
    asked = section.get("enableAdminContainer")
    if asked is not None:
        settings = joined(settings, {"host-containers": {"admin": {"enabled": bool(asked)}}})
    return settings


def _refuse_scripts(group: NodeGroup, launch: Launch) -> None:
    given = {
        "preBootstrapCommands": launch.pre_bootstrap,
        "overrideBootstrapCommand": launch.override_bootstrap,
        "kubeletExtraConfig": launch.kubelet,
    }
    for key, value in given.items():
        if value:
            raise InputError(
                f"node group {group.name} cannot have {key}",
                where=str(group.mark),
                why="Bottlerocket runs no scripts at its start and has no kubelet file to edit",
                fix="write the wish as bottlerocket.settings, or use amiFamily: AmazonLinux2023",
            )
