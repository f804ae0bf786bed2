"""What an account has against a cluster: every blocker with its number and the command that helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lowtide.catalog.quotas import VCPU_QUOTAS, vcpu_quota
from lowtide.checks.account import account_findings, change_findings, quota_needs
from lowtide.model.account import AccountFacts, Denial, Named, QuotaFact, Unverified, ZoneScores
from lowtide.model.cluster import ResolvedCluster
from lowtide.model.findings import Finding, Severity
from lowtide.model.names import CLUSTER_TAG
from lowtide.model.policy import Policy
from lowtide.resolve import resolve_cluster
from lowtide.spec.clusterfile import read_cluster

TEXT = """
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: vision, region: us-east-1, version: "1.36"}
availabilityZones: [us-east-1a, us-east-1b]
nodeGroups:
  - name: general
    instanceType: m5.large
    minSize: 1
    maxSize: 3
  - name: gpu
    availabilityZones: [us-east-1a]
    minSize: 0
    maxSize: 5
    instancesDistribution:
      instanceTypes: [g4dn.xlarge, g4dn.2xlarge, g5.xlarge]
      onDemandBaseCapacity: 1
      onDemandPercentageAboveBaseCapacity: 0
"""
G_SPOT, G_ON_DEMAND = "L-3819A6DF", "L-DB2E81BA"
GOOD = AccountFacts(
    region="us-east-1",
    account="123456789012",
    caller="arn:aws:iam::123456789012:user/ann",
    principal="arn:aws:iam::123456789012:user/ann",
    quotas=tuple(
        QuotaFact(code=one.code, name=one.name, spot=one.spot, vcpus=1000, used=0)
        for one in VCPU_QUOTAS
    ),
    zones={"us-east-1a": "use1-az1", "us-east-1b": "use1-az2"},
    offered=dict.fromkeys(
        ("m5.large", "g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge"), ("us-east-1a", "us-east-1b")
    ),
    service_roles={"spot.amazonaws.com": True},
    versions={"1.36": "STANDARD_SUPPORT", "1.35": "STANDARD_SUPPORT"},
)


@pytest.fixture
def cluster() -> ResolvedCluster:
    return resolve_cluster(read_cluster(TEXT, "cluster.yaml"), Policy())


def with_quota(code: str, vcpus: float, used: int | None = 0) -> AccountFacts:
    others = tuple(one for one in GOOD.quotas if one.code != code)
    (mine,) = (one for one in GOOD.quotas if one.code == code)
    return replace(GOOD, quotas=(*others, replace(mine, vcpus=vcpus, used=used)))


def only(cluster: ResolvedCluster, facts: AccountFacts) -> Finding:
    (found,) = account_findings(cluster, facts)
    return found


def test_an_account_that_has_all_is_silent(cluster: ResolvedCluster) -> None:
    assert account_findings(cluster, GOOD) == ()


def test_facts_that_were_not_read_are_no_findings(cluster: ResolvedCluster) -> None:
    empty = AccountFacts(region="us-east-1", account="1", caller="me")
    assert account_findings(cluster, empty) == ()


def test_each_way_of_buying_counts_against_its_own_quota(cluster: ResolvedCluster) -> None:
    needs = {one.code: one for one in quota_needs(cluster)}
    spot, on_demand = needs[G_SPOT], needs[G_ON_DEMAND]
    # One of five nodes is on-demand; the largest type of the group has 8 vCPUs, the smallest 4.
    assert (on_demand.one_node, on_demand.at_maximum) == (4, 8)
    assert (spot.one_node, spot.at_minimum, spot.at_maximum) == (4, 0, 32)
    assert needs["L-1216C47A"].at_minimum == 2
    assert needs["L-1216C47A"].at_maximum == 6


@pytest.mark.parametrize(
    ("name", "spot", "code"),
    [
        ("g4dn.xlarge", True, G_SPOT),
        ("gr6.4xlarge", False, G_ON_DEMAND),
        ("p4d.24xlarge", True, "L-7212CCBC"),
        ("p5en.48xlarge", True, "L-C4BD4855"),
        ("p5en.48xlarge", False, "L-417A185B"),
        ("trn1.32xlarge", True, "L-6B0D517C"),
        ("inf2.xlarge", False, "L-1945791B"),
        ("m7i.large", True, "L-34B43A08"),
    ],
)
def test_a_type_counts_against_the_quota_of_its_class(name: str, spot: bool, code: str) -> None:
    assert vcpu_quota(name, spot=spot).code == code


@pytest.mark.parametrize(
    ("vcpus", "used", "made", "severity"),
    [
        (0, 0, (), Severity.ERROR),
        (100, 100, (), Severity.WARNING),
        (100, 100, ("gpu",), Severity.ERROR),
    ],
)
def test_a_quota_that_others_use_up_stops_a_new_group_and_not_a_change_of_one_that_is_there(
    vcpus: float, used: int, made: tuple[str, ...], severity: Severity, cluster: ResolvedCluster
) -> None:
    facts = with_quota(G_SPOT, vcpus, used)
    (found,) = change_findings(cluster, facts, made=made, changed=("gpu",))
    assert (found.code, found.severity) == ("LT602", severity)


def test_of_a_change_only_the_groups_that_change_and_no_name_are_looked_at(
    cluster: ResolvedCluster,
) -> None:
    own = (Named(name="vision", status="ACTIVE", version="1.36"),)
    facts = replace(GOOD, clusters=own, offered={**GOOD.offered, "m5.large": ()})
    assert change_findings(cluster, facts, made=(), changed=("gpu",)) == ()
    found = change_findings(cluster, facts, made=(), changed=("general",))
    assert {one.code for one in found} == {"LT603"}


def test_a_quota_of_zero_is_an_error_that_names_number_and_command(
    cluster: ResolvedCluster,
) -> None:
    found = only(cluster, with_quota(G_SPOT, 0))
    assert (found.code, found.severity) == ("LT602", Severity.ERROR)
    assert "allows 0 vCPUs" in found.message
    assert "32 for gpu" in found.message
    assert found.fix == (
        "aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {G_SPOT} --desired-value 32 --region us-east-1"
    )


def test_a_quota_below_the_maximum_is_a_warning(cluster: ResolvedCluster) -> None:
    found = only(cluster, with_quota(G_SPOT, 16))
    assert found.severity is Severity.WARNING
    assert only(cluster, with_quota(G_SPOT, 31)).severity is Severity.WARNING
    assert account_findings(cluster, with_quota(G_SPOT, 32)) == ()


def test_vcpus_in_use_leave_less_of_a_quota(cluster: ResolvedCluster) -> None:
    found = only(cluster, with_quota(G_SPOT, 64, used=62))
    assert found.severity is Severity.ERROR
    assert "62 of them in use" in found.message
    assert "--desired-value 94" in found.fix
    assert account_findings(cluster, with_quota(G_SPOT, 64, used=None)) == ()


def test_a_minimum_that_does_not_fit_is_an_error(cluster: ResolvedCluster) -> None:
    assert only(cluster, with_quota("L-1216C47A", 1)).severity is Severity.ERROR


def test_a_zone_that_sells_nothing_of_a_group_is_an_error(cluster: ResolvedCluster) -> None:
    gone = dict.fromkeys(("g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge"), ("us-east-1b",))
    found = only(cluster, replace(GOOD, offered={**GOOD.offered, **gone}))
    assert (found.code, found.severity, found.mark.line) == ("LT603", Severity.ERROR, 11)
    assert "us-east-1a does not sell g4dn.xlarge, g4dn.2xlarge, g5.xlarge" in found.message
    assert "us-east-1b" in found.fix


def test_a_zone_that_lacks_one_type_of_several_is_a_warning(cluster: ResolvedCluster) -> None:
    found = only(cluster, replace(GOOD, offered={**GOOD.offered, "g5.xlarge": ()}))
    assert found.severity is Severity.WARNING
    assert "no zone sells it" in found.fix


def test_a_zone_that_is_none_of_the_accounts_is_an_error(cluster: ResolvedCluster) -> None:
    found = account_findings(cluster, replace(GOOD, zones={"us-east-1b": "use1-az2"}))
    assert {one.code for one in found} == {"LT604"}
    assert all(one.severity is Severity.ERROR for one in found)


@pytest.mark.parametrize(
    ("versions", "severity"),
    [
        ({"1.36": "EXTENDED_SUPPORT", "1.37": "STANDARD_SUPPORT"}, Severity.WARNING),
        ({"1.37": "STANDARD_SUPPORT"}, Severity.ERROR),
    ],
)
def test_a_minor_that_eks_does_not_offer_any_more_is_found(
    cluster: ResolvedCluster, versions: Mapping[str, str], severity: Severity
) -> None:
    found = only(cluster, replace(GOOD, versions=versions))
    assert (found.code, found.severity) == ("LT605", severity)
    assert "1.37" in found.message + found.fix


def test_a_cluster_of_eksctl_is_recognised_and_left_alone(cluster: ResolvedCluster) -> None:
    tags = {"alpha.eksctl.io/cluster-name": "vision"}
    taken = Named(name="vision", status="ACTIVE", tags=tags)
    found = only(cluster, replace(GOOD, clusters=(taken,)))
    assert (found.code, found.severity) == ("LT606", Severity.ERROR)
    assert "eksctl made" in found.message
    assert "lowtide leaves it alone" in found.message
    assert "eksctl delete cluster --name vision" in found.fix


def test_a_stack_of_a_stranger_is_a_name_that_is_taken(cluster: ResolvedCluster) -> None:
    strange = Named(name="lowtide-vision-cluster", status="CREATE_COMPLETE")
    found = only(cluster, replace(GOOD, stacks=(strange,)))
    assert "no tag lowtide.dev/cluster=vision" in found.message
    own = replace(strange, tags={"lowtide.dev/cluster": "vision"})
    assert account_findings(cluster, replace(GOOD, stacks=(own,))) == ()


def test_denied_actions_are_told_apart_from_those_that_nobody_allowed(
    cluster: ResolvedCluster,
) -> None:
    denied = (
        Denial(action="eks:CreateCluster", explicit=True),
        Denial(action="iam:PassRole", explicit=False),
    )
    first, second = account_findings(cluster, replace(GOOD, denied=denied))
    assert "a policy denies" in first.message
    assert "eks:CreateCluster" in first.message
    assert "no policy allows" in second.message
    assert "iam:PassRole" in second.message
    assert first.severity is second.severity is Severity.ERROR


def test_who_may_create_and_not_delete_is_warned(cluster: ResolvedCluster) -> None:
    denied = (Denial(action="eks:DeleteCluster", explicit=False),)
    found = only(cluster, replace(GOOD, denied=denied))
    assert (found.code, found.severity) == ("LT601", Severity.WARNING)
    assert "`lowtide down` needs: eks:DeleteCluster" in found.message


def test_what_could_not_be_verified_is_a_warning_and_no_more(cluster: ResolvedCluster) -> None:
    unknown = Unverified(what="the caller's permissions", why="AccessDenied: no")
    found = only(cluster, replace(GOOD, unknown=(unknown,)))
    assert (found.code, found.severity) == ("LT610", Severity.WARNING)
    assert "could not verify the caller's permissions: AccessDenied: no" in found.message


def test_a_price_limit_below_the_market_is_found() -> None:
    text = TEXT.replace("onDemandBaseCapacity: 1", "maxPrice: 0.10")
    limited = resolve_cluster(read_cluster(text, "cluster.yaml"), Policy())
    market = {"g4dn.xlarge": {"us-east-1a": 0.18, "us-east-1b": 0.05}}
    found = only(limited, replace(GOOD, spot_usd=market))
    assert (found.code, found.severity) == ("LT607", Severity.WARNING)
    assert "$0.1800" in found.message
    cheap = {**market, "g5.xlarge": {"us-east-1a": 0.09}}
    assert account_findings(limited, replace(GOOD, spot_usd=cheap)) == ()


@pytest.mark.parametrize(
    ("facts", "code", "command"),
    [
        (
            replace(GOOD, offered={**GOOD.offered, "g5.xlarge": ()}),
            "LT603",
            (
                "aws ec2 describe-instance-type-offerings --location-type availability-zone "
                "--filters Name=instance-type,Values=g5.xlarge --region us-east-1"
            ),
        ),
        (
            replace(GOOD, zones={"us-east-1b": "use1-az2"}),
            "LT604",
            "aws ec2 describe-availability-zones --region us-east-1",
        ),
        (
            replace(GOOD, versions={"1.37": "STANDARD_SUPPORT"}),
            "LT605",
            "aws eks describe-cluster-versions --region us-east-1",
        ),
        (
            replace(GOOD, versions={"1.36": "EXTENDED_SUPPORT", "1.37": "STANDARD_SUPPORT"}),
            "LT605",
            "aws eks describe-cluster-versions --region us-east-1",
        ),
        (
            replace(GOOD, spot_usd={"g4dn.xlarge": {"us-east-1a": 9.0}}),
            "LT607",
            (
                "aws ec2 describe-spot-price-history --instance-types g4dn.2xlarge g4dn.xlarge g5.xlarge "
                "--product-descriptions Linux/UNIX --start-time $(date -u +%FT%TZ) --region us-east-1"
            ),
        ),
    ],
)
def test_a_choice_that_is_none_comes_with_the_command_that_lists_those_there_are(
    facts: AccountFacts, code: str, command: str
) -> None:
    text = TEXT.replace("onDemandBaseCapacity: 1", "maxPrice: 0.10")
    limited = resolve_cluster(read_cluster(text, "cluster.yaml"), Policy())
    found = [one for one in account_findings(limited, facts) if one.code == code]
    assert found
    assert all(command in one.fix for one in found)


def test_low_placement_scores_are_a_note_only_where_every_zone_is_low(
    cluster: ResolvedCluster,
) -> None:
    low = ZoneScores(group="gpu", nodes=4, by_zone={"us-east-1a": 2, "us-east-1b": 3})
    found = only(cluster, replace(GOOD, scores=(low,)))
    assert (found.code, found.severity) == ("LT608", Severity.INFO)
    assert "3 of 10" in found.message
    high = replace(low, by_zone={"us-east-1a": 2, "us-east-1b": 4})
    assert account_findings(cluster, replace(GOOD, scores=(high,))) == ()


def test_a_missing_role_for_spot_matters_where_it_may_not_be_made(
    cluster: ResolvedCluster,
) -> None:
    missing = replace(GOOD, service_roles={"spot.amazonaws.com": False})
    found = only(cluster, missing)
    assert (found.code, found.severity) == ("LT609", Severity.INFO)
    assert "create-service-linked-role --aws-service-name spot.amazonaws.com" in found.fix
    denied = Denial(action="iam:CreateServiceLinkedRole", explicit=True)
    worse = account_findings(cluster, replace(missing, denied=(denied,)))
    assert [one.severity for one in worse if one.code == "LT609"] == [Severity.WARNING]
    on_demand = TEXT.partition("    instancesDistribution")[0] + "    instanceType: g4dn.xlarge\n"
    unspotted = resolve_cluster(read_cluster(on_demand, "cluster.yaml"), Policy())
    assert account_findings(unspotted, missing) == ()


@pytest.mark.parametrize(
    ("live", "words", "fix"),
    [
        ("1.37", "is below the cluster's 1.37", "--kubernetes-version 1.36"),
        ("1.38", "is below the cluster's 1.38", 'write version: "1.38"'),
        ("1.34", "is 2 minors above the cluster's 1.34", 'write version: "1.35" first'),
    ],
)
def test_a_minor_that_eks_does_not_go_to_in_one_step_is_an_error(
    live: str, words: str, fix: str, cluster: ResolvedCluster
) -> None:
    there = _there(cluster, live)
    found = only(cluster, replace(GOOD, clusters=(there,)))
    assert (found.code, found.severity) == ("LT611", Severity.ERROR)
    assert f"Kubernetes {cluster.version} in the file {words}" in found.message
    assert fix in found.fix
    assert ("rollback" in found.message, "7 days" in found.fix) == (
        live != "1.34",
        live == "1.37",
    )


@pytest.mark.parametrize(
    ("live", "status"),
    [("1.35", "ACTIVE"), ("1.36", "ACTIVE"), ("", "CREATING"), ("1.38", "DELETING")],
)
def test_the_next_minor_and_a_cluster_that_does_not_stay_are_no_errors(
    live: str, status: str, cluster: ResolvedCluster
) -> None:
    there = replace(_there(cluster, live), status=status)
    assert account_findings(cluster, replace(GOOD, clusters=(there,))) == ()


def _there(cluster: ResolvedCluster, version: str) -> Named:
    tags = {CLUSTER_TAG: cluster.name}
    return Named(name=cluster.name, status="ACTIVE", version=version, tags=tags)
