"""Every kind of fault happens to whom it was meant for, as often as asked, and then no more."""

from __future__ import annotations

import threading
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from lowtide.local.aws import faults
from tests.local.front.conftest import Client

THROTTLED = [
    ("ec2", "describe_vpcs", "RequestLimitExceeded", 503),
    ("iam", "list_roles", "Throttling", 400),
    ("ssm", "describe_parameters", "ThrottlingException", 400),
    ("eks", "list_clusters", "ThrottlingException", 429),
]


def _code(call: Any, **arguments: Any) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


@pytest.mark.parametrize(("service", "operation", "code", "status"), THROTTLED)
def test_throttling_is_said_as_each_service_says_it_and_ends_after_its_times(
    client: Client, service: str, operation: str, code: str, status: int
) -> None:
    client.fault("throttling", service=service, times=2)
    call = getattr(client.aws(service), operation)
    with pytest.raises(ClientError) as refused:
        call()
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert [_code(call), _code(call)] == [code, "done"]


@pytest.mark.parametrize(
    ("service", "operation", "code", "action"),
    [
        ("ec2", "describe_vpcs", "UnauthorizedOperation", "ec2:DescribeVpcs"),
        ("iam", "list_roles", "AccessDenied", "iam:ListRoles"),
        ("ssm", "describe_parameters", "AccessDeniedException", "ssm:DescribeParameters"),
        (
            "elbv2",
            "describe_load_balancers",
            "AccessDenied",
            "elasticloadbalancing:DescribeLoadBalancers",
        ),
    ],
)
def test_access_denied_names_the_caller_and_the_action(
    client: Client, service: str, operation: str, code: str, action: str
) -> None:
    client.fault("access-denied", service=service)
    with pytest.raises(ClientError) as refused:
        getattr(client.aws(service), operation)()
    assert refused.value.response["Error"]["Code"] == code
    said = refused.value.response["Error"]["Message"]
    assert "User: arn:aws:iam::123456789012:user/lowtide is not authorized" in said
    assert f"to perform: {action} on resource" in said


def test_an_error_meets_only_its_operation(client: Client) -> None:
    client.fault(
        "error", service="ssm", operation="PutParameter", code="TooManyUpdates", message="later"
    )
    ssm = client.aws("ssm")
    assert _code(ssm.put_parameter, Name="a", Value="b", Type="String") == "TooManyUpdates"
    assert _code(ssm.describe_parameters) == "done"
    assert client.admin("DELETE", "/faults")[1] == {"removed": ["f-1"]}
    assert _code(ssm.put_parameter, Name="a", Value="b", Type="String") == "done"


def test_an_expired_token_and_a_skewed_clock_are_refused_before_anything_happens(
    client: Client,
) -> None:
    iam = client.aws("iam")
    client.fault("expired-token", service="iam", times=1)
    assert _code(iam.create_user, UserName="a") == "ExpiredToken"
    client.fault("clock-skew", service="iam", seconds=400, times=1)
    with pytest.raises(ClientError, match="Signature expired"):
        iam.create_user(UserName="a")
    client.fault("clock-skew", service="iam", seconds=-400, times=1)
    with pytest.raises(ClientError, match="not yet current"):
        iam.create_user(UserName="a")
    assert iam.list_users()["Users"] == []


def test_a_dropped_connection_has_no_answer_though_the_call_was_carried_out(client: Client) -> None:
    iam = client.aws("iam")
    client.fault("drop-connection", service="iam", operation="CreateUser", times=1)
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        iam.create_user(UserName="a")
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["a"]


@pytest.mark.slow
def test_a_slow_call_does_not_hold_up_the_others(client: Client) -> None:
    client.fault("slow", service="iam", operation="ListRoles", seconds=5, times=1)
    order: list[str] = []

    def slow() -> None:
        client.aws("iam").list_roles()
        order.append("slow")

    waiting = threading.Thread(target=slow)
    waiting.start()
    while client.admin("GET", "/faults")[1]["faults"]:
        pass  # until the slow call has taken its fault
    client.aws("iam").list_users()
    order.append("other")
    waiting.join()
    assert order == ["other", "slow"]


def test_capacity_quota_and_failing_resources_are_told_to_whoever_asks(client: Client) -> None:
    box = client.served.box
    client.fault("capacity", instance_type="g4dn.xlarge", zone="us-east-1a", times=1)
    assert not faults.capacity_is_gone(box, "g4dn.xlarge", "us-east-1b")
    assert not faults.capacity_is_gone(box, "g5.xlarge", "us-east-1a")
    assert faults.capacity_is_gone(box, "g4dn.xlarge", "us-east-1a")
    assert not faults.capacity_is_gone(box, "g4dn.xlarge", "us-east-1a")
    client.fault("quota", code="L-3819A6DF", value=0)
    assert faults.quota(box, "L-3819A6DF") == 0
    assert faults.quota(box, "L-1216C47A") is None
    client.fault("fail-resource", resource="AWS::EC2::VPC", message="no such luck", times=1)
    assert faults.failing_resource(box, "AWS::EC2::Subnet", "Zone") is None
    assert faults.failing_resource(box, "AWS::EC2::VPC", "Network") == "no such luck"
    assert faults.failing_resource(box, "AWS::EC2::VPC", "Network") is None


def test_what_was_given_is_shown_even_when_it_is_zero(client: Client) -> None:
    _, quota = client.admin("POST", "/faults", {"kind": "quota", "code": "L-1", "value": 0})
    _, skew = client.admin("POST", "/faults", {"kind": "clock-skew", "seconds": 0})
    assert quota == {"id": "f-1", "kind": "quota", "code": "L-1", "value": 0.0}
    assert skew == {"id": "f-2", "kind": "clock-skew", "seconds": 0.0}
    assert client.admin("GET", "/faults")[1] == {"faults": [quota, skew]}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {},
        {"kind": "flood"},
        {"kind": "error"},
        {"kind": "slow"},
        {"kind": "slow-resource", "resource": "A"},
        {"kind": "slow-resource", "resource": "A", "seconds": 0},
        {"kind": "slow", "seconds": -1},
        {"kind": "slow", "seconds": 1e9},
        {"kind": "throttling", "times": 0},
        {"kind": "throttling", "times": True},
        {"kind": "throttling", "when": "now"},
        {"kind": "capacity", "instance_type": 5},
        {"kind": ["throttling"]},
        {"kind": "throttling", "service": "ec3"},
        {"kind": "throttling", "message": "\ud800"},
        {"kind": "error", "code": "A\nB"},
        {"kind": "error", "code": "\N{SNOWMAN}"},
        {"kind": "clock-skew", "seconds": 1e11},
        {"kind": "quota", "code": "L-1", "value": -5},
        {"kind": "quota", "code": "L-1", "value": 10**400},
        {"kind": "quota", "code": "L-1", "value": float("nan")},
        {"kind": "quota", "code": "L-1", "value": float("-inf")},
        {"kind": "throttling", "service": "eks", "operation": "DescribeNodeGroup"},
    ],
)
def test_what_is_no_fault_is_refused_with_the_reason(client: Client, document: Any) -> None:
    status, said = client.admin("POST", "/faults", document)
    assert status == 400
    assert said["error"]
    assert client.admin("GET", "/faults")[1] == {"faults": []}


def test_a_misspelt_operation_is_met_with_the_nearest_one(client: Client) -> None:
    fault = {"kind": "throttling", "service": "eks", "operation": "DescribeNodeGroup"}
    _, said = client.admin("POST", "/faults", fault)
    assert "did you mean DescribeNodegroup?" in said["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/state"),
        ("GET", "/faults"),
        ("POST", "/faults"),
        ("DELETE", "/faults"),
        ("POST", "/stop"),
        ("POST", "/interruptions"),
        ("GET", "//health"),
        ("GET", "/../_lowtide/state"),
        ("GET", "/%2e%2e/_lowtide/state"),
    ],
)
def test_the_admin_door_opens_to_its_token_alone(client: Client, method: str, path: str) -> None:
    key = client.served.environment()["AWS_SECRET_ACCESS_KEY"]
    for header in (
        {},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer \xff"},
    ):
        status, body, _ = client.http(method, f"/_lowtide{path}", headers=header)
        assert status in (401, 404)
        assert b"speed" not in body
        assert b"ready" not in body
    assert not client.served.stop_asked.is_set()


def test_the_admin_door_says_how_the_box_is_and_stops_it(client: Client) -> None:
    assert client.admin("GET", "/health")[1]["ready"] is True
    assert client.admin("GET", "/state")[1]["account"] == "123456789012"
    assert client.admin("DELETE", "/faults/f-9")[0] == 404
    assert client.admin("POST", "/interruptions", {"instance_id": 5})[0] == 400
    assert client.admin("POST", "/stop")[1] == {"stopping": True}
    assert client.served.stop_asked.wait(10)
