"""The record of IAM actions: it is what docs/iam.md shows, and every action in it exists."""

from __future__ import annotations

import json
import re

import botocore.session
import pytest

from lowtide.aws.actions import actions_of, recorded
from tests.conftest import ROOT

pytest.importorskip("cfnlint", reason="needs lowtide[local]")

from scripts import iam


def test_the_page_is_written_from_the_record() -> None:
    assert (ROOT / "docs" / "iam.md").read_text() == iam.page_of(recorded())


def test_every_verb_that_talks_to_aws_is_recorded() -> None:
    assert set(recorded()) == {verb for verb, _ in iam.FLOWS}
    assert all(recorded().values())


def test_every_action_is_an_operation_of_its_service_or_belongs_to_one() -> None:
    session = botocore.session.get_session()
    names = {prefix: service for service, prefix in iam.PREFIXES.items() if service != "elb"}
    for action in actions_of(*recorded()):
        prefix, _, operation = action.partition(":")
        model = session.get_service_model(names.get(prefix, prefix))
        assert operation in model.operation_names or iam.IMPLICIT.fullmatch(action), action


def test_the_policy_on_the_page_fits_into_one_managed_policy() -> None:
    page = (ROOT / "docs" / "iam.md").read_text()
    policy = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert policy is not None
    document = json.loads(policy[1])
    listed = {action for one in document["Statement"] for action in one["Action"]}
    assert listed == set(actions_of(*recorded()))
    # IAM counts a managed policy without its white space (IAM user guide, "IAM and STS character quotas").
    assert len(re.sub(r"\s", "", policy[1])) <= 6144


def test_calls_become_actions_by_the_names_that_iam_has() -> None:
    calls = [
        ("service-quotas", "GetServiceQuota"),
        ("elbv2", "DescribeLoadBalancers"),
        ("sts", "GetCallerIdentity"),
        ("eks", "CreateCluster"),
        ("eks", "CreateCluster"),
    ]
    assert iam.actions_of(calls) == [
        "eks:CreateCluster",
        "elasticloadbalancing:DescribeLoadBalancers",
        "servicequotas:GetServiceQuota",
    ]


def test_what_no_call_shows_comes_from_the_resource_schemas() -> None:
    found = iam.implicit_actions(["AWS::EKS::Cluster", "AWS::IAM::Role"])
    assert {"iam:PassRole", "eks:TagResource", "iam:TagRole"} <= set(found)
    assert "eks:CreateCluster" not in found
