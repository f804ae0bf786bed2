"""A plan for people and for programs: what would be created, and what it costs.

Nothing is computed here but sums and words; every figure is the plan's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lowtide.model.cluster import Hardening, NodeGroup
from lowtide.model.meta import Meta
from lowtide.model.names import EKS_NODEGROUP, EKSCTL_CLUSTER, EKSCTL_NODEGROUP, ON_DEMAND, SPOT
from lowtide.model.plan import GpuPrice, GroupCost, Plan, PlannedStack, SupportLeft
from lowtide.report.blocks import Block, Column, Line, Table, Words, line
from lowtide.report.wording import count_text, price_dates_text, prices_json, usd_text

PLAN_SCHEMA = "lowtide.plan/v1"
_NARROWEST = 60
#: A column of longer names than this one wraps, so that the one beside it is still read.
_LONGEST_NAME = 60
#: Labels that only say which cluster and which group a node is of.
_NAMING = frozenset({EKS_NODEGROUP, EKSCTL_CLUSTER, EKSCTL_NODEGROUP})
#: Below this many days of support the sentence is a warning.
_SOON = 60


def plan_text(plan: Plan, *, width: int, color: bool) -> str:
    """Return a plan of that many columns: cost first, then groups, stacks, objects and what lowtide adds to the file."""
    from lowtide.report.screen import draw  # noqa: PLC0415 - loads rich (60 ms), only when drawing

    blocks = (
        *_heading(plan),
        *_cost(plan),
        *_groups(plan),
        *_stacks(plan),
        *_objects(plan.objects),
        *_hardening(plan.cluster.hardening),
    )
    return draw(blocks, width=max(_NARROWEST, width), color=color)


def _heading(plan: Plan) -> Iterable[Block]:
    cluster, support = plan.cluster, plan.support
    place = f"  {cluster.region} ({', '.join(cluster.zones)}), Kubernetes {cluster.version}"
    yield line(cluster.name + place, "bold")
    soon = support.days_left is not None and support.days_left < _SOON
    yield line(support_sentence(support), "bold yellow" if soon else "dim")
    notices = (*cluster.notices, *plan.notes)
    yield from (line(f"NOTICE: {one}", "bold yellow") for one in notices)
    yield line()


def support_sentence(support: SupportLeft) -> str:
    """Return how long the minor is supported, and what happens then."""
    minor = f"standard support of Kubernetes {support.version}"
    if support.days_left is None:
        return f"{minor}: EKS has not published its end"
    if support.days_left < 0:
        return f"{minor} ended on {support.until}: {support.then}"
    days = count_text(support.days_left, "day")
    return f"{minor}: {days} left (until {support.until}); then {support.then}"


def _cost(plan: Plan) -> Iterable[Block]:
    cost = plan.cost
    parts = (
        ("control plane", cost.control_plane_usd_per_hour),
        ("NAT", cost.gateways_usd_per_hour),
        ("nodes at their minimum", cost.nodes_usd_per_hour),
    )
    made_of = " + ".join(f"{name} {usd_text(usd)}" for name, usd in parts if usd)
    most = "every group at its maximum, at the shown prices"
    if cost.ceiling_usd_per_hour > cost.worst_case_usd_per_hour:
        most += f"; {usd_text(cost.ceiling_usd_per_hour)} if spot rises to its limit"
    yield Table(
        [
            Column(title="COST"),
            Column(title="$/HOUR", right=True),
            Column(title="$/MONTH", right=True),
            Column(),
        ],
        [
            _cost_row("idle", cost.idle_usd_per_hour, cost.idle_usd_per_month, made_of),
            _cost_row(
                "worst case", cost.worst_case_usd_per_hour, cost.worst_case_usd_per_month, most
            ),
        ],
    )
    yield line(
        f"$/MONTH is always on: {cost.hours_per_month} hours; data by the GB comes on top.", "dim"
    )
    yield line()
    if cost.gpu_prices:
        yield _gpu_table(cost.gpu_prices)
    dated = price_dates_text(plan.cluster.price_dates, plan.today)
    if dated:
        yield line(dated, "dim")
    if cost.gpu_prices or dated:
        yield line()


def _cost_row(name: str, hour: float, month: float, words: str) -> list[Words | str]:
    return [Words(name, "bold"), usd_text(hour), usd_text(month), Words(words, "dim")]


def _gpu_table(prices: Iterable[GpuPrice]) -> Table:
    rows = [
        [
            one.instance_type,
            f"{one.gpus} x {one.gpu}",
            "-" if one.spot_usd_per_gpu_hour is None else usd_text(one.spot_usd_per_gpu_hour),
            usd_text(one.on_demand_usd_per_gpu_hour),
        ]
        for one in prices
    ]
    spot, on_demand = "SPOT $/GPU-HOUR", "ON-DEMAND $/GPU-HOUR"
    return Table(
        [
            Column(title="TYPE"),
            Column(title="GPUS"),
            Column(title=spot, right=True),
            Column(title=on_demand, right=True),
        ],
        rows,
    )


def _groups(plan: Plan) -> Iterable[Block]:
    costs = {one.name: one for one in plan.cost.groups}
    yield Table(
        [
            _names("NODE GROUP", (group.name for group in plan.cluster.node_groups)),
            Column(title="TYPES"),
            Column(title="NODES", right=True),
            Column(title="BOUGHT"),
            Column(title="ZONES"),
            Column(title="$/H IDLE", right=True),
            Column(title="$/H MOST", right=True),
        ],
        [_group_row(group, costs[group.name]) for group in plan.cluster.node_groups],
    )
    for facts, names in _alike(plan.cluster.node_groups):
        yield line(", ".join(names), "bold")
        rows = [[f"  {name}", fact] for name, fact in facts]
        yield Table([Column(keep=True), Column()], rows)
    yield line()


def _group_row(group: NodeGroup, cost: GroupCost) -> list[str]:
    return [
        group.name,
        ", ".join(one.offering.instance_type.name for one in group.candidates),
        f"{group.min_size}-{group.max_size}",
        bought_text(group),
        ", ".join(group.zones),
        usd_text(cost.at_minimum_usd_per_hour),
        usd_text(cost.worst_case_usd_per_hour),
    ]


def bought_text(group: NodeGroup) -> str:
    """Return how a group buys its nodes: ``spot``, ``on-demand``, or the shares of both."""
    if group.capacity_type in {SPOT, ON_DEMAND}:
        return group.capacity_type
    base = f"{group.on_demand_base} {ON_DEMAND}, then " if group.on_demand_base else ""
    return f"{base}{100 - group.on_demand_percent} % {SPOT}"


#: A fact of a node group: its name and what it says.
_Fact = tuple[str, str]


def _alike(groups: Iterable[NodeGroup]) -> list[tuple[tuple[_Fact, ...], list[str]]]:
    """Return facts with the names of the groups that share them, in the file's order."""
    found: dict[tuple[_Fact, ...], list[str]] = {}
    for group in groups:
        found.setdefault(tuple(_facts(group)), []).append(group.name)
    return list(found.items())


def _facts(group: NodeGroup) -> Iterable[_Fact]:
    image = group.ami
    where = image.image_id or image.ssm_parameter or f"newest {image.name_pattern}"
    yield "image", f"{image.family} {image.kind}: {where}"
    volume = group.volume
    safe = "encrypted" if volume.encrypted else "not encrypted"
    yield "volume", f"{volume.gib} GiB {volume.type}, {safe}"
    labels = [f"{key}={value}" for key, value in group.labels.items() if key not in _NAMING]
    if labels:
        yield "labels", ", ".join(labels)
    if group.taints:
        yield "taints", ", ".join(map(str, group.taints))


def _stacks(plan: Plan) -> Iterable[Block]:
    total = count_text(plan.resources, "resource")
    yield line(f"{count_text(len(plan.stacks), 'CloudFormation stack')}, {total}", "bold")
    yield Table(
        [
            _names("STACK", (one.name for one in plan.stacks)),
            Column(title="RESOURCES", right=True),
            Column(title="WHAT FOR"),
        ],
        [[one.name, str(one.count), one.why] for one in plan.stacks],
    )
    yield line()


def _objects(objects: Sequence[Meta]) -> Iterable[Block]:
    yield line(count_text(len(objects), "Kubernetes object"), "bold")
    found: dict[str, list[str]] = {}
    for one in objects:
        found.setdefault(one.name, []).append(one.kind)
    yield Table(
        [_names("NAME", found), Column(title="KINDS")],
        [[name, ", ".join(kinds)] for name, kinds in found.items()],
    )
    yield line()


def _names(title: str, names: Iterable[str]) -> Column:
    """Return a column that is not wrapped, but for very long names."""
    longest = max((len(name) for name in names), default=0)
    return Column(title=title, keep=longest <= _LONGEST_NAME)


def _hardening(rows: Sequence[Hardening]) -> Iterable[Block]:
    if not rows:
        return
    yield line("What lowtide adds to the file, or sets otherwise than eksctl", "bold")
    for one in rows:
        yield Line(
            (
                Words(f"{one.key}: ", "bold"),
                Words(one.our_value),
                Words(f"  (eksctl: {one.eksctl_value})", "dim"),
            )
        )
        yield Table([Column(keep=True), Column(style="dim")], [["  why", one.why]])


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as a plain dict, ready for JSON; USD have six decimals."""
    cluster, cost, support = plan.cluster, plan.cost, plan.support
    return {
        "schema": PLAN_SCHEMA,
        "cluster": cluster.name,
        "region": cluster.region,
        "version": cluster.version,
        "zones": list(cluster.zones),
        "notices": [*cluster.notices, *plan.notes],
        "cost_usd": {
            "idle_per_hour": _usd(cost.idle_usd_per_hour),
            "idle_per_month": _usd(cost.idle_usd_per_month),
            "worst_case_per_hour": _usd(cost.worst_case_usd_per_hour),
            "worst_case_per_month": _usd(cost.worst_case_usd_per_month),
            "ceiling_per_hour": _usd(cost.ceiling_usd_per_hour),
            "control_plane_per_hour": _usd(cost.control_plane_usd_per_hour),
            "nat_per_hour": _usd(cost.gateways_usd_per_hour),
            "nodes_at_minimum_per_hour": _usd(cost.nodes_usd_per_hour),
            "hours_per_month": cost.hours_per_month,
        },
        "prices": prices_json(cluster.price_dates),
        "gpu_hour_usd": [_gpu_price(one) for one in cost.gpu_prices],
        "support": {
            "standard_until": support.until or None,
            "days_left": support.days_left,
            "counted_from": plan.today,
            "then": support.then,
        },
        "node_groups": [
            _group(group, costs)
            for group, costs in zip(cluster.node_groups, cost.groups, strict=True)
        ],
        "stacks": [_stack(one) for one in plan.stacks],
        "kubernetes": [
            {"kind": one.kind, "name": one.name, "namespace": one.namespace} for one in plan.objects
        ],
        "hardening": [
            {
                "key": one.key,
                "eksctl": one.eksctl_value,
                "here": one.our_value,
                "why": one.why,
            }
            for one in cluster.hardening
        ],
    }


def _gpu_price(one: GpuPrice) -> dict[str, Any]:
    spot = one.spot_usd_per_gpu_hour
    return {
        "type": one.instance_type,
        "gpu": one.gpu,
        "gpus": one.gpus,
        "spot": None if spot is None else _usd(spot),
        "on_demand": _usd(one.on_demand_usd_per_gpu_hour),
    }


def _group(group: NodeGroup, cost: GroupCost) -> dict[str, Any]:
    return {
        "name": group.name,
        "managed": group.managed,
        "types": [one.offering.instance_type.name for one in group.candidates],
        "zones": list(group.zones),
        "min": group.min_size,
        "max": group.max_size,
        "desired": group.desired,
        "capacity_type": group.capacity_type,
        "on_demand_base": group.on_demand_base,
        "on_demand_percent": group.on_demand_percent,
        "gpus_per_node": group.gpus,
        "image": {
            "family": group.ami.family,
            "kind": group.ami.kind,
            "arch": group.ami.arch,
            "resolver": group.ami.resolver,
            "id": group.ami.image_id or None,
            "ssm_parameter": group.ami.ssm_parameter or None,
            "name_pattern": group.ami.name_pattern or None,
        },
        "labels": dict(group.labels),
        "taints": [
            {"key": one.key, "value": one.value, "effect": one.effect} for one in group.taints
        ],
        "usd_per_hour": {
            "at_minimum": _usd(cost.at_minimum_usd_per_hour),
            "worst_case": _usd(cost.worst_case_usd_per_hour),
            "ceiling": _usd(cost.ceiling_usd_per_hour),
        },
    }


def _stack(one: PlannedStack) -> dict[str, Any]:
    return {
        "name": one.name,
        "file": one.file,
        "why": one.why,
        "resources": dict(one.resources),
        "capabilities": list(one.capabilities),
    }


def _usd(amount: float) -> float:
    return round(float(amount), 6)
