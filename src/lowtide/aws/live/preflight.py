"""Reads from an account what a new cluster depends on: permissions, quotas, offers, names, versions.

Why it exists: every fact is one or two free calls, they do not wait for each other, and one that may not be read must not stop the
others. Whoever judges the facts is ``checks.account``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from lowtide.aws.live.account import Account, Identity
from lowtide.aws.live.offers import offered_types, usable_zones
from lowtide.aws.live.paging import pages
from lowtide.aws.live.permissions import denials, principal_of
from lowtide.aws.live.prices import spot_prices
from lowtide.aws.live.session import EXPIRED, INVALID, NO_CREDENTIALS, ask
from lowtide.aws.live.vcpu_quotas import allowed_vcpus, used_vcpus
from lowtide.model.account import AccountFacts, Denial, Named, QuotaFact, Unverified
from lowtide.model.errors import AwsError

#: Errors after which nothing else can be read either.
_FATAL = EXPIRED | INVALID | {NO_CREDENTIALS}
#: Service-linked roles by their service (each service's user guide, "Using service-linked roles").
SERVICE_ROLES = {
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "eks.amazonaws.com": "AWSServiceRoleForAmazonEKS",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
}
_WORKERS = 8

Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What to ask about a cluster that is to be made.

    ``quotas`` are names by code, each with whether it is of spot; ``quota_of`` is the code of a type's quota, on spot or not.
    ``resources`` are ARNs by service on which an action may be allowed alone, with ``{partition}``, ``{region}`` and ``{account}``.
    Without ``is_new`` the cluster is there, and only what its node groups depend on is asked.
    """

    cluster: str
    types: tuple[str, ...]
    quotas: Mapping[str, tuple[str, bool]]
    quota_of: Callable[[str, bool], str]
    stacks: tuple[str, ...]
    actions: tuple[str, ...]
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uses_spot: bool = False
    is_new: bool = True


def read_facts(account: Account, asked: Questions) -> AccountFacts:
    """Ask everything that counts at once and return what was answered.

    Raises:
        AwsError: there are no usable credentials, or AWS cannot be reached at all.
    """
    return _Reader(account, asked, account.identity()).read()


class _Reader:
    def __init__(self, account: Account, asked: Questions, identity: Identity) -> None:
        self._account = account
        self._asked = asked
        self._identity = identity
        self._unknown: list[Unverified] = []

    def read(self) -> AccountFacts:
        account, asked = self._account, self._asked
        with ThreadPoolExecutor(_WORKERS) as pool:

            def start(what: str, read: Callable[[], Fact]) -> Future[Fact | None]:
                return pool.submit(self._attempt, what, read)

            def start_if_new(what: str, read: Callable[[], Fact]) -> Future[Fact | None]:
                return start(what, read) if asked.is_new else pool.submit(lambda: None)

            denied = start_if_new("the caller's permissions", self._denials)
            quotas = start("vCPU quotas", self._quotas)
            zones = start("the account's zones", lambda: usable_zones(account))
            offered = start(
                "which zones sell the types", lambda: offered_types(account, asked.types)
            )
            prices = start("spot prices", self._prices)
            roles = start("service-linked roles", self._roles)
            versions = start_if_new("the versions that EKS offers", self._versions)
            clusters = start_if_new("whether the cluster's name is free", self._clusters)
            stacks = start_if_new("whether the stacks' names are free", self._stacks)
        principal, refused = denied.result() or ("", ())
        return AccountFacts(
            region=account.region,
            account=self._identity.account,
            caller=self._identity.arn,
            principal=principal,
            denied=refused,
            quotas=quotas.result() or (),
            zones=zones.result() or {},
            offered=offered.result() or {},
            spot_usd=prices.result() or {},
            service_roles=roles.result() or {},
            versions=versions.result() or {},
            clusters=clusters.result() or (),
            stacks=stacks.result() or (),
            unknown=tuple(sorted(self._unknown, key=lambda one: one.what)),
        )

    def _attempt(self, what: str, read: Callable[[], Fact]) -> Fact | None:
        try:
            return read()
        except AwsError as error:
            if error.code in _FATAL:
                raise
            self._unknown.append(Unverified(what=what, why=error.why or error.what))
            return None

    def _denials(self) -> tuple[str, tuple[Denial, ...]]:
        principal = principal_of(self._account, self._identity)
        if not principal:
            return "", ()
        place = {
            "partition": self._identity.arn.split(":")[1],
            "region": self._account.region,
            "account": self._identity.account,
        }
        resources = {
            service: [one.format(**place) for one in arns]
            for service, arns in self._asked.resources.items()
        }
        return principal, denials(self._account, principal, self._asked.actions, resources)

    def _quotas(self) -> tuple[QuotaFact, ...]:
        used = self._attempt("how many vCPUs are in use", self._used)
        found = []
        for code, (name, spot) in sorted(self._asked.quotas.items()):
            vcpus = self._attempt(f"quota {name!r} ({code})", self._allowed(code))
            if vcpus is not None:
                count = None if used is None else used.get(code, 0)
                found.append(QuotaFact(code=code, name=name, spot=spot, vcpus=vcpus, used=count))
        return tuple(found)

    def _allowed(self, code: str) -> Callable[[], float]:
        return lambda: allowed_vcpus(self._account, code)

    def _used(self) -> dict[str, int]:
        return used_vcpus(self._account, self._asked.cluster, self._asked.quota_of)

    def _prices(self) -> Mapping[str, Mapping[str, float]]:
        return spot_prices(self._account, self._asked.types) if self._asked.uses_spot else {}

    def _roles(self) -> dict[str, bool]:
        return {service: self._has_role(role) for service, role in SERVICE_ROLES.items()}

    def _has_role(self, role: str) -> bool:
        try:
            ask(self._account.client("iam").get_role, RoleName=role)
        except AwsError as error:
            if error.code != "NoSuchEntity":
                raise
            return False
        return True

    def _versions(self) -> dict[str, str]:
        eks = self._account.client("eks")
        return {
            one["clusterVersion"]: one.get("versionStatus")
            or one["status"].upper().replace("-", "_")
            for page in pages(eks.describe_cluster_versions, token="nextToken")  # noqa: S106 - a field's name
            for one in page["clusterVersions"]
        }

    def _clusters(self) -> tuple[Named, ...]:
        try:
            answer = ask(self._account.client("eks").describe_cluster, name=self._asked.cluster)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return ()
            raise
        one = answer["cluster"]
        return (
            Named(
                name=one["name"],
                status=one["status"],
                version=one.get("version", ""),
                tags=one.get("tags") or {},
            ),
        )

    def _stacks(self) -> tuple[Named, ...]:
        wanted = {*self._asked.stacks, f"eksctl-{self._asked.cluster}-cluster"}
        return tuple(
            Named(
                name=one["StackName"],
                status=one["StackStatus"],
                tags={tag["Key"]: tag["Value"] for tag in one.get("Tags", ())},
            )
            for page in pages(self._account.client("cloudformation").describe_stacks)
            for one in page["Stacks"]
            if one["StackName"] in wanted
        )
