"""An upgrade to the next Kubernetes minor, before anybody begins it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lowtide.model.plan import SupportLeft
from lowtide.model.upgrade import AddonFact, NodeImage, UpgradePlan
from lowtide.report.blocks import Block, Column, Table, Words, line
from lowtide.report.plan import support_sentence
from lowtide.report.wording import printable

UPGRADE_SCHEMA = "lowtide.upgrade/v1"
_NARROWEST = 60


def upgrade_text(plan: UpgradePlan, *, width: int, color: bool) -> str:
    """Return it in that many columns."""
    from lowtide.report.screen import draw  # noqa: PLC0415 - loads rich (60 ms), only when drawing

    return draw(tuple(_blocks(plan)), width=max(_NARROWEST, width), color=color)


def _blocks(plan: UpgradePlan) -> Iterable[Block]:
    to = f" -> {plan.target}" if plan.target else ""
    yield line(f"{plan.name}  {plan.region}, Kubernetes {plan.version}{to}", "bold")
    yield line(support_sentence(plan.support))
    if not plan.target:
        yield line("EKS offers no later minor: there is nothing to upgrade to", "bold")
        return
    if plan.target_support is not None:
        yield line(support_sentence(plan.target_support))
    if plan.kubernetes:
        yield line(f"Kubernetes could not be asked: {printable(plan.kubernetes)}", "bold red")
    yield line()
    yield from (line(f"BLOCKED: {printable(one)}", "bold red") for one in plan.blockers)
    yield from (
        line(f"NOTICE: EKS says {one.status} on {one.name}: {printable(one.reason)}", "bold yellow")
        for one in plan.insights
        if one.status != "ERROR"
    )
    yield _parts(plan)
    yield line()
    for number, step in enumerate(plan.steps, start=1):
        yield Table([Column(keep=True), Column()], [[f"{number}.", step]])


def _parts(plan: UpgradePlan) -> Table:
    rows: list[list[Words | str]] = [["control plane", plan.version, plan.target]]
    rows.append(
        [
            "autoscaler",
            plan.autoscaler_image or "-",
            plan.autoscaler_target_image or "none is known",
        ]
    )
    rows += [_addon_row(one) for one in plan.addons]
    rows += [_image_row(one) for one in plan.images]
    return Table([Column(title="PART", keep=True), Column(title="NOW"), Column(title="THEN")], rows)


def _addon_row(one: AddonFact) -> list[Words | str]:
    if not one.target_versions:
        return [f"add-on {one.name}", one.version, Words("no version fits", "bold red")]
    then = one.target_default or one.target_versions[0]
    if not one.must_change:
        return [f"add-on {one.name}", one.version, f"stays possible; default {then}"]
    return [f"add-on {one.name}", one.version, f"{then} (must change)"]


def _image_row(one: NodeImage) -> list[Words | str]:
    kubelets = f" (kubelet {', '.join(one.kubelets)})" if one.kubelets else ""
    return [f"nodes of {one.group}", f"{one.now or '?'}{kubelets}", one.target or "?"]


def upgrade_json(plan: UpgradePlan) -> dict[str, Any]:
    """Return the same as a plain dict."""
    return {
        "schema": UPGRADE_SCHEMA,
        "cluster": plan.name,
        "region": plan.region,
        "version": plan.version,
        "target": plan.target or None,
        "support": _support(plan.support),
        "target_support": None if plan.target_support is None else _support(plan.target_support),
        "autoscaler": {
            "image": plan.autoscaler_image or None,
            "target_image": plan.autoscaler_target_image or None,
        },
        "addons": [
            {
                "name": one.name,
                "version": one.version,
                "status": one.status,
                "target_default": one.target_default or None,
                "target_versions": list(one.target_versions),
                "must_change": one.must_change,
            }
            for one in plan.addons
        ],
        "node_groups": [
            {
                "name": one.group,
                "kubelets": list(one.kubelets),
                "image": one.now or None,
                "target_image": one.target or None,
            }
            for one in plan.images
        ],
        "insights": [
            {"name": one.name, "status": one.status, "reason": one.reason} for one in plan.insights
        ],
        "blockers": list(plan.blockers),
        "steps": list(plan.steps),
        "kubernetes_error": plan.kubernetes or None,
    }


def _support(one: SupportLeft) -> dict[str, Any]:
    return {
        "version": one.version,
        "standard_until": one.until or None,
        "days_left": one.days_left,
        "then": one.then,
    }
