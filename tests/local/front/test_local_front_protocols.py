"""Every wire format carries parameters in, results out and errors back, for the real clients."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front import app as front_app
from lowtide.local.aws.front import server as front_server
from lowtide.local.aws.front import writing
from lowtide.local.aws.front.models import SERVED, model_of, route, service_named
from lowtide.local.aws.service import Call, Service
from tests.local.front.conftest import Client

FORM = {"Content_Type": "application/x-www-form-urlencoded"}
#: One call of every service that the box serves, as somebody types it.
CLI = [
    "sts get-caller-identity",
    "ec2 describe-availability-zones",
    "iam list-roles",
    "ssm describe-parameters",
    "--endpoint-url {url} sqs list-queues",
    "events list-rules",
    "autoscaling describe-auto-scaling-groups",
    "eks list-clusters",
    "cloudformation list-stacks",
    "elbv2 describe-load-balancers",
    "elb describe-load-balancers",
    "logs describe-log-groups",
    "kms list-keys",
    "service-quotas list-services",
    "pricing describe-services",
    "resourcegroupstaggingapi get-resources",
    "ce get-cost-and-usage --time-period Start=2026-11-01,End=2026-11-02 --granularity DAILY --metrics UnblendedCost",
    "cloudtrail describe-trails",
]


def _send(
    client: Client, method: str, path: str, service: str, body: bytes = b"", **headers: str
) -> Any:
    environment = client.served.environment()
    url = f"http://127.0.0.1:{client.served.port}{path}"
    request = AWSRequest(
        method, url, data=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    key = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    return client.http(method, path, body, {k: str(v) for k, v in request.headers.items()})


@pytest.mark.slow
@pytest.mark.parametrize("command", CLI)
def test_the_aws_cli_gets_an_answer_from_every_service_that_is_served(
    client: Client, command: str
) -> None:
    if shutil.which("aws") is None:
        pytest.skip("needs the aws CLI")
    url = client.served.environment()["AWS_ENDPOINT_URL"]
    ran = subprocess.run(
        ["aws", *command.format(url=url).split(), "--output", "json"],
        env={**os.environ, **client.served.environment(), "AWS_MAX_ATTEMPTS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    json.loads(ran.stdout or "{}")  # the CLI writes nothing for an answer without fields


@pytest.mark.parametrize(
    "service", ["ec2", "autoscaling", "ssm", "sqs", "eks", "resourcegroupstaggingapi"]
)
def test_botocore_reads_code_message_fields_and_request_id_of_an_error(
    client: Client, service: str
) -> None:
    words = 'it\'s <not> \x01 so & "that" \N{SNOWMAN}'

    def fails(_box: object, _call: Call) -> dict[str, Any]:
        raise AwsError("ResourceNotFoundException", words, status=404, clusterName="blue")

    operation, arguments = {
        "ec2": ("DescribeVpcs", {}),
        "autoscaling": ("DescribeAutoScalingGroups", {}),
        "ssm": ("DescribeParameters", {}),
        "sqs": ("ListQueues", {}),
        "eks": ("DescribeCluster", {"name": "blue"}),
        "resourcegroupstaggingapi": ("GetResources", {}),
    }[service]
    client.served.box.services[service] = Service(name=service, operations={operation: fails})
    api = client.aws(service)
    method = next(name for name, one in api.meta.method_to_api_mapping.items() if one == operation)
    with pytest.raises(ClientError) as refused:
        getattr(api, method)(**arguments)
    answer: Any = refused.value.response
    assert answer["Error"]["Code"] == "ResourceNotFoundException"
    assert answer["Error"]["Message"].replace("\N{REPLACEMENT CHARACTER}", "\x01") == words
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36
    if service == "eks":
        assert answer["clusterName"] == "blue"


def test_parameters_come_in_as_botocore_wrote_them(client: Client) -> None:
    seen: dict[str, Any] = {}

    def take(_box: object, call: Call) -> dict[str, Any]:
        seen[call.service] = dict(call.params)
        return {}

    box = client.served.box
    wanted: dict[str, tuple[str, str, dict[str, Any]]] = {
        "autoscaling": (
            "DescribeScalingActivities",
            "describe_scaling_activities",
            {"ActivityIds": ["a", "b&=c"], "MaxRecords": 7, "IncludeDeletedGroups": True},
        ),
        "ec2": (
            "DescribeSpotPriceHistory",
            "describe_spot_price_history",
            {
                "StartTime": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
                "InstanceTypes": ["g4dn.xlarge"],
                "Filters": [{"Name": "x", "Values": ["1", "2"]}],
                "DryRun": False,
            },
        ),
        "eks": (
            "DescribeAddon",
            "describe_addon",
            {"clusterName": "blue", "addonName": "a b/c"},
        ),
        "ssm": ("PutParameter", "put_parameter", {"Name": "/a", "Value": "\N{SNOWMAN}\n<&"}),
        "resourcegroupstaggingapi": (
            "GetResources",
            "get_resources",
            {"TagFilters": [{"Key": "a", "Values": ["b"]}], "ResourcesPerPage": 5},
        ),
    }
    for service, (operation, method, arguments) in wanted.items():
        box.services[service] = Service(name=service, operations={operation: take})
        getattr(client.aws(service), method)(**arguments)
        assert seen[service] == arguments


def test_results_go_out_as_botocore_reads_them(client: Client) -> None:
    when = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    box = client.served.box
    activity = {
        "ActivityId": "1", "AutoScalingGroupName": "g&<", "Cause": "c", "StartTime": when, "StatusCode": "Failed", "Progress": 100,
    }  # fmt: skip
    results: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
        "autoscaling": (
            "DescribeScalingActivities",
            "describe_scaling_activities",
            {},
            {"Activities": [activity]},
        ),
        "eks": (
            "DescribeCluster",
            "describe_cluster",
            {"name": "b"},
            {
                "cluster": {
                    "name": "b",
                    "createdAt": when,
                    "tags": {"a": "b"},
                    "resourcesVpcConfig": {"subnetIds": []},
                }
            },
        ),
        "resourcegroupstaggingapi": (
            "GetResources",
            "get_resources",
            {},
            {
                "ResourceTagMappingList": [
                    {"ResourceARN": "arn:x", "Tags": [{"Key": "k", "Value": "v"}]}
                ]
            },
        ),
    }
    for service, (operation, method, arguments, result) in results.items():
        box.services[service] = Service(name=service, operations={operation: _always(result)})
        answer = getattr(client.aws(service), method)(**arguments)
        answer.pop("ResponseMetadata")
        assert answer == result


def _always(result: dict[str, Any]) -> Callable[[Any, Call], dict[str, Any]]:
    return lambda _box, _call: result


def test_a_missing_parameter_is_named_in_each_services_words(client: Client) -> None:
    def code_and_words(answer: Any) -> tuple[int, str]:
        return answer[0], answer[1].decode()

    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, said = code_and_words(
        _send(client, "POST", "/", "ec2", b"Action=CreateSubnet&Version=2016-11-15", **form)
    )
    assert (status, "MissingParameter" in said, "VpcId" in said) == (400, True, True)
    status, said = code_and_words(
        _send(
            client,
            "POST",
            "/",
            "autoscaling",
            b"Action=SetDesiredCapacity&Version=2011-01-01",
            **form,
        )
    )
    assert (status, "ValidationError" in said) == (400, True)
    assert "Value null at 'AutoScalingGroupName' failed to satisfy constraint" in said
    status, said = code_and_words(
        _send(client, "POST", "/", "ssm", b"{}", X_Amz_Target="AmazonSSM.PutParameter")
    )
    assert (status, "ValidationException" in said, "2 validation errors" in said) == (
        400,
        True,
        True,
    )
    status, said = code_and_words(_send(client, "POST", "/clusters", "eks", b"{}"))
    assert (status, "roleArn" in said) == (400, True)


@pytest.mark.parametrize(
    ("service", "path", "body", "headers", "code"),
    [
        ("autoscaling", "/", b"Action=SetDesiredCapacity&Version=2011-01-01&AutoScalingGroupName=a&DesiredCapacity=9999999999999", FORM, b"MalformedInput"),
        ("ec2", "/", b"Action=DescribeInstanceTypes&Version=2016-11-15&MaxResults=9999999999999", FORM, b"InvalidParameterValue"),
        ("ssm", "/", b'{"MaxResults": 9999999999999}', {"X_Amz_Target": "AmazonSSM.DescribeParameters"}, b"SerializationException"),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_its_type_is_refused(
    client: Client, service: str, path: str, body: bytes, headers: dict[str, str], code: bytes
) -> None:
    status, said, _ = _send(client, "POST", path, service, body, **headers)
    assert (status, code in said) == (400, True)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"Name": 5}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_request_is_a_serialization_error(client: Client, body: bytes) -> None:
    status, said, headers = _send(
        client, "POST", "/", "ssm", body, X_Amz_Target="AmazonSSM.GetParameter"
    )
    assert status == 400
    assert json.loads(said)["__type"] in ("SerializationException", "ValidationException")
    assert headers["x-amzn-requestid"]


def test_an_unknown_operation_service_or_region_is_refused_in_aws_shape(client: Client) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, said, _ = _send(client, "POST", "/", "iam", b"Action=Fly&Version=2010-05-08", **form)
    assert (status, b"<Code>InvalidAction</Code>" in said) == (400, True)
    status, said, headers = _send(client, "GET", "/clusters/a/../../secrets", "eks")
    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    with pytest.raises(ClientError, match="does not serve s3"):
        client.aws("s3").list_buckets()
    with pytest.raises(ClientError, match="valid region"):
        client.aws("ssm", region_name="mars-north-1").describe_parameters()


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("ec2", "describe_subnets", {"Filters": [{"Name": "subnet-id", "Values": ["["]}]}, ""),
        ("ec2", "delete_vpc", {"VpcId": "["}, "InvalidParameterValue"),
        ("ec2", "delete_internet_gateway", {"InternetGatewayId": "\0"}, "InvalidParameterValue"),
        ("ec2", "replace_network_acl_association", {"AssociationId": "x", "NetworkAclId": "x"}, "InvalidParameterValue"),
        ("elb", "describe_load_balancer_attributes", {"LoadBalancerName": "nobody"}, "ValidationError"),
        ("logs", "get_query_results", {"queryId": "nobody"}, "ValidationException"),
    ],
)  # fmt: skip
def test_what_moto_falls_over_is_refused_in_the_words_of_the_protocol(
    client: Client, service: str, operation: str, params: dict[str, Any], code: str
) -> None:
    try:
        getattr(client.aws(service), operation)(**params)
        said = ""
    except ClientError as refused:
        said = refused.response["Error"]["Code"]
    assert said == code


def test_a_defect_of_a_service_is_an_internal_failure_without_its_traceback(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(_box: object, _call: Call) -> dict[str, Any]:
        raise ZeroDivisionError("secret detail")

    client.served.box.services["ssm"] = Service(
        name="ssm", operations={"DescribeParameters": breaks}
    )
    with pytest.raises(ClientError) as refused:
        client.aws("ssm").describe_parameters()
    assert refused.value.response["Error"]["Code"] == "InternalFailure"
    assert "secret" not in str(refused.value.response)
    assert "secret detail" in caplog.text
    assert refused.value.response["ResponseMetadata"]["RequestId"] in caplog.text


def test_twenty_clients_at_once_each_see_what_they_made(client: Client) -> None:
    def work(number: int) -> bool:
        iam, ec2 = client.aws("iam"), client.aws("ec2")
        made = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        iam.create_user(UserName=f"u{number}")
        seen = {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]}
        return made in seen and any(
            one["UserName"] == f"u{number}" for one in iam.list_users()["Users"]
        )

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(work, range(20)))
    assert len(client.aws("ec2").describe_vpcs()["Vpcs"]) == 21
    assert len(client.aws("iam").list_users()["Users"]) == 20


def test_waiting_for_a_message_does_not_hold_up_the_box(client: Client) -> None:
    sqs = client.aws("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    got: list[str] = []

    def wait() -> None:
        answer = client.aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
        got.extend(one["Body"] for one in answer.get("Messages", []))

    waiting = threading.Thread(target=wait)
    waiting.start()
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    waiting.join()
    assert got == ["hello"]


def test_a_body_above_the_limit_is_refused(client: Client) -> None:
    size = front_app.LARGEST_BODY + 1
    with socket.create_connection(("127.0.0.1", client.served.port), timeout=60) as raw:
        raw.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        sent, part = 0, b"x" * 65536
        try:
            while sent < size:
                sent += raw.send(part[: size - sent])
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = raw.recv(65536)
    assert b" 413 " in answer.splitlines()[0]


@pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_client_that_never_ends_its_head_is_closed(
    client: Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(front_server, "HEAD_TIME_S", 0.2)
    with socket.create_connection(("127.0.0.1", client.served.port), timeout=60) as raw:
        raw.sendall(sent)
        assert raw.recv(100) == b""


def test_a_client_that_never_ends_its_body_gets_a_time_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_app, "BODY_TIME_S", 0.2)
    with socket.create_connection(("127.0.0.1", client.served.port), timeout=60) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
        assert b" 408 " in raw.recv(65536).splitlines()[0]


def test_a_head_above_the_limit_is_refused(client: Client) -> None:
    status, _, _ = client.http("GET", "/clusters", headers={"X-Long": "a" * 60_000})
    assert status == 403
    with socket.create_connection(("127.0.0.1", client.served.port), timeout=60) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 200_000)
        assert b" 400 " in raw.recv(65536).splitlines()[0]


#: The names in signatures of all services that are served.
SERVICES = sorted(
    {
        model_of(one).metadata.get("signingName") or model_of(one).metadata["endpointPrefix"]
        for one in SERVED
    }
)
_ACTIONS = (
    "DescribeVpcs",
    "CreateVpc",
    "ListRoles",
    "CreateRole",
    "SendMessage",
    "CreateStack",
    "Nothing",
    "",
)
_words = st.text(max_size=30)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words, inner, max_size=4),
    max_leaves=10,
)
_bodies = st.one_of(
    st.binary(max_size=300),
    _json.map(lambda value: json.dumps(value).encode()),
    st.tuples(st.sampled_from(_ACTIONS), st.dictionaries(st.sampled_from(["CidrBlock", "VpcId.1", "Filter.1.Value.1", "RoleName", "Tags.member.1.Key", "a"]), _words, max_size=4)).map(
        lambda pair: "&".join([f"Action={pair[0]}", *(f"{k}={v}" for k, v in pair[1].items())]).encode("utf-8", "replace")
    ),
)  # fmt: skip
_types = st.sampled_from(
    ["", "application/x-www-form-urlencoded", "application/json", "application/x-amz-json-1.1", "application/cbor", 'text/plain; charset="x', "multipart/form-data"]
)  # fmt: skip
_targets = st.sampled_from(
    [
        "",
        "AmazonSSM.PutParameter",
        "AmazonSQS.CreateQueue",
        "AWSEvents.PutRule",
        "Logs_20140328.CreateLogGroup",
        "TrentService.CreateKey",
        "AWSInsightsIndexService.GetCostAndUsage",
        "ServiceQuotasV20190624.GetServiceQuota",
        "AmazonSSM.",
        ".",
        "x",
    ]
)
_paths = st.sampled_from(
    ["/", "//", "/clusters", "/clusters/", "/clusters/%2e%2e/x", "/clusters/a%00b", "/../..", "/clusters/%ff", "/tags/x?tagKeys=a", "/?Action=DescribeVpcs", "/service/ResourceGroupsTaggingAPI_20170126/operation/GetResources"]
)  # fmt: skip


def _fuzz(client: Client, drawn: tuple[Any, ...]) -> None:
    method, path, service, body, content_type, target, is_signed = drawn
    headers = {
        "Content_Type": content_type,
        "X_Amz_Target": target,
        "Smithy_Protocol": "rpc-v2-cbor" if "service" in path else "",
    }
    headers = {name: value for name, value in headers.items() if value}
    if is_signed:
        status, said, got = _send(client, method, path, service, body, **headers)
    else:
        plain = {name.replace("_", "-"): value for name, value in headers.items()}
        status, said, got = client.http(method, path, body, plain)
    assert status < 500, (status, said)
    assert b"Traceback" not in said
    if status >= 400:
        assert got["x-amzn-requestid"]
        assert b"ode>" in said or b"message" in said


_drawn = st.tuples(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "ODD"]), _paths, st.sampled_from(SERVICES), _bodies, _types, _targets, st.booleans())  # fmt: skip
_quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=60, deadline=None, suppress_health_check=_quiet)
@given(drawn=_drawn)
def test_whatever_is_sent_the_answer_is_aws_shaped(client: Client, drawn: tuple[Any, ...]) -> None:
    _fuzz(client, drawn)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=_quiet)
@given(drawn=_drawn)
def test_two_thousand_fuzzed_requests_are_answered_in_aws_shape(
    client: Client, drawn: tuple[Any, ...]
) -> None:
    _fuzz(client, drawn)


def test_every_rest_path_of_eks_leads_to_its_own_operation() -> None:
    model = model_of("eks")
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = (
            http["requestUri"]
            .partition("?")[0]
            .replace("{", "x")
            .replace("+}", "/y")
            .replace("}", "")
        )
        found = route("eks", http["method"], path)
        assert found is not None
        assert found[0] == name


def test_signing_names_lead_to_botocores_services() -> None:
    both_balancers = {"elb", "elbv2"}  # they share one, and tell themselves apart by a version
    assert {service_named(one) for one in SERVICES} | both_balancers == SERVED
    assert service_named("tagging") == "resourcegroupstaggingapi"
    assert service_named("servicequotas") == "service-quotas"
    assert service_named("elasticloadbalancing", "2012-06-01") == "elb"
    assert service_named("elasticloadbalancing", "2015-12-01") == "elbv2"
    assert service_named("s3") == ""


def test_an_error_with_control_characters_is_still_xml() -> None:
    from xml.etree import ElementTree as ET

    said = writing.error("iam", "query", AwsError("A", "x\x00\ud800y"), "id").body
    assert (
        ET.fromstring(said).findtext(".//{*}Message")  # noqa: S314 - our own text
        == "x\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}y"
    )
