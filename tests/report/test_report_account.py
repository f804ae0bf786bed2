"""What ``check --live`` shows people of an account."""

from __future__ import annotations

from lowtide.model.account import AccountFacts, ZoneScores
from lowtide.model.policy import Policy
from lowtide.model.preflight import Preflight
from lowtide.report.account import account_text
from lowtide.resolve import resolve_cluster
from lowtide.spec.clusterfile import read_cluster

TEXT = """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: vision, region: us-east-1, version: "1.36"}
availabilityZones: [us-east-1a, us-east-1b]
nodeGroups:
  - name: gpu
    instanceType: g4dn.xlarge
    availabilityZones: [us-east-1a]
"""


def shown(*scores: ZoneScores) -> str:
    facts = AccountFacts(region="us-east-1", account="1", caller="me", scores=scores)
    cluster = resolve_cluster(read_cluster(TEXT, "cluster.yaml"), Policy())
    found = Preflight(cluster=cluster, facts=facts, needs=(), findings=())
    return account_text(found, width=120, color=False)


def test_placement_scores_have_a_column_only_where_aws_gave_some() -> None:
    assert "SCORE" not in shown()
    scored = shown(ZoneScores(group="gpu", nodes=4, by_zone={"us-east-1a": 7}))
    assert scored.count("SCORE") == 2, "the column and what it means"
    assert any(
        line.startswith("gpu") and line.rstrip().endswith("7") for line in scored.splitlines()
    )
