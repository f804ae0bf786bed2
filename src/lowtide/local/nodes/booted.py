"""What an instance's user data makes of it: which cluster it joins, with which labels, taints and maximum of pods.

Why it exists: a label that the Auto Scaling group's tags promise and the user data forget is a classic fault; so nothing is taken from
the tags, and a node whose kubelet would not start never appears.

Sources: k8s.io/kubernetes at 1.36, cmd/kubelet/app/options (labels that a kubelet may set), pkg/util/taints (the form of
--register-with-taints); k8s.io/kubelet, pkg/apis/well_known_labels.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lowtide.model.taints import Taint

_KUBERNETES = ("kubernetes.io", "k8s.io")
_ALLOWED_NAMESPACES = ("kubelet.kubernetes.io", "node.kubernetes.io")
_ALLOWED_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
    }
)
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class NoNode(ValueError):  # noqa: N818 - not a failure of ours: the instance runs and is no node
    """The instance does not become a node; the text says why, as a person would read it in the instance's log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """A kubelet that starts.

    ``endpoint`` and ``authority`` (base64) are empty where the image asks EKS for them. ``max_pods`` None is the type's own figure.
    """

    cluster: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...] = ()
    endpoint: str = ""
    authority: str = ""
    max_pods: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletFlags:
    """What a kubelet's command line says of its node."""

    labels: Mapping[str, str]
    taints: tuple[Taint, ...] | None
    max_pods: int | None


def kubelet_flags(flags: Iterable[str]) -> KubeletFlags:
    """Read a kubelet's command line; a flag that is given again replaces taints and adds labels, as in kubelet.

    Raises:
        NoNode: the kubelet would refuse them.
    """
    labels: dict[str, str] = {}
    taints: tuple[Taint, ...] | None = None
    max_pods: int | None = None
    for flag in flags:
        name, _, value = flag.strip().partition("=")
        if name == "--node-labels":
            labels |= dict(_label(one) for one in value.split(",") if one.strip())
        elif name == "--register-with-taints":
            taints = tuple(_taint(one.strip()) for one in value.split(",") if one.strip())
        elif name == "--max-pods":
            max_pods = whole(value, name)
    return KubeletFlags(labels=labels, taints=taints, max_pods=max_pods)


def checked_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels that a kubelet may set on its own node.

    Raises:
        NoNode: kubelet would end with these.
    """
    for key, value in labels.items():
        if _is_kubernetes(key) and not _is_allowed(key):
            raise NoNode(
                f"kubelet: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{key}]"
            )
        prefix, slash, name = key.rpartition("/")
        if not _WORD.fullmatch(name) or (slash and not prefix) or len(prefix) > 253:
            raise NoNode(f"kubelet: invalid node label {key!r}")
        if value and not _WORD.fullmatch(value):
            raise NoNode(f"kubelet: invalid value {value!r} of node label {key}")
    return dict(labels)


def taint(key: str, value: str, effect: str) -> Taint:
    """Return a taint of a node.

    Raises:
        NoNode: its effect is none.
    """
    if effect not in _EFFECTS:
        raise NoNode(f"kubelet: invalid taint effect {effect!r} of {key}, unsupported taint effect")
    return Taint(key=key, value=value, effect=effect)


def whole(value: object, name: str) -> int:
    """Return a whole number.

    Raises:
        NoNode: it is none.
    """
    try:
        return int(str(value))
    except ValueError:
        raise NoNode(f"kubelet: invalid argument {value!r} for {name}") from None


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.strip().partition("=")
    if not equals:
        raise NoNode(f"kubelet: malformed pair, expect string=string: {text.strip()!r}")
    return key, value


def _taint(text: str) -> Taint:
    """Read ``key=value:Effect`` or ``key:Effect``."""
    name, _, effect = text.rpartition(":")
    key, _, value = name.partition("=")
    return taint(key, value, effect)


def _is_kubernetes(key: str) -> bool:
    namespace = key.partition("/")[0] if "/" in key else ""
    return _is_under(namespace, _KUBERNETES)


def _is_allowed(key: str) -> bool:
    return key in _ALLOWED_LABELS or _is_under(key.partition("/")[0], _ALLOWED_NAMESPACES)


def _is_under(namespace: str, roots: Iterable[str]) -> bool:
    return any(namespace == one or namespace.endswith(f".{one}") for one in roots)
