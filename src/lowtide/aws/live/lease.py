"""One run at a time on one cluster: a lease with an owner and an end, kept as a parameter of Systems Manager.

Why it exists: two people, or one person twice, may run ``up`` or ``down`` on the same name at once, from different machines.

How: a lease is the parameter ``/lowtide/NAME/lease/N``. PutParameter without Overwrite makes one of a number only once, so that of two who
want the same number one wins. An expired lease is not touched by who takes over: that one makes number N + 1, looks again, and steps
back where it sees another living lease, whatever its number. Each writes and then reads, so that at least one of two sees the other.
Time is AWS's alone (LastModifiedDate and the Date of answers): clocks of machines may differ.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

from lowtide.aws.live.account import Account
from lowtide.aws.live.session import ask
from lowtide.model import names
from lowtide.model.errors import AwsError, LowtideError

#: Seconds after which a lease that nobody renewed is free for others.
LIFE_S = 120.0
#: A lease is renewed that many times in its life.
_RENEWALS = 4
_TRIES = 5
#: What cannot be given back in that many tries expires.
_GIVE_BACK_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lease. ``id`` is one run; ``process`` tells processes apart on this machine since it started, "" where nothing does."""

    id: str
    who: str
    host: str
    verb: str
    process: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A lease as it is. ``since`` is AWS's time of its beginning; ``left_s`` seconds until others may take it, below 0 when they may."""

    number: int
    holder: Holder
    since: str
    left_s: float


class LeaseHeld(LowtideError):  # noqa: N818 - somebody else is at work, which is no failure of ours
    """Another run holds the lease."""


class LeaseLost(LowtideError):  # noqa: N818 - as above
    """The lease was not renewed in time, and another run has it now."""


class Lease:
    """A lease on a cluster, held from entering to leaving ``with`` and renewed in between.

    Args:
        account: where the cluster is.
        cluster: its name.
        holder: this run.
        is_dead: whether the process of a holder on this very machine has ended; its lease is then free at once.
        life_s: seconds without a renewal after which others may take it.
    """

    def __init__(
        self,
        account: Account,
        cluster: str,
        holder: Holder,
        *,
        is_dead: Callable[[Holder], bool] = lambda _: False,
        life_s: float = LIFE_S,
    ) -> None:
        self._api = account.client("ssm")
        self._cluster = cluster
        self._path = lease_path(cluster)
        self._holder = holder
        self._is_dead = is_dead
        self._life_s = life_s
        self._number = 0
        self._since = ""
        self._lost: LowtideError | None = None
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew_on, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Take the lease.

        Raises:
            LeaseHeld: another run has it.
            AwsError: AWS refused, or could not be reached.
        """
        for _ in range(_TRIES):
            if self._try():
                self._renewer.start()
                return self
        raise self._held(None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back; what cannot be given back expires."""
        self._ended.set()
        if self._renewer.ident is not None:
            self._renewer.join()
        self._give_back()

    def _give_back(self) -> None:
        for _ in range(_GIVE_BACK_TRIES):
            with contextlib.suppress(AwsError):
                self._delete([self._number])
                return

    def check(self) -> None:
        """Do nothing while the lease is ours; to be called before anything is changed.

        Raises:
            LeaseLost: it is not ours any more.
        """
        if self._lost is not None:
            raise self._lost

    def _try(self) -> bool:
        found = read_leases(self._api, self._path)
        newest = max(found, key=lambda one: one.number, default=None)
        for one in found:
            if self._is_living(one):
                raise self._held(one)
        number = 1 if newest is None else newest.number + 1
        if not self._make(number):
            return False
        self._number = number
        try:
            self._refuse_others(number)
        except BaseException:
            self._give_back()  # nobody would renew it
            raise
        return True

    def _refuse_others(self, number: int) -> None:
        others = [one for one in read_leases(self._api, self._path) if one.number != number]
        for one in others:
            if self._is_living(one):
                raise self._held(one)
        self._delete([one.number for one in others])

    def _is_living(self, found: Found) -> bool:
        return found.left_s > 0 and not self._is_dead(found.holder)

    def _make(self, number: int) -> bool:
        try:
            answer = ask(
                self._api.put_parameter,
                Name=f"{self._path}/{number}",
                Description="A run of lowtide is at work on the cluster",
                Type="String",
                Value=self._text(""),
                Overwrite=False,
                Tags=[{"Key": names.CLUSTER_TAG, "Value": self._cluster}],
            )
        except AwsError as error:
            if error.code == "ParameterAlreadyExists":
                return self._is_ours(number)
            raise
        except BaseException:  # Ctrl-C, when AWS may have made it already
            with contextlib.suppress(AwsError):
                if self._is_ours(number):
                    self._delete([number])
            raise
        self._since = _now(answer).strftime("%Y-%m-%d %H:%M:%S UTC")
        return True

    def _is_ours(self, number: int) -> bool:
        """Return whether we made it, by a first try whose answer was lost on the way."""
        found = read_leases(self._api, self._path)
        ours = [one for one in found if (one.number, one.holder.id) == (number, self._holder.id)]
        self._since = ours[0].since if ours else ""
        return bool(ours)

    def _text(self, since: str) -> str:
        one = self._holder
        said = {"id": one.id, "who": one.who, "host": one.host, "verb": one.verb}
        return json.dumps({**said, "process": one.process, "since": since, "life_s": self._life_s})

    def _renew_on(self) -> None:
        while not self._ended.wait(self._life_s / _RENEWALS):
            try:
                self._renew()
            except LeaseLost as error:
                self._lost = error
                return
            except AwsError:
                continue  # a lease lives long enough for another try

    def _renew(self) -> None:
        found = read_leases(self._api, self._path)
        if all(one.holder.id != self._holder.id for one in found) or any(
            one.number > self._number for one in found
        ):
            raise LeaseLost(
                "another run of lowtide has taken this cluster over",
                where=self._path,
                why=f"the lease was not renewed for {self._life_s:.0f} s",
                fix="wait until the other run is over, and run the same command again",
            )
        ask(
            self._api.put_parameter,
            Name=f"{self._path}/{self._number}",
            Type="String",
            Value=self._text(self._since),
            Overwrite=True,
        )

    def _delete(self, numbers: list[int]) -> None:
        if numbers:
            ask(self._api.delete_parameters, Names=[f"{self._path}/{one}" for one in numbers[:10]])

    def _held(self, found: Found | None) -> LeaseHeld:
        if found is None:
            return LeaseHeld(
                f"others keep taking cluster {self._cluster} at this moment",
                where=self._path,
                fix="run the same command again",
            )
        return held(self._cluster, found)


def held(cluster: str, found: Found) -> LeaseHeld:
    """Return the error that says who is at work on a cluster, and since when."""
    one = found.holder
    return LeaseHeld(
        f"another run is at work on cluster {cluster}",
        where=lease_path(cluster),
        why=f"lowtide {one.verb} of {one.who} on {one.host}, since {found.since}",
        fix=f"wait until it is over; should it be dead, its lease ends in {max(found.left_s, 0):.0f} s",
    )


def lease_path(cluster: str) -> str:
    """Return the path below which the leases of a cluster are kept."""
    return f"/lowtide/{cluster}/lease"


def read_leases(api: Any, path: str) -> tuple[Found, ...]:
    """Return every lease below a path; parameters that are none of ours are left out.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    found: list[Found] = []
    token: dict[str, str] = {}
    while True:
        page = ask(api.get_parameters_by_path, Path=path, **token)
        now = _now(page)
        found += filter(None, (_found(one, now) for one in page["Parameters"]))
        if not page.get("NextToken"):
            return tuple(found)
        token = {"NextToken": page["NextToken"]}


def _found(raw: Mapping[str, Any], now: dt.datetime) -> Found | None:
    modified = raw["LastModifiedDate"]
    try:
        number, said = int(raw["Name"].rpartition("/")[2]), json.loads(raw["Value"])
        holder = Holder(**{key: str(said[key]) for key in ("id", "who", "host", "verb", "process")})
        life_s = float(said["life_s"])
    except (ValueError, KeyError, TypeError):
        return None
    return Found(
        number=number,
        holder=holder,
        since=said.get("since") or modified.strftime("%Y-%m-%d %H:%M:%S UTC"),
        # The Date of an answer has no fractions of a second.
        left_s=min(life_s, life_s - (now - modified).total_seconds()),
    )


def _now(answer: Mapping[str, Any]) -> dt.datetime:
    """Return the time at which AWS answered."""
    header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return dt.datetime.now(tz=dt.UTC)
