"""``upgrade`` reads the cluster, its add-ons and what EKS offers, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from lowtide.aws.live.upgrades import addon_facts, offered_minors
from lowtide.local.aws.box import READS
from lowtide.local.aws.eks.state import eks_state
from tests.account.conftest import Cloud, Lowtide
from tests.account.test_account_node_groups import FILE, NAMED, group


def test_an_older_cluster_is_shown_the_way(cloud: Cloud, vision: str, lowtide: Lowtide) -> None:
    with cloud.served.box.lock:
        eks_state(cloud.served.box).clusters["us-east-1", "vision"].described["version"] = "1.35"
    cloud.client("eks").create_addon(clusterName=vision, addonName="kube-proxy")
    group(cloud)
    Path("cluster.yaml").write_text(FILE.replace("1.36", "1.35"))
    cloud.calls.clear()
    ran = lowtide("upgrade", "-o", "json")
    assert ran.code in {0, 3}, ran.err
    document = json.loads(ran.out)
    assert (document["version"], document["target"]) == ("1.35", "1.36")
    assert document["autoscaler"]["target_image"].endswith(":v1.36.1")
    (addon,) = document["addons"]
    assert addon["target_default"] in addon["target_versions"]
    assert addon["must_change"]
    (nodes,) = document["node_groups"]
    assert nodes["image"].startswith("ami-")
    assert nodes["target_image"].startswith("ami-")
    assert nodes["image"] != nodes["target_image"]
    assert document["kubernetes_error"]
    assert all(operation.startswith(READS) for _, operation, _ in cloud.calls)
    words = lowtide("upgrade").out
    assert "Kubernetes 1.35 -> 1.36" in words
    assert "1.  write version" in words


def test_the_newest_minor_has_nowhere_to_go(cloud: Cloud, vision: str, lowtide: Lowtide) -> None:
    ran = lowtide("upgrade", *NAMED)
    assert ran.code == 0
    assert "EKS offers no later minor" in ran.out


def test_what_eks_offers_comes_with_its_days(cloud: Cloud, vision: str) -> None:
    offered = offered_minors(cloud.account)
    assert offered["1.35"].standard_until == "2027-03-27"
    assert addon_facts(cloud.account, vision, "1.36") == ()
