"""The ConfigMap ``cluster-autoscaler-status``, field for field as upstream writes it.

Why it exists: it is where people and tools look for back-offs, unready groups and sizes (clusterstate/api/types.go at 1.36.1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import yaml

from lowtide.engine.status import AutoscalerStatus, GroupStatus, NodeCounts
from lowtide.kube.live.client import Cluster, NotFound, Object
from lowtide.local.autoscaler.events import STATUS_MAP
from lowtide.model import names

_LAST_UPDATED = "cluster-autoscaler.kubernetes.io/last-updated"


class StatusMap:
    """Keeps the ConfigMap up to date, and when each condition last changed."""

    def __init__(self, cluster: Cluster, namespace: str = names.SYSTEM_NAMESPACE) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._changed: dict[tuple[str, str], tuple[str, str]] = {}
        self.object: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": STATUS_MAP, "namespace": namespace},
        }
        """The ConfigMap as the server keeps it, on which events are recorded."""

    def initialize(self, now_ms: int) -> None:
        """Write the status of an autoscaler that starts.

        Raises:
            KubernetesError: the API server refused.
        """
        self._write({"autoscalerStatus": "Initializing"}, now_ms)

    def write(self, status: AutoscalerStatus, now_ms: int) -> None:
        """Write the status after a loop.

        Raises:
            KubernetesError: the API server refused.
        """
        now = _stamp(now_ms)
        groups = [self._group(one, now) for one in status.groups]
        growing = any(one.scale_up == "InProgress" for one in status.groups)
        wide = {
            "health": {
                "nodeCounts": _counts(status.counts),
                **self._condition("", "health", _health(healthy=status.healthy), now),
            },
            "scaleDown": self._scale_down("", sum(one.candidates for one in status.groups), now),
            "scaleUp": self._condition(
                "", "scaleUp", "InProgress" if growing else "NoActivity", now
            ),
        }
        self._write(
            {"autoscalerStatus": "Running", "clusterWide": wide, "nodeGroups": groups}, now_ms
        )

    def _group(self, one: GroupStatus, now: str) -> Object:
        failed = {"errorCode": one.backoff_code, "errorMessage": one.backoff_message}
        return {
            "health": {
                "cloudProviderTarget": one.target,
                "maxSize": one.max_size,
                "minSize": one.min_size,
                "nodeCounts": _counts(one.counts),
                **self._condition(one.name, "health", _health(healthy=one.healthy), now),
            },
            "name": one.name,
            "scaleDown": self._scale_down(one.name, one.candidates, now),
            "scaleUp": {
                "backoffInfo": failed if one.backoff_code else {},
                **self._condition(one.name, "scaleUp", one.scale_up, now),
            },
        }

    def _scale_down(self, group: str, candidates: int, now: str) -> Object:
        state = "CandidatesPresent" if candidates else "NoCandidates"
        counted = {"candidates": candidates} if candidates else {}
        return {**counted, **self._condition(group, "scaleDown", state, now)}

    def _condition(self, group: str, name: str, state: str, now: str) -> Object:
        before, since = self._changed.get((group, name), ("", now))
        if before != state:
            since = now
            self._changed[group, name] = (state, since)
        return {"lastProbeTime": now, "lastTransitionTime": since, "status": state}

    def _write(self, content: Mapping[str, Any], now_ms: int) -> None:
        moment = dt.datetime.fromtimestamp(now_ms / 1000, tz=dt.UTC)
        written = moment.strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
        metadata = {
            "name": STATUS_MAP,
            "namespace": self._namespace,
            "annotations": {_LAST_UPDATED: written},
        }
        wanted: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"status": yaml.safe_dump({**content, "time": written})},
        }
        # Its role may create and update this ConfigMap; apply would be a patch.
        try:
            self.object = self._cluster.replace(wanted)
        except NotFound:
            self.object = self._cluster.create(wanted)


def _health(*, healthy: bool) -> str:
    return "Healthy" if healthy else "Unhealthy"


def _counts(counts: NodeCounts) -> Object:
    deleted = {"beingDeleted": counts.being_deleted} if counts.being_deleted else {}
    return {
        "longUnregistered": counts.long_unregistered,
        "registered": {
            **deleted,
            "notStarted": counts.not_started,
            "ready": counts.ready,
            "suspended": 0,
            "total": counts.registered,
            "unready": {"resourceUnready": counts.resource_unready, "total": counts.unready},
        },
        "unregistered": counts.unregistered,
    }


def _stamp(now_ms: int) -> str:
    moment = dt.datetime.fromtimestamp(now_ms / 1000, tz=dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
