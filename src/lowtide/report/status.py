"""What a live cluster is doing, for people and for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from lowtide.model.cluster_status import (
    AutoscalerProgram,
    ClusterStatus,
    GroupRow,
    NodeRow,
    WaitingPods,
)
from lowtide.report.blocks import Block, Column, Table, Words, line
from lowtide.report.wording import (
    count_text,
    duration_text,
    price_dates_text,
    prices_json,
    printable,
    usd_text,
)

STATUS_SCHEMA = "lowtide.status/v1"
_NARROWEST = 60
_NO_BREAK = "\u00a0"
#: Rows of nodes and of waiting pods that a person reads; JSON has all.
_NODES_SHOWN, _WAITING_SHOWN = 30, 10
_STYLES = {"ready": "green", "not ready": "bold red"}


def status_text(status: ClusterStatus, *, width: int, color: bool) -> str:
    """Return it in that many columns: groups, nodes, GPUs, pods that wait, cost."""
    from lowtide.report.screen import draw  # noqa: PLC0415 - loads rich (60 ms), only when drawing

    wide = max(_NARROWEST, width)
    return draw(tuple(_blocks(status, wide)), width=wide, color=color)


def _blocks(status: ClusterStatus, width: int) -> Iterable[Block]:
    yield from _heading(status, width)
    yield _groups(status)
    yield line()
    if status.nodes:
        yield from _nodes(status)
        yield line()
    yield from _pods(status)
    yield from _cost(status)


def _heading(status: ClusterStatus, width: int) -> Iterable[Block]:
    about = (
        f"  {status.region}, account {status.account}, Kubernetes {status.version}, {status.status}"
    )
    yield line(status.name + about, "bold")
    if not status.ours:
        yield line("lowtide did not make this cluster: it is shown, and left alone", "bold yellow")
    if status.kubernetes:
        yield line(f"Kubernetes could not be asked: {printable(status.kubernetes)}", "bold red")
    if status.autoscaler:
        calm = "unhealthy" not in status.autoscaler and "back-off" not in status.autoscaler
        yield line(f"autoscaler: {printable(status.autoscaler)}", "dim" if calm else "bold yellow")
    if status.program is not None:
        yield from (line(one, "dim") for one in _program_lines(status.program, width))
    yield line()


def _program_lines(one: AutoscalerProgram, width: int) -> Iterable[str]:
    """Yield who runs and how many of its pods are ready, the latter never broken: a 0 at a line's end reads as another figure."""
    ready = f"{one.ready} of {count_text(one.wanted, 'pod')} ready"
    words = f"{printable(_program(one))}; {ready.replace(' ', _NO_BREAK)}"
    for row in textwrap.wrap(
        words, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    ):
        yield row.replace(_NO_BREAK, " ")


def _program(one: AutoscalerProgram) -> str:
    return {
        "upstream": f"it is upstream's program, {one.image}",
        "lowtide": f"it is lowtide's own engine, in place of {one.image}",
    }.get(one.kind, f"its image is {one.image}; which program runs shows with its first status")


def _groups(status: ClusterStatus) -> Table:
    return Table(
        [
            Column(title="NODE GROUP", keep=True),
            Column(title="TYPES"),
            Column(title="BOUGHT"),
            Column(title="MIN-MAX", right=True),
            Column(title="WANTED", right=True),
            Column(title="READY", right=True),
            Column(title="GPUS", right=True),
            Column(title="$/H", right=True),
            Column(title="TROUBLE"),
        ],
        [_group_row(one) for one in status.groups],
    )


def _group_row(one: GroupRow) -> list[Words | str]:
    return [
        one.name,
        ", ".join(one.types),
        one.bought,
        f"{one.min_size}-{one.max_size}",
        str(one.desired),
        str(one.ready),
        str(one.gpus),
        usd_text(one.usd_per_hour),
        Words(printable(one.trouble), "bold red"),
    ]


def _nodes(status: ClusterStatus) -> Iterable[Block]:
    yield Table(
        [
            Column(title="NODE", keep=True),
            Column(title="GROUP"),
            Column(title="TYPE"),
            Column(title="ZONE"),
            Column(title="STATE"),
            Column(title="GPUS USED", right=True),
            Column(title="AGE", right=True),
            Column(title="$/H", right=True),
        ],
        [_node_row(one) for one in status.nodes[:_NODES_SHOWN]],
    )
    more = len(status.nodes) - _NODES_SHOWN
    if more > 0:
        yield line(f"and {count_text(more, 'node')} more; -o json has all", "dim")


def _node_row(one: NodeRow) -> list[Words | str]:
    kind = f"{one.instance_type} {'spot' if one.spot else 'on-demand'}"
    return [
        one.name or one.instance_id,
        one.group,
        kind,
        one.zone,
        Words(one.state, _STYLES.get(one.state, "yellow")),
        f"{one.gpus_used}/{one.gpus}" if one.gpus else "-",
        "?" if one.age_s is None else duration_text(one.age_s),
        "?" if one.usd_per_hour is None else usd_text(one.usd_per_hour),
    ]


def _pods(status: ClusterStatus) -> Iterable[Block]:
    if status.kubernetes:
        return
    gpus = status.gpus
    waiting = sum(len(one.pods) for one in status.waiting)
    yield line(
        f"GPUs: {gpus.asked} asked for, {gpus.held} held by pods, {gpus.offered} offered by nodes; "
        f"pods: {status.pods_running} running, {waiting} waiting",
        "bold" if waiting else "",
    )
    for one in status.waiting[:_WAITING_SHOWN]:
        yield from _waiting(one)
    more = len(status.waiting) - _WAITING_SHOWN
    if more > 0:
        yield line(f"  and {count_text(more, 'reason')} more; -o json has all", "dim")
    yield line()


def _waiting(one: WaitingPods) -> Iterable[Block]:
    asked = f", {count_text(one.gpus, 'GPU')}" if one.gpus else ""
    head = f"  {count_text(len(one.pods), 'pod')} of {one.owner}{asked}, for {duration_text(one.since_s)}"
    yield line(printable(head))
    yield Table([Column(keep=True), Column()], [["   ", printable(_short(one.reason))]])


def _short(reason: str) -> str:
    """Return the scheduler's sentence without what it says of preemption, which never helps and is always there."""
    said, cut, rest = reason.partition(" preemption: ")
    if not cut:
        return reason
    said = said.removesuffix("no new claims to deallocate,").rstrip()
    # The sentence ends with a full stop; the autoscaler's word behind it has brackets of its own.
    _, more, word = rest.partition(". (")
    return f"{said} ({word}" if more else said


def _cost(status: ClusterStatus) -> Iterable[Block]:
    cost = status.cost
    parts = (("nodes", cost.nodes), ("volumes and addresses", cost.around), ("control plane and NAT" if not cost.without else "control plane", cost.fixed))  # fmt: skip
    made_of = ", ".join(f"{name} {usd_text(usd)}" for name, usd in parts if usd)
    yield line(f"{usd_text(cost.total)} an hour now: {made_of}", "bold")
    if cost.without:
        yield line(f"without {', '.join(cost.without)}: only the cluster's file says them", "dim")
    if cost.unpriced:
        yield line(f"no price is known of {', '.join(cost.unpriced)}", "bold yellow")
    dated = price_dates_text(status.price_dates, status.at[:10])
    if dated:
        yield line(dated, "dim")
    if status.lost:
        yield line(
            f"{count_text(status.lost, 'instance')} taken back by EC2 in the last day (spot interruptions, failed checks)",
            "yellow",
        )


def status_json(status: ClusterStatus) -> dict[str, Any]:
    """Return the same as a plain dict, ready for JSON; USD have six decimals, times are in seconds."""
    cost = status.cost
    return {
        "schema": STATUS_SCHEMA,
        "cluster": status.name,
        "region": status.region,
        "account": status.account,
        "status": status.status,
        "version": status.version,
        "made_by_lowtide": status.ours,
        "at": status.at,
        "kubernetes_error": status.kubernetes or None,
        "autoscaler": status.autoscaler or None,
        "autoscaler_program": _program_json(status.program),
        "groups": [_group_json(one) for one in status.groups],
        "nodes": [_node_json(one) for one in status.nodes],
        "gpus": {
            "asked": status.gpus.asked,
            "held": status.gpus.held,
            "offered": status.gpus.offered,
        },
        "pods": {
            "running": status.pods_running,
            "waiting": sum(len(one.pods) for one in status.waiting),
        },
        "waiting": [
            {
                "owner": one.owner,
                "pods": list(one.pods),
                "gpus": one.gpus,
                "reason": one.reason,
                "waited_seconds": round(one.since_s),
            }
            for one in status.waiting
        ],
        "taken_back_in_a_day": status.lost,
        "usd_per_hour": {
            "total": round(cost.total, 6),
            "nodes": round(cost.nodes, 6),
            "volumes_and_addresses": round(cost.around, 6),
            "fixed": round(cost.fixed, 6),
            "without": list(cost.without),
            "unpriced_types": list(cost.unpriced),
        },
        "prices": prices_json(status.price_dates),
    }


def _program_json(one: AutoscalerProgram | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "kind": one.kind or None,
        "image": one.image,
        "ready_pods": one.ready,
        "wanted_pods": one.wanted,
    }


def _group_json(one: GroupRow) -> dict[str, Any]:
    return {
        "name": one.name,
        "types": list(one.types),
        "zones": list(one.zones),
        "bought": one.bought,
        "min": one.min_size,
        "max": one.max_size,
        "desired": one.desired,
        "in_service": one.in_service,
        "ready": one.ready,
        "gpus": one.gpus,
        "taken_back_in_a_day": one.lost,
        "trouble": one.trouble or None,
        "usd_per_hour": round(one.usd_per_hour, 6),
    }


def _node_json(one: NodeRow) -> dict[str, Any]:
    return {
        "name": one.name or None,
        "instance_id": one.instance_id,
        "group": one.group,
        "type": one.instance_type,
        "zone": one.zone,
        "spot": one.spot,
        "state": one.state,
        "gpus": one.gpus,
        "gpus_used": one.gpus_used,
        "age_seconds": None if one.age_s is None else round(one.age_s),
        "usd_per_hour": None if one.usd_per_hour is None else round(one.usd_per_hour, 6),
    }
