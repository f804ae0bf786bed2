"""User data, read as each image reads it: NodeConfig documents, Bottlerocket's settings, a script that calls bootstrap.sh.

Why it exists: templates that are rendered here, by eksctl or by hand must start the same nodes in a box as on EC2.

Sources: awslabs/amazon-eks-ami, doc/usage/nodeadm (several NodeConfig parts are merged in their order; cluster, endpoint, authority and
CIDR are required); bottlerocket.dev, settings.kubernetes; Canonical's bootstrap.sh, which is a customised version of the script of
Amazon Linux 2 (aws/templates/userdata_ubuntu.py says what was read).
"""

from __future__ import annotations

import email
import email.message
import re
import shlex
import string
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import yaml

from lowtide.aws.templates.userdata_text import joined
from lowtide.local.nodes.booted import (
    Booted,
    NoNode,
    checked_labels,
    kubelet_flags,
    taint,
    whole,
)
from lowtide.local.nodes.machines import Machine
from lowtide.model.taints import Taint

#: Who reads the user data; ``nodeadm`` is Amazon Linux 2023's.
Reader = Literal["nodeadm", "bottlerocket", "bootstrap"]

#: How the names of AWS's and Canonical's images begin.
_IMAGES: tuple[tuple[str, Reader], ...] = (
    ("amazon-eks-node-al2023", "nodeadm"),
    ("bottlerocket", "bottlerocket"),
    ("ubuntu-eks", "bootstrap"),
)
_NODE_CONFIG = "application/node.eks.aws"
_BOOTSTRAP = "/etc/eks/bootstrap.sh"
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)=(\S.*)?$")


def booted(text: str, reader: Reader | None = None) -> Booted:
    """Return the kubelet that starts from user data; without a known image the text tells which reader it is for.

    Raises:
        NoNode: no kubelet starts, and why.
    """
    return _READERS[reader or _reader_of(text)](text)


def booted_of(machine: Machine) -> Booted:
    """Return the kubelet that starts on an instance.

    Raises:
        NoNode: none does, and why.
    """
    name = machine.image.name if machine.image is not None else ""
    reader = next((one for prefix, one in _IMAGES if name.startswith(prefix)), None)
    return booted(machine.user_data, reader)


def _reader_of(text: str) -> Reader:
    if _NODE_CONFIG in text or "kind: NodeConfig" in text:
        return "nodeadm"
    return "bootstrap" if _BOOTSTRAP in text else "bottlerocket"


def _nodeadm(text: str) -> Booted:
    spec: dict[str, Any] = {}
    flags: list[str] = []
    for document in _node_configs(text):
        part = _table(document, "spec", "nodeadm")
        flags += [str(one) for one in _list(_table(part, "kubelet", "nodeadm"), "flags", "nodeadm")]
        spec = joined(spec, part)
    cluster = _table(spec, "cluster", "nodeadm")
    for key in ("name", "apiServerEndpoint", "certificateAuthority", "cidr"):
        _need(bool(cluster.get(key)), f"nodeadm: {key} is missing in cluster configuration")
    config = _table(_table(spec, "kubelet", "nodeadm"), "config", "nodeadm")
    given = kubelet_flags(flags)
    taints = _config_taints(config) if given.taints is None else given.taints
    return Booted(
        cluster=str(cluster["name"]),
        endpoint=str(cluster["apiServerEndpoint"]),
        authority=str(cluster["certificateAuthority"]),
        labels=checked_labels(given.labels),
        taints=taints,
        max_pods=given.max_pods or _max_pods(config, "maxPods"),
    )


def _node_configs(text: str) -> list[dict[str, Any]]:
    """Return the NodeConfig documents of user data, which is one itself or a MIME document with several."""
    message = email.message_from_string(text)
    bodies = [text]
    if message.is_multipart():
        bodies = [_body(one) for one in message.walk() if one.get_content_type() == _NODE_CONFIG]
    found = []
    for body in bodies:
        try:
            documents = list(yaml.safe_load_all(body))
        except yaml.YAMLError as error:
            raise NoNode(f"nodeadm: the NodeConfig is no YAML: {error}") from None
        found += [
            one for one in documents if isinstance(one, dict) and one.get("kind") == "NodeConfig"
        ]
    _need(bool(found), "nodeadm: the user data hold no NodeConfig")
    return found


def _body(part: email.message.Message) -> str:
    body = part.get_payload(decode=True)
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else ""


def _config_taints(config: Mapping[str, Any]) -> tuple[Taint, ...]:
    given = _list(config, "registerWithTaints", "kubelet")
    return tuple(
        taint(str(one["key"]), str(one.get("value", "")), str(one.get("effect", "")))
        for one in given
        if isinstance(one, Mapping) and "key" in one
    )


def _bottlerocket(text: str) -> Booted:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NoNode(f"early-boot-config: the user data are no TOML: {error}") from None
    kubernetes = _table(_table(document, "settings", "settings"), "kubernetes", "settings")
    for key in ("cluster-name", "api-server", "cluster-certificate"):
        _need(bool(kubernetes.get(key)), f"settings.kubernetes.{key} is missing")
    written = _table(kubernetes, "node-labels", "settings.kubernetes")
    labels = {str(key): str(value) for key, value in written.items()}
    return Booted(
        cluster=str(kubernetes["cluster-name"]),
        endpoint=str(kubernetes["api-server"]),
        authority=str(kubernetes["cluster-certificate"]),
        labels=checked_labels(labels),
        taints=tuple(_settings_taints(_table(kubernetes, "node-taints", "settings.kubernetes"))),
        max_pods=_max_pods(kubernetes, "max-pods"),
    )


def _settings_taints(given: Mapping[str, Any]) -> Iterator[Taint]:
    """Yield taints of ``key = ["value:Effect", …]``; a single text is taken for a list of one."""
    for key, values in given.items():
        for one in values if isinstance(values, list) else [values]:
            value, _, effect = str(one).rpartition(":")
            yield taint(str(key), value, effect)


def _bootstrap(text: str) -> Booted:
    """Read the script's one command that matters; variables that it sets to plain words are put in."""
    variables: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        assignment = _ASSIGNMENT.match(line)
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            if _BOOTSTRAP in line:
                raise NoNode(f"the script does not run: {error}") from None
            continue  # a piece of a longer text, such as a file that the script writes
        words = [string.Template(one).safe_substitute(variables) for one in words]
        if assignment and words:
            variables[assignment[1]] = words[-1].partition("=")[2]
        if _BOOTSTRAP in words:
            return _bootstrapped(words[words.index(_BOOTSTRAP) + 1 :])
    raise NoNode(f"the user data do not call {_BOOTSTRAP}")


def _bootstrapped(arguments: list[str]) -> Booted:
    options: dict[str, str] = {}
    cluster = ""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            options[name] = value if equals else (rest.pop(0) if rest else "")
        elif not cluster:
            cluster = word
    _need(bool(cluster), f"{_BOOTSTRAP}: CLUSTER_NAME is not defined")
    given = kubelet_flags(options.get("--kubelet-extra-args", "").split())
    return Booted(
        cluster=cluster,
        endpoint=options.get("--apiserver-endpoint", ""),
        authority=options.get("--b64-cluster-ca", ""),
        labels=checked_labels(given.labels),
        taints=given.taints or (),
        max_pods=given.max_pods,
    )


def _table(where: Mapping[str, Any], key: str, who: str) -> Mapping[str, Any]:
    """Return an object of a document; one that is left out is empty."""
    found = where.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise NoNode(f"{who}: {key} is no object")
    return found


def _list(where: Mapping[str, Any], key: str, who: str) -> list[Any]:
    """Return a list of a document; one that is left out is empty."""
    found = where.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise NoNode(f"{who}: {key} is no list")
    return found


def _max_pods(settings: Mapping[str, Any], key: str) -> int | None:
    value = settings.get(key)
    return None if value is None else whole(value, key)


def _need(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise NoNode(otherwise)


_READERS = {"nodeadm": _nodeadm, "bottlerocket": _bottlerocket, "bootstrap": _bootstrap}
