"""Writes events as the upstream autoscaler's recorder does.

Why it exists: what is dropped and what is counted is part of what a person sees. client-go (tools/record/events_cache.go) puts
events that differ only in their text together after ten, counts equal ones, and the autoscaler lets one event of a
reason through for an object in five minutes (utils/kubernetes/factory.go at 1.36.1); on its status ConfigMap one of a text.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.kube.live.client import Cluster, Object
from lowtide.kube.live.kinds import EVENT
from lowtide.model.errors import KubernetesError

_log = logging.getLogger(__name__)

COMPONENT = "cluster-autoscaler"
STATUS_MAP = "cluster-autoscaler-status"

#: One event of a key, then another every five minutes (defaultQPS, defaultBurstSize).
_REFILL_S = 300.0
#: Events alike but for their text, within this time (defaultAggregateMaxEvents, defaultAggregateIntervalInSeconds).
_MOST_ALIKE = 10
_ALIKE_S = 600.0


@dataclass(slots=True)
class _Written:
    """An event: its name, how often it was seen, first when, and whether it was let through yet."""

    name: str
    count: int
    first: str
    there: bool = False


@dataclass(slots=True)
class _Alike:
    """Texts seen of events that are alike otherwise."""

    last_s: float
    texts: set[str] = field(default_factory=set)


class Recorder:
    """Writes events on pods, nodes and the status ConfigMap; a write that fails is logged and forgotten."""

    def __init__(
        self, cluster: Cluster, seconds: Callable[[], float], component: str = COMPONENT
    ) -> None:
        self._component = component
        self._cluster = cluster
        self._seconds = seconds
        self._written: dict[tuple[str, ...], _Written] = {}
        self._alike: dict[tuple[str, ...], _Alike] = {}
        self._next_s: dict[tuple[str, ...], float] = {}

    def record(self, about: Mapping[str, Any], reason: str, message: str, *, warning: bool) -> None:
        """Record an event about an object (its apiVersion, kind, metadata)."""
        kind = "Warning" if warning else "Normal"
        subject = _reference(about)
        whose = (*subject.values(), kind, reason)
        message, key = self._aggregated(whose, message)
        known = self._written.get(key)
        now = _timestamp(self._seconds())
        if known is None:
            known = self._written[key] = _Written(
                name=f"{subject['name']}.{secrets.token_hex(8)}", count=0, first=now
            )
        known.count += 1
        if not self._lets_through(subject, reason, message):
            return
        try:
            self._write(subject, known, kind, reason, message)
        except KubernetesError as error:
            _log.warning("event %s of %s not written: %s", reason, subject["name"], error.why)

    def _aggregated(self, whose: tuple[str, ...], message: str) -> tuple[str, tuple[str, ...]]:
        now_s = self._seconds()
        alike = self._alike.get(whose)
        if alike is None or now_s - alike.last_s > _ALIKE_S:
            alike = self._alike[whose] = _Alike(now_s)
        alike.texts.add(message)
        alike.last_s = now_s
        if len(alike.texts) < _MOST_ALIKE:
            return message, (*whose, message)
        return f"(combined from similar events): {message}", whose

    def _lets_through(self, subject: Mapping[str, str], reason: str, message: str) -> bool:
        ours = subject["kind"] == "ConfigMap" and subject["name"] == STATUS_MAP
        key = (message,) if ours else (reason, *subject.values())
        now_s = self._seconds()
        if now_s < self._next_s.get(key, 0.0):
            return False
        self._next_s[key] = now_s + _REFILL_S
        return True

    def _write(
        self, subject: Mapping[str, str], known: _Written, kind: str, reason: str, message: str
    ) -> None:
        namespace = subject.get("namespace") or "default"
        now = _timestamp(self._seconds())
        if known.there:
            patch: Object = {"count": known.count, "lastTimestamp": now, "message": message}
            self._cluster.patch(EVENT, known.name, patch, namespace=namespace)
            return
        self._cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": known.name, "namespace": namespace},
                "involvedObject": dict(subject),
                "reason": reason,
                "message": message,
                "type": kind,
                "count": known.count,
                "firstTimestamp": known.first,
                "lastTimestamp": now,
                "source": {"component": self._component},
                "reportingComponent": self._component,
                "reportingInstance": "",
            }
        )
        known.there = True


def _reference(about: Mapping[str, Any]) -> dict[str, str]:
    metadata = about["metadata"]
    found = {
        "apiVersion": about.get("apiVersion", "v1"),
        "kind": about["kind"],
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
        "resourceVersion": "",
    }
    return {key: value for key, value in found.items() if value}


def _timestamp(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
