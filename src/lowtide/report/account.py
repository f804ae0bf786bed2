"""An account before a cluster is made in it: quotas, and where each node group can buy what.

Nothing is judged here; the findings say what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lowtide.model.account import AccountFacts
from lowtide.model.cluster import NodeGroup
from lowtide.model.names import ON_DEMAND
from lowtide.model.preflight import Preflight, QuotaNeed
from lowtide.report.blocks import Block, Column, Table, line
from lowtide.report.wording import usd_text

_NARROWEST = 60


def account_text(found: Preflight, *, width: int, color: bool) -> str:
    """Return the facts of that many columns."""
    from lowtide.report.screen import draw  # noqa: PLC0415 - loads rich (60 ms), only when drawing

    return draw(tuple(_blocks(found)), width=max(_NARROWEST, width), color=color)


def _blocks(found: Preflight) -> Iterable[Block]:
    facts = found.facts
    yield line(f"account {facts.account} in {facts.region}, as {facts.caller}", "bold")
    yield line()
    yield Table(
        [
            Column(title="QUOTA OF VCPUS"),
            Column(title="ALLOWS", right=True),
            Column(title="IN USE", right=True),
            Column(title="ONE NODE", right=True),
            Column(title="AT MOST", right=True),
        ],
        [_quota_row(need, facts) for need in found.needs],
    )
    yield line()
    yield Table(
        [
            Column(title="NODE GROUP"),
            Column(title="TYPE"),
            Column(title="ZONE"),
            Column(title="SOLD", right=True),
            Column(title="SPOT $/H", right=True),
            *([Column(title="SCORE", right=True)] if facts.scores else []),
        ],
        [row for group in found.cluster.node_groups for row in _group_rows(group, facts)],
    )
    if facts.scores:
        yield line(
            "SCORE: AWS's spot placement score of the group's types together, 1 to 10", "dim"
        )


def _quota_row(need: QuotaNeed, facts: AccountFacts) -> list[str]:
    fact = facts.quota(need.code)
    allows = "?" if fact is None else f"{fact.vcpus:g}"
    used = "?" if fact is None or fact.used is None else str(fact.used)
    return [need.name, allows, used, str(need.one_node), str(need.at_maximum)]


def _group_rows(group: NodeGroup, facts: AccountFacts) -> Iterable[list[str]]:
    scores = {zone: score for one in facts.scores if one.group == group.name for zone, score in one.by_zone.items()}  # fmt: skip
    on_spot = group.capacity_type != ON_DEMAND
    for candidate in group.candidates:
        name = candidate.offering.instance_type.name
        for zone in group.zones:
            zones = facts.offered.get(name)
            sold = "?" if zones is None else "yes" if zone in zones else "no"
            usd = facts.spot_usd.get(name, {}).get(zone)
            price = "-" if usd is None or not on_spot else usd_text(usd)
            score = [str(scores.get(zone, "-"))] if facts.scores else []
            yield [group.name, name, zone, sold, price, *score]


def account_json(found: Preflight) -> dict[str, Any]:
    """Return the same as a plain dict; what is not known is None."""
    facts = found.facts
    return {
        "account": facts.account,
        "region": facts.region,
        "caller": facts.caller,
        "principal": facts.principal or None,
        "denied_actions": [one.action for one in facts.denied],
        "quotas": [_quota_json(need, facts) for need in found.needs],
        "zones": sorted(facts.zones),
        "offered": {name: list(zones) for name, zones in facts.offered.items()},
        "spot_usd_per_hour": {name: dict(zones) for name, zones in facts.spot_usd.items()},
        "placement_scores": {one.group: dict(one.by_zone) for one in facts.scores},
        "service_linked_roles": dict(facts.service_roles),
        "kubernetes_versions": dict(facts.versions),
        "not_verified": [{"what": one.what, "why": one.why} for one in facts.unknown],
    }


def _quota_json(need: QuotaNeed, facts: AccountFacts) -> dict[str, Any]:
    fact = facts.quota(need.code)
    return {
        "code": need.code,
        "name": need.name,
        "spot": need.spot,
        "vcpus": None if fact is None else fact.vcpus,
        "used": None if fact is None else fact.used,
        "one_node": need.one_node,
        "at_minimum": need.at_minimum,
        "at_maximum": need.at_maximum,
        "node_groups": list(need.groups),
    }
