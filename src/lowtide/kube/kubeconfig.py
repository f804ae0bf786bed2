"""Kubeconfig files: the entries of an EKS cluster put into one, as ``aws eks update-kubeconfig`` does it.

Why it exists: whoever has used the AWS CLI before must find the same file afterwards: the same names, keys and order, the entries of
other clusters untouched. Compared with the AWS CLI in a test (awscli 1.45, customizations/eks).

What it must not know: where the file is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lowtide.model.errors import InputError

Document = dict[str, Any]

_API_VERSION = "client.authentication.k8s.io/v1beta1"
_ARN = re.compile(r"arn:[\w-]+:eks:(?P<region>[\w-]+):\d+:cluster/(?P<name>[\w-]+)")
#: An empty file, which also says of what type each entry is (Kubernetes API, client-go "Config").
_EMPTY: Mapping[str, Any] = {
    "apiVersion": "v1",
    "clusters": [],
    "contexts": [],
    "current-context": "",
    "kind": "Config",
    "preferences": {},
    "users": [],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EksEntry:
    """What a kubeconfig says of an EKS cluster. ``ca`` is base64; ``alias`` names the context, empty for the ARN."""

    arn: str
    name: str
    endpoint: str
    ca: str
    alias: str = ""
    profile: str = ""

    @property
    def context(self) -> str:
        """The name of the context."""
        return self.alias or self.arn


def read(text: str, where: str) -> Document:
    """Return a kubeconfig; an empty text is an empty one.

    Raises:
        InputError: it is none.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _broken(where, str(error).replace("\n", " ")) from error
    if found is None:
        return {key: _copy(value) for key, value in _EMPTY.items()}
    if not isinstance(found, dict):
        raise _broken(where, "it is no mapping")
    for key, value in _EMPTY.items():
        mine = found.get(key)
        if mine is not None and not isinstance(mine, type(value)):
            raise _broken(where, f"{key} is no {_KINDS[type(value)]}")
        if isinstance(mine, list) and not all(isinstance(one, dict) for one in mine):
            raise _broken(where, f"an entry of {key} is no mapping")
    return found


def has_cluster(document: Document, arn: str) -> bool:
    """Return whether a kubeconfig has a cluster of that name."""
    return any(one.get("name") == arn for one in document.get("clusters") or ())


def with_entry(document: Document, entry: EksEntry) -> Document:
    """Return a kubeconfig with the cluster, its user and its context, the last being the current one."""
    found = dict(document)
    for key, one in (
        ("clusters", _cluster(entry)),
        ("users", _user(entry)),
        ("contexts", _context(entry)),
    ):
        found[key] = _put(found.get(key) or [], one)
    found["current-context"] = entry.context
    return found


def text_of(document: Document) -> str:
    """Return it as YAML."""
    text: str = yaml.safe_dump(document, sort_keys=False, default_flow_style=False)
    return text


def current_cluster(document: Document) -> tuple[str, str] | None:
    """Return name and region of the EKS cluster of the current context, None where it is none."""
    current = document.get("current-context")
    for one in document.get("contexts") or ():
        if one.get("name") == current:
            about = one.get("context")
            named = _ARN.fullmatch(str(about.get("cluster"))) if isinstance(about, dict) else None
            return (named["name"], named["region"]) if named else None
    return None


def contexts_of(document: Document, name: str, region: str, account: str) -> tuple[str, ...]:
    """Return the names of the contexts of an EKS cluster, in the file's order."""
    ends = f":eks:{region}:{account}:cluster/{name}"
    return tuple(
        str(one["name"])
        for one in document.get("contexts") or ()
        if "name" in one
        and isinstance(one.get("context"), dict)
        and str(one["context"].get("cluster")).endswith(ends)
    )


_KINDS: Mapping[type, str] = {str: "text", list: "list", dict: "mapping"}


def _cluster(entry: EksEntry) -> Document:
    about = {"certificate-authority-data": entry.ca, "server": entry.endpoint}
    return {"cluster": about, "name": entry.arn}


def _user(entry: EksEntry) -> Document:
    region = entry.arn.split(":")[3]
    asked = ["get-token", "--cluster-name", entry.name, "--output", "json"]
    how: Document = {
        "apiVersion": _API_VERSION,
        "args": ["--region", region, "eks", *asked],
        "command": "aws",
    }
    if entry.profile:
        how["env"] = [{"name": "AWS_PROFILE", "value": entry.profile}]
    return {"name": entry.arn, "user": {"exec": how}}


def _context(entry: EksEntry) -> Document:
    return {"context": {"cluster": entry.arn, "user": entry.arn}, "name": entry.context}


def _put(entries: list[Any], new: Document) -> list[Any]:
    """Return the entries with the new one in the place of its namesake, or at the end."""
    places = [place for place, one in enumerate(entries) if one.get("name") == new["name"]]
    if not places:
        return [*entries, new]
    return [*entries[: places[0]], new, *entries[places[0] + 1 :]]


def _copy(value: Any) -> Any:
    return type(value)(value)


def _broken(where: str, why: str) -> InputError:
    return InputError(
        "This file is no kubeconfig",
        where=where,
        why=why,
        fix="move it away, or name another one with --kubeconfig",
    )
