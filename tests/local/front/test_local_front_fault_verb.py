"""Every kind of fault, typed as the verb's own help shows it, and what a client sees of it."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from lowtide.app.local_home import home
from lowtide.cli.local_fault import fault as fault_verb
from lowtide.cli.main import run
from lowtide.local.aws.faults import KINDS
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import Serving
from tests.local.front.conftest import Client

VERB = "lowtide local fault "
EXAMPLES = [
    line.strip().removeprefix(VERB).partition("   ")[0]
    for line in (fault_verb.epilog or "").splitlines()
    if line.strip().startswith(VERB)
]
#: Those that put a fault in force.
FAULTS = [line for line in EXAMPLES if line.split()[0] in KINDS]
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The only box that runs in this home, so that the verb finds it without a port."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with Serving(Settings(folder=home() / "box")) as serving:
            yield Client(served=serving)


@pytest.fixture
def client(served: Client) -> Iterator[Client]:
    """That box, in which no fault is left at the end."""
    yield served
    type_verb("clear")


def type_verb(line: str) -> Any:
    """Type the verb as the user does and return what it prints for a program."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["local", "fault", *shlex.split(line), "-o", "json"])
    assert code == 0, err.getvalue()
    said = json.loads(out.getvalue())
    assert said.pop("schema") == "lowtide.local-fault/v1"
    return said


def written(line: str) -> dict[str, Any]:
    """Return the fault that a line of the help means."""
    kind, *rest = shlex.split(line)
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    numbers = ("--times", "--seconds", "--value")
    return {"kind": kind} | {
        name.removeprefix("--").replace("-", "_"): float(value) if name in numbers else value
        for name, value in options.items()
    }


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, or fail."""
    until = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def test_the_help_has_an_example_of_every_kind_and_of_every_other_word() -> None:
    first = [line.split()[0] for line in EXAMPLES]
    assert {line.split()[0] for line in FAULTS} == set(KINDS)
    assert set(first) - set(KINDS) == {"interrupt", "list", "clear", "stop"}


@pytest.mark.parametrize("line", FAULTS)
def test_a_fault_typed_as_in_the_help_is_listed_with_all_that_was_typed(
    client: Client, line: str
) -> None:
    del client
    put = type_verb(line)
    assert type_verb("list") == {"faults": [put]}
    assert {name: value for name, value in put.items() if name != "id"} == written(line)
    assert type_verb(f"clear {put['id']}") == {"removed": [put["id"]]}
    assert type_verb("list") == {"faults": []}


def launch(zone: str = "us-east-1a", **changed: Any) -> tuple[str, str, dict[str, Any]]:
    wanted = {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1, "InstanceType": "g4dn.xlarge"}  # fmt: skip
    return "ec2", "run_instances", {**wanted, "Placement": {"AvailabilityZone": zone}, **changed}


VPCS = ("ec2", "describe_vpcs", dict[str, Any]())
NODEGROUP = ("eks", "describe_nodegroup", {"clusterName": "a", "nodegroupName": "b"})
STACKS = ("cloudformation", "list_stacks", dict[str, Any]())


@pytest.mark.parametrize(
    ("line", "call", "code"),
    [
        ("throttling --service ec2 --times 3", VPCS, "RequestLimitExceeded"),
        ("access-denied --service eks --operation DescribeNodegroup", NODEGROUP, "AccessDeniedException"),
        ("error --service cloudformation --code InternalFailure --times 1", STACKS, "InternalFailure"),
        ("capacity --instance-type g4dn.xlarge --zone us-east-1a", launch(), "InsufficientInstanceCapacity"),
        ("quota --code L-DB2E81BA --value 0", launch(), "VcpuLimitExceeded"),
        ("expired-token", VPCS, "RequestExpired"),
        ("clock-skew --seconds 600", VPCS, "RequestExpired"),
    ],
)  # fmt: skip
def test_a_client_is_refused_in_awss_words_while_a_fault_is_in_force(
    client: Client, line: str, call: tuple[str, str, dict[str, Any]], code: str
) -> None:
    assert line in FAULTS or line.startswith("quota --code")
    service, method, arguments = call
    type_verb(line)
    with pytest.raises(ClientError) as refused:
        getattr(client.aws(service), method)(**arguments)
    assert refused.value.response["Error"]["Code"] == code


def test_capacity_is_gone_for_the_type_and_the_zone_that_were_typed_alone(client: Client) -> None:
    type_verb("capacity --instance-type g4dn.xlarge --zone us-east-1a")
    type_verb("quota --code L-DB2E81BA --value 64")
    for _, _, arguments in (launch("us-east-1b"), launch(InstanceType="g5.xlarge")):
        assert client.aws("ec2").run_instances(**arguments)["Instances"]


def test_a_client_gets_no_answer_when_the_connection_is_dropped(client: Client) -> None:
    type_verb("drop-connection --times 1")
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        client.aws("sts").get_caller_identity()
    assert client.aws("sts").get_caller_identity()["Account"] == "123456789012"


def template(logical_id: str) -> str:
    network = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}}
    return json.dumps({"Resources": {logical_id: network}})


def stack_status(client: Client, name: str) -> str:
    (stack,) = client.aws("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(stack["StackStatus"])


def test_a_stack_fails_at_the_resource_that_was_typed_and_says_the_typed_words(
    client: Client,
) -> None:
    type_verb("fail-resource --resource GpuA --message 'no such luck'")
    cloudformation = client.aws("cloudformation")
    cloudformation.create_stack(StackName="fails", TemplateBody=template("GpuA"))
    wait_for(lambda: stack_status(client, "fails") == "ROLLBACK_COMPLETE")
    events = cloudformation.describe_stack_events(StackName="fails")["StackEvents"]
    failed = [
        (one["LogicalResourceId"], one["ResourceStatusReason"])
        for one in events
        if one["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert failed == [("GpuA", "no such luck")]


def test_a_stack_waits_for_the_resource_that_was_made_slow_and_for_no_other(
    client: Client,
) -> None:
    type_verb("slow-resource --resource Cluster --seconds 360000")
    cloudformation = client.aws("cloudformation")
    cloudformation.create_stack(StackName="waits", TemplateBody=template("Cluster"))
    cloudformation.create_stack(StackName="quick", TemplateBody=template("Network"))
    wait_for(lambda: stack_status(client, "quick") == "CREATE_COMPLETE")
    assert stack_status(client, "waits") == "CREATE_IN_PROGRESS"


def test_an_instance_that_is_not_there_cannot_be_interrupted(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    del client
    assert run(["local", "fault", "interrupt", "i-0123456789abcdef0"]) == 2
    assert "i-0123456789abcdef0" in capsys.readouterr().err
