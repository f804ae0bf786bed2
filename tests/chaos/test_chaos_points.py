"""Calls are told apart, and become the points at which a run is killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("boto3")

from tests.chaos.calls import Call, aws_call, kubernetes_call
from tests.chaos.points import AFTER, BEFORE, Point, lives, points_of, sample
from tests.chaos.progress import Progress

READ = Call(channel="aws", kind="eks:DescribeCluster", target="x")
MADE = Call(channel="aws", kind="cloudformation:CreateStack", target="x-cluster", changes=True)


@pytest.mark.parametrize(
    ("service", "operation", "params", "key", "changes"),
    [
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "lowtide-x-cluster", "TemplateBody": "{}", "ClientRequestToken": "1"},
            "cloudformation:CreateStack lowtide-x-cluster",
            True,
        ),
        (
            "cloudformation",
            "DeleteStack",
            {
                "StackName": "arn:aws:cloudformation:us-east-1:123456789012:stack/lowtide-x-cluster/"
                "3c1d8ef4-3f94-4a4a-9f6a-2f8d4d0f6a11"
            },
            "cloudformation:DeleteStack lowtide-x-cluster",
            True,
        ),
        (
            "ssm",
            "PutParameter",
            {"Name": "/lowtide/x/lease/12", "Value": "now"},
            "ssm:PutParameter lowtide/x/lease",
            True,
        ),
        ("eks", "DescribeCluster", {"name": "x"}, "eks:DescribeCluster x", False),
        ("sts", "GetCallerIdentity", {}, "sts:GetCallerIdentity", False),
    ],
)
def test_a_call_to_aws_is_known_by_its_operation_and_what_it_is_about(
    service: str, operation: str, params: dict[str, Any], key: str, changes: bool
) -> None:
    call = aws_call(service, operation, params)
    assert (call.key, call.changes) == (key, changes)


@pytest.mark.parametrize(
    ("method", "path", "query", "key", "changes"),
    [
        ("GET", "/api/v1/nodes", "", "LIST nodes", False),
        ("GET", "/api/v1/namespaces/kube-system/pods", "", "LIST pods kube-system", False),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
            "fieldManager=lowtide&force=true",
            "PATCH deployments kube-system/coredns",
            True,
        ),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
            "dryRun=All",
            "dry-run PATCH deployments kube-system/coredns",
            False,
        ),
        (
            "POST",
            "/api/v1/namespaces/kube-system/pods/coredns-5d78c9869d-xk2lp/eviction",
            "",
            "POST pods/eviction kube-system/coredns-*",
            True,
        ),
        ("GET", "/api/v1/namespaces/team", "", "GET namespaces team", False),
        (
            "GET",
            "/api/v1/nodes/ip-10-0-0-1.ec2.internal",
            "",
            "GET nodes *",
            False,
        ),
        ("PATCH", "/api/v1/nodes/ip-10-0-0-1.ec2.internal", "", "PATCH nodes *", True),
    ],
)
def test_a_call_to_kubernetes_is_known_by_its_verb_and_object(
    method: str, path: str, query: str, key: str, changes: bool
) -> None:
    call = kubernetes_call(method, path, query)
    assert (call.key, call.changes) == (key, changes)


def test_each_change_has_two_points_and_each_kind_of_reading_one() -> None:
    other = Call(channel="kubernetes", kind="LIST nodes")
    again = replace(MADE, exact="another x-cluster")
    found = points_of("create", [READ, MADE, READ, MADE, other, again, MADE])
    assert [one.name for one in found] == [
        "create: after the first eks:DescribeCluster",
        "create: before cloudformation:CreateStack x-cluster",
        "create: after cloudformation:CreateStack x-cluster",
        "create: before the first LIST nodes",
        "create: before cloudformation:CreateStack x-cluster #2",
        "create: after cloudformation:CreateStack x-cluster #2",
    ]
    assert {one.moment for one in found} == {BEFORE, AFTER}
    assert [Point.of(one.document()) for one in found] == list(found)


def test_a_sample_is_the_same_for_the_same_seed_and_keeps_the_order() -> None:
    points = points_of("create", [replace(MADE, exact=str(one)) for one in range(20)])
    drawn = sample(points, 5, "a")
    assert drawn == sample(points, 5, "a")
    assert drawn != sample(points, 5, "b")
    assert list(drawn) == sorted(drawn, key=points.index)
    assert sample(points, None, "a") == points


def test_a_life_has_at_most_one_point_of_each_stage_and_no_point_is_lost() -> None:
    points = [*points_of("create", [MADE, READ]), *points_of("down", [READ])]
    found = lives(points)
    assert [[one.stage for one in life] for life in found] == [
        ["create", "down"],
        ["create"],
        ["create"],
    ]
    assert {one for life in found for one in life} == set(points)


def test_what_was_noted_is_known_to_the_next_run_and_a_torn_line_is_not(tmp_path: Path) -> None:
    first = Progress("abc", tmp_path)
    first.note("a point", "")
    first.note("another", "it hung")
    first.note("another", "")
    with first.path.open("a") as file:
        file.write('["half a po')
    second = Progress("abc", tmp_path)
    assert (second.get("a point"), second.get("another"), second.get("half a po")) == ("", "", None)
    assert Progress("another commit", tmp_path).get("a point") is None
