"""Puts together what an upgrade to the next minor involves, what blocks it, and the steps.

Rules: a control plane goes up one minor at a time, and kubelets may be three minors behind it (EKS user guide, "Update existing cluster to
new Kubernetes version"; Kubernetes documentation, "Version Skew Policy"). The autoscaler simulates the scheduler of its own minor, so it
goes with the control plane.

What it must not know: how the facts were read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lowtide.catalog.versions import VERSIONS, KubernetesVersion, parse_minor
from lowtide.explain.plan_cost import support_left
from lowtide.model.plan import SupportLeft
from lowtide.model.upgrade import AddonFact, Insight, NodeImage, OfferedMinor, UpgradePlan

#: Minors that a kubelet may be behind its API server.
_KUBELET_SKEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeFacts:
    """What was read. ``file`` is the cluster's, empty without one; ``support_type`` its upgradePolicy."""

    name: str
    region: str
    version: str
    offered: Mapping[str, OfferedMinor]
    addons: tuple[AddonFact, ...]
    insights: tuple[Insight, ...]
    images: tuple[NodeImage, ...]
    autoscaler_image: str
    support_type: str
    file: str
    kubernetes: str = ""


def next_minor(version: str) -> str:
    """Return the minor after one."""
    major, minor = parse_minor(version)
    return f"{major}.{minor + 1}"


def upgrade_plan(facts: UpgradeFacts, *, today: dt.date) -> UpgradePlan:
    """Return the plan; ``today`` is the day from which support counts."""
    target = next_minor(facts.version)
    is_offered = target in facts.offered
    known = {one.minor: one for one in VERSIONS}
    return UpgradePlan(
        name=facts.name,
        region=facts.region,
        version=facts.version,
        target=target if is_offered else "",
        support=_support(facts, facts.version, known, today),
        target_support=_support(facts, target, known, today) if is_offered else None,
        autoscaler_image=facts.autoscaler_image,
        autoscaler_target_image=known[target].autoscaler_image if target in known else "",
        addons=facts.addons,
        images=facts.images,
        insights=facts.insights,
        blockers=tuple(_blockers(facts, target, known)) if is_offered else (),
        steps=tuple(_steps(facts, target)) if is_offered else (),
        kubernetes=facts.kubernetes,
    )


def _support(
    facts: UpgradeFacts,
    minor: str,
    known: Mapping[str, KubernetesVersion],
    today: dt.date,
) -> SupportLeft:
    """Return the days of a minor, by EKS itself where it says them, else by the bundled table."""
    offered = facts.offered.get(minor)
    bundled = known[minor].standard_support_until if minor in known else None
    until = (offered.standard_until if offered else "") or bundled
    return support_left(minor, until=until, support_type=facts.support_type, today=today)


def _blockers(
    facts: UpgradeFacts, target: str, known: Mapping[str, KubernetesVersion]
) -> Iterator[str]:
    if target not in known:
        yield (
            f"no released autoscaler of {target} is known here: the old one would simulate another scheduler than the cluster has"
        )
    oldest = (parse_minor(target)[0], parse_minor(target)[1] - _KUBELET_SKEW)
    for image in facts.images:
        old = sorted({one for one in image.kubelets if _minor_of(one) < oldest})
        if old:
            yield (
                f"nodes of {image.group} run kubelet {', '.join(old)}: an API server of {target} takes {oldest[0]}.{oldest[1]} or later; "
                "replace them first"
            )
    for addon in facts.addons:
        if not addon.target_versions:
            yield f"add-on {addon.name} has no version for {target}"
        elif addon.status != "ACTIVE":
            yield f"add-on {addon.name} is {addon.status}"
    for insight in facts.insights:
        if insight.status == "ERROR":
            yield f"EKS's insight {insight.name!r}: {insight.reason}"


def _steps(facts: UpgradeFacts, target: str) -> Iterator[str]:
    where = facts.file or "the cluster file"
    yield f'write version: "{target}" into {where}, and run: lowtide check --live'
    yield "lowtide plan --live shows what would change; the control plane is updated in place, in about ten minutes"
    yield "lowtide up: control plane, then add-ons and autoscaler; workloads go on"
    changing = [one.group for one in facts.images if one.now != one.target or not one.target]
    if changing:
        yield (
            f"nodes of {', '.join(changing)} keep their image until they are replaced: a group at zero gets the new one with its next node; "
            "drain the others one by one (kubectl drain NODE, then terminate its instance)"
        )


def _minor_of(kubelet: str) -> tuple[int, int]:
    """Return ``v1.36.3-eks-abc`` as numbers that compare."""
    major, minor, *_ = kubelet.removeprefix("v").split(".")
    return int(major), int(minor)
