"""What is posted to a sub-resource and is of another kind than what it belongs to.

Why it exists: lightkube's generic resources cannot say that ``pods/eviction`` takes an Eviction and
``serviceaccounts/token`` a TokenRequest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lightkube.core import resource

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Meta:
    """What lightkube reads of an object that it posts."""

    name: str | None
    namespace: str | None


class _Posted(resource.NamespacedSubResource, dict[str, Any]):
    """A plain object, dressed as lightkube wants it."""

    @property
    def metadata(self) -> Any:
        """Name and namespace; None where the object has none."""
        given = self.get("metadata", {})
        return _Meta(given.get("name"), given.get("namespace"))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, lazy: bool = True) -> Self:  # noqa: ARG003 - lightkube's signature
        return cls(content)

    def to_dict(self, dict_factory: type[dict[str, Any]] = dict) -> Object:
        return dict_factory(self)


class _Eviction(_Posted):
    _api_info = resource.ApiInfo(
        resource=resource.ResourceDef("policy", "v1", "Eviction"),
        parent=resource.ResourceDef("", "v1", "Pod"),
        plural="pods",
        verbs=["post"],
        action="eviction",
    )
    apiVersion = "policy/v1"  # noqa: N815 - lightkube reads these two
    kind = "Eviction"


class _TokenRequest(_Posted):
    _api_info = resource.ApiInfo(
        resource=resource.ResourceDef("authentication.k8s.io", "v1", "TokenRequest"),
        parent=resource.ResourceDef("", "v1", "ServiceAccount"),
        plural="serviceaccounts",
        verbs=["post"],
        action="token",
    )
    apiVersion = "authentication.k8s.io/v1"  # noqa: N815
    kind = "TokenRequest"


def eviction(namespace: str, name: str) -> Any:
    """Return the Eviction (policy/v1) of a pod."""
    metadata = {"name": name, "namespace": namespace}
    return _Eviction(apiVersion=_Eviction.apiVersion, kind="Eviction", metadata=metadata)


def token_request(lifetime_s: int, pod: Mapping[str, Any] | None) -> Any:
    """Return the TokenRequest (authentication.k8s.io/v1) for a token that dies with a pod, where one is given."""
    spec: Object = {"expirationSeconds": lifetime_s}
    if pod is not None:
        spec["boundObjectRef"] = {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": pod["name"],
            "uid": pod["uid"],
        }
    return _TokenRequest(apiVersion=_TokenRequest.apiVersion, kind="TokenRequest", spec=spec)
