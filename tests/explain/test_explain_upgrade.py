"""An upgrade is planned from facts: what changes, what stands in the way, what a person does."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lowtide.explain.upgrade import UpgradeFacts, next_minor, upgrade_plan
from lowtide.model.upgrade import AddonFact, Insight, NodeImage, OfferedMinor, UpgradePlan

TODAY = dt.date(2026, 11, 29)
OFFERED = {
    minor: OfferedMinor(minor=minor, status="STANDARD_SUPPORT", standard_until=until)
    for minor, until in (("1.34", "2026-12-02"), ("1.35", "2027-03-27"), ("1.36", ""))
}


def planned(version: str = "1.35", **facts: Any) -> UpgradePlan:
    whole: dict[str, Any] = {
        "name": "vision",
        "region": "us-east-1",
        "version": version,
        "offered": OFFERED,
        "addons": (),
        "insights": (),
        "images": (),
        "autoscaler_image": "registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.2",
        "support_type": "STANDARD",
        "file": "cluster.yaml",
    }
    return upgrade_plan(UpgradeFacts(**{**whole, **facts}), today=TODAY)


def addon(**fields: Any) -> AddonFact:
    whole: dict[str, Any] = {
        "name": "coredns",
        "version": "v1.12",
        "status": "ACTIVE",
        "target_versions": ("v1.13", "v1.12"),
        "target_default": "v1.13",
    }
    return AddonFact(**{**whole, **fields})


def test_the_next_minor_is_one_further() -> None:
    assert (next_minor("1.9"), next_minor("1.35")) == ("1.10", "1.36")


def test_the_days_of_both_minors_are_counted() -> None:
    plan = planned("1.34")
    assert plan.target == "1.35"
    assert plan.support.days_left == 3
    assert plan.target_support is not None
    assert plan.target_support.days_left == 118


def test_the_autoscaler_goes_with_the_control_plane() -> None:
    assert planned().autoscaler_target_image.endswith(":v1.36.1")
    assert planned().blockers == ()


def test_where_eks_offers_no_later_minor_there_is_nothing_to_do() -> None:
    plan = planned("1.36")
    assert (plan.target, plan.blockers, plan.steps) == ("", (), ())


def test_a_minor_without_a_released_autoscaler_is_blocked() -> None:
    newer = {**OFFERED, "1.37": OfferedMinor(minor="1.37", status="STANDARD_SUPPORT")}
    (blocker,) = planned("1.36", offered=newer).blockers
    assert "no released autoscaler of 1.37" in blocker


@pytest.mark.parametrize(("kubelet", "blocked"), [("v1.33.5-eks-abc", False), ("v1.32.9", True)])
def test_kubelets_may_be_three_minors_behind(kubelet: str, blocked: bool) -> None:
    image = NodeImage(group="gpu", kubelets=("v1.35.0", kubelet))
    blockers = planned(images=(image,)).blockers
    assert bool(blockers) is blocked
    assert not blocked or f"nodes of gpu run kubelet {kubelet}" in blockers[0]


def test_an_add_on_that_does_not_fit_or_is_ill_blocks() -> None:
    assert planned(addons=(addon(),)).blockers == ()
    (none,) = planned(addons=(addon(target_versions=(), target_default=""),)).blockers
    assert "add-on coredns has no version for 1.36" in none
    (ill,) = planned(addons=(addon(status="DEGRADED"),)).blockers
    assert "DEGRADED" in ill
    assert addon().must_change is False
    assert addon(version="v1.1").must_change is True


def test_an_insight_that_fails_blocks_and_a_warning_does_not() -> None:
    error = Insight(name="Deprecated APIs", status="ERROR", reason="used by x")
    (blocker,) = planned(insights=(error,)).blockers
    assert "Deprecated APIs" in blocker
    warning = Insight(name="Kubelet skew", status="WARNING", reason="soon")
    assert planned(insights=(warning,)).blockers == ()


def test_nodes_whose_image_changes_are_named_in_the_steps() -> None:
    images = (
        NodeImage(group="same", kubelets=(), now="ami-1", target="ami-1"),
        NodeImage(group="other", kubelets=(), now="ami-1", target="ami-2"),
    )
    steps = planned(images=images).steps
    assert steps[0] == 'write version: "1.36" into cluster.yaml, and run: lowtide check --live'
    assert any("nodes of other keep" in one for one in steps)
