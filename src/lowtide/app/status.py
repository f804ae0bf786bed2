"""Reads what a live cluster is doing.

Why it exists: what AWS knows and what Kubernetes knows are looked at together; where the API server cannot be asked the rest is still
told.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import replace

from lowtide import catalog
from lowtide.app.cluster_named import NamedCluster
from lowtide.app.files import load
from lowtide.app.inside import connected_to
from lowtide.app.kubeconfig import no_such_cluster
from lowtide.app.live_costs import control_plane_usd
from lowtide.app.price_cache import fresh_prices
from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import LiveCluster, find_cluster
from lowtide.aws.live.node_groups import node_groups
from lowtide.aws.live.prices import spot_prices
from lowtide.explain.cluster_status import AwsView, KubernetesView, cluster_status
from lowtide.kube.autoscaler_words import (
    DEPLOYMENT,
    STATUS_MAP,
    autoscaler_program,
    autoscaler_words,
)
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.cluster_status import ClusterStatus
from lowtide.model.errors import AwsError, InputError, KubernetesError
from lowtide.model.names import SYSTEM_NAMESPACE
from lowtide.model.node_groups import SeenGroup

#: For so long spot prices are taken for those of now.
_SPOT_KEPT_S = 300.0


class StatusReader:
    """Looks at one cluster, again and again where asked; connections are kept."""

    def __init__(self, cluster: NamedCluster, *, profile: str | None = None) -> None:
        self._cluster = cluster
        self._account = Account(cluster.region, profile)
        self._resolved = _resolved(cluster)
        self._inside: Cluster | None = None
        self._spot: Mapping[str, Mapping[str, float]] = {}
        self._spot_at = -_SPOT_KEPT_S
        self._fresh = fresh_prices(cluster.region)
        self._dates = catalog.price_dates(cluster.region, self._fresh)

    def read(self) -> ClusterStatus:
        """Return what it is doing now.

        Raises:
            InputError: there is no such cluster.
            AwsError: AWS refused, or could not be reached.
        """
        found = find_cluster(self._account, self._cluster.name)
        if found is None:
            raise no_such_cluster(self._cluster)
        groups = node_groups(self._account, found.name)
        self._ask_spot(groups)
        now = dt.datetime.now(tz=dt.UTC)
        return cluster_status(
            self._aws(found, groups),
            self._kubernetes(found),
            price=self._price,
            now_s=now.timestamp(),
            at=now.isoformat(timespec="seconds"),
            resolved=self._resolved,
        )

    def close(self) -> None:
        """Close the connection to the API server."""
        if self._inside is not None:
            self._inside.close()
            self._inside = None

    def _aws(self, found: LiveCluster, groups: tuple[SeenGroup, ...]) -> AwsView:
        return AwsView(
            name=found.name,
            region=self._cluster.region,
            account=found.arn.split(":")[4],
            status=found.status,
            version=found.version,
            ours=found.is_ours,
            groups=groups,
            control_plane_usd_per_hour=control_plane_usd(found.version),
            price_dates=self._dates,
        )

    def _kubernetes(self, found: LiveCluster) -> KubernetesView:
        if not found.endpoint:
            return KubernetesView(refused=f"the cluster is {found.status}")
        if self._inside is None:
            self._inside = connected_to(self._account, found)
        inside = self._inside
        try:
            pods = inside.list(kinds.POD).items
            deployment = inside.get(kinds.DEPLOYMENT, DEPLOYMENT, SYSTEM_NAMESPACE)
            status_map = inside.get(kinds.CONFIG_MAP, STATUS_MAP, SYSTEM_NAMESPACE)
            waits = any(one["status"].get("phase") == "Pending" for one in pods)
            return KubernetesView(
                nodes=inside.list(kinds.NODE).items,
                pods=pods,
                events=inside.list(kinds.EVENT).items if waits else (),
                autoscaler=autoscaler_words(deployment, status_map),
                program=autoscaler_program(deployment, status_map),
            )
        except KubernetesError as error:
            return KubernetesView(refused=error.why or error.what)

    def _ask_spot(self, groups: tuple[SeenGroup, ...]) -> None:
        """Ask for spot prices where spot instances run; without an answer the known ones count."""
        types = sorted(
            {one.instance_type for group in groups for one in group.instances if one.spot}
        )
        new = [name for name in types if name not in self._spot]
        if not types or not (new or time.monotonic() - self._spot_at > _SPOT_KEPT_S):
            return
        try:
            self._spot = spot_prices(self._account, types)
        except AwsError:
            return
        self._spot_at = time.monotonic()
        at = dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds")
        self._dates = replace(self._dates, spot=at, spot_refreshed=True)

    def _price(self, instance_type: str, zone: str, spot: bool) -> float | None:  # noqa: FBT001 - the form of Price
        if spot:
            now = self._spot.get(instance_type, {}).get(zone)
            if now is not None:
                return now
        try:
            known = catalog.offering(instance_type, self._cluster.region, fresh=self._fresh)
        except InputError:
            return None
        return known.spot_usd_per_hour if spot else known.on_demand_usd_per_hour


def _resolved(cluster: NamedCluster) -> ResolvedCluster | None:
    """Return the cluster by its file, None without one or where the file has errors: what runs is told all the same."""
    return None if cluster.inputs is None else load(cluster.inputs).cluster
