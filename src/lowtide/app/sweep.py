"""Looks for what is left of a cluster, and removes what the user chose to have removed.

Why it exists: removing is asking and looking again: interfaces wait for instances, groups for interfaces, the network for all of them. It
goes on while something goes, and stops when nothing does any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from lowtide import catalog
from lowtide.app.inside import Tell
from lowtide.app.patience import Patience, patiently
from lowtide.app.price_cache import fresh_prices
from lowtide.aws.live.account import Account
from lowtide.aws.live.remains import look
from lowtide.aws.live.remains.asking import Asking
from lowtide.aws.live.remains.identity import WITHOUT_REGION, region_elsewhere
from lowtide.aws.live.remains.networks import networks_of
from lowtide.aws.live.remains.removing import can_remove, remove
from lowtide.aws.live.session import DENIED
from lowtide.explain.remains import InstancePrice, priced
from lowtide.model.errors import AwsError, InputError
from lowtide.model.live_plan import Progress
from lowtide.model.names import CLUSTER_TAG
from lowtide.model.remains import Choice, Looked, Priced, Remain, to_remove

#: Looks without any change after which what is left stays: about three minutes, longer than an instance takes to end.
ROUNDS = 20


class Sweeper:
    """Looks and removes; every method raises AwsError where AWS cannot be reached."""

    def __init__(self, account: Account, cluster: str, patience: Patience) -> None:
        self._account = account
        self._cluster = cluster
        self._patience = patience
        self._elsewhere: str | None = None
        self._networks: frozenset[str] = frozenset()
        self._reasons: dict[tuple[str, str], str] = {}
        self.removed: list[Remain] = []

    def look(self, *, with_regions: bool = True) -> Looked:
        """Return what is left now, with why it could not be removed.

        ``with_regions`` asks also whether another region has a cluster of that name, where something is found that knows no region.
        """
        found = patiently(self._patience, lambda: look(self._account, self._cluster))
        remains = tuple(replace(one, why=self._reasons.get(one.key, "")) for one in found.remains)
        remains = self._with_networks(remains)
        if with_regions and any(one.kind in WITHOUT_REGION for one in remains):
            remains = tuple(map(self._with_region, remains))
        return replace(found, remains=remains)

    def _with_networks(self, remains: tuple[Remain, ...]) -> tuple[Remain, ...]:
        """Mark what stands in a network that is not known to be the cluster's: another cluster may have the same name there.

        Kubernetes' tags name a cluster and not whose it is; lowtide's tag does.
        """
        own = f"{CLUSTER_TAG}={self._cluster}"
        unsure = [one for one in remains if one.network and one.found_by != own]
        if any(one.network not in self._networks for one in unsure):
            self._networks |= self._look_for_networks()
        foreign = {one.key for one in unsure if one.network not in self._networks}
        return tuple(
            replace(one, elsewhere=one.network) if one.key in foreign else one for one in remains
        )

    def _look_for_networks(self) -> frozenset[str]:
        try:
            return patiently(self._patience, lambda: networks_of(self._account, self._cluster))
        except AwsError as error:
            if error.code in DENIED:
                return frozenset()  # what cannot be known is taken for somebody else's
            raise

    def _with_region(self, one: Remain) -> Remain:
        if one.kind not in WITHOUT_REGION:
            return one
        if self._elsewhere is None:
            self._elsewhere = region_elsewhere(self._account, self._cluster)
        return replace(one, elsewhere=self._elsewhere)

    def priced(self, remains: Collection[Remain]) -> tuple[Priced, ...]:
        """Return things with what they cost a month."""
        return priced(remains, _prices(self._account.region))

    def sweep(
        self,
        choice: Choice,
        *,
        tell: Tell,
        before_act: Callable[[], None],
        only: Callable[[Remain], bool] = lambda _: True,
    ) -> Looked:
        """Remove what was chosen, until it is gone or does not go; return the last look."""
        idle = 0
        looked = self.look()
        while targets := [
            one for one in to_remove(looked.remains, choice) if can_remove(one) and only(one)
        ]:
            for one in targets:
                if not one.is_going:
                    before_act()
                    self._remove(one, tell)
            before = {one.key for one in looked.remains}
            looked = self.look()
            gone = before - {one.key for one in looked.remains}
            self.removed += [one for one in targets if one.key in gone]
            for one in targets:
                if one.key in gone:
                    tell(Progress(subject=f"{one.kind} {one.name or one.id}", status="removed"))
            is_moving = bool(gone) or any(one.is_going for one in looked.remains)
            idle = 0 if is_moving else idle + 1
            if idle >= ROUNDS:
                break
            if not gone:
                self._patience.pause(f"{targets[0].kind} {targets[0].id}", why=targets[0].why)
        return looked

    def _remove(self, one: Remain, tell: Tell) -> None:
        try:
            remove(Asking(self._account, self._cluster), one)
        except AwsError as error:
            if self._reasons.get(one.key) != error.why:
                what = f"{one.kind} {one.name or one.id}"
                tell(Progress(subject=what, status="not removed yet", reason=error.why))
            self._reasons[one.key] = error.why
        else:
            self._reasons.pop(one.key, None)


def _prices(region: str) -> InstancePrice:
    fresh = fresh_prices(region)

    def price(instance_type: str, spot: bool) -> float | None:  # noqa: FBT001 - the form of InstancePrice
        try:
            known = catalog.offering(instance_type, region, fresh=fresh)
        except InputError:
            return None
        return known.spot_usd_per_hour if spot else known.on_demand_usd_per_hour

    return price
