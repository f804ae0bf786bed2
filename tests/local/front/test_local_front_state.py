"""A box with a state file is after a restart, or a kill, what it was before."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from botocore.exceptions import ClientError

from lowtide.model.errors import InputError
from tests.local.front.conftest import Client, Opener


def _make(client: Client) -> dict[str, Any]:
    ec2, iam, ssm = client.aws("ec2"), client.aws("iam"), client.aws("ssm")
    west = client.aws("ec2", region_name="us-west-2")
    west.describe_subnets()
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1a")
    ec2.run_instances(ImageId="ami-12345678", MinCount=2, MaxCount=2, InstanceType="m5.large")
    iam.create_role(RoleName="node", AssumeRolePolicyDocument="{}")
    iam.attach_role_policy(
        RoleName="node", PolicyArn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
    )
    ssm.put_parameter(Name="/a", Value="b", Type="String")
    sqs = client.aws("sqs")
    queue = sqs.create_queue(QueueName="spot")["QueueUrl"]
    for text in ("one", "two"):
        sqs.send_message(QueueUrl=queue, MessageBody=text)
    taken = sqs.receive_message(QueueUrl=queue)["Messages"][0]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=taken["ReceiptHandle"])
    client.aws("events").put_rule(Name="r", EventPattern='{"source":["aws.ec2"]}')
    client.fault("throttling", service="kms", times=3)
    return _seen(client)


def _seen(client: Client) -> dict[str, Any]:
    ec2, iam = client.aws("ec2"), client.aws("iam")
    west = client.aws("ec2", region_name="us-west-2")
    queue = client.aws("sqs").get_queue_url(QueueName="spot")["QueueUrl"]
    depth = client.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])[
        "Attributes"
    ]
    return {
        "vpcs": sorted(one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]),
        "subnets": sorted(one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]),
        "west": sorted(one["SubnetId"] for one in west.describe_subnets()["Subnets"]),
        "instances": sorted(
            (one["InstanceId"], one["PrivateIpAddress"])
            for group in ec2.describe_instances()["Reservations"]
            for one in group["Instances"]
        ),
        "roles": [(one["RoleId"], one["CreateDate"]) for one in iam.list_roles()["Roles"]],
        "policies": iam.list_attached_role_policies(RoleName="node")["AttachedPolicies"],
        "parameter": client.aws("ssm").get_parameter(Name="/a")["Parameter"]["Value"],
        "messages": int(depth["ApproximateNumberOfMessages"])
        + int(depth["ApproximateNumberOfMessagesNotVisible"]),
        "rules": [one["Name"] for one in client.aws("events").list_rules()["Rules"]],
        "faults": client.admin("GET", "/faults")[1],
        "key": client.served.environment()["AWS_ACCESS_KEY_ID"],
    }


def test_everything_is_there_after_a_restart_with_the_same_names(
    open_client: Opener, tmp_path: Path
) -> None:
    before = _make(open_client(state_file=tmp_path / "state"))
    after = _seen(open_client(state_file=tmp_path / "state"))
    assert after == before
    assert len(before["instances"]) == 2
    assert before["messages"] == 1


def test_a_call_that_moto_fell_over_as_the_first_one_of_a_region_does_not_keep_a_box_from_opening(
    open_client: Opener, tmp_path: Path
) -> None:
    client = open_client(state_file=tmp_path / "state")
    west = client.aws("elb", region_name="us-west-2")
    with pytest.raises(ClientError):
        west.describe_load_balancer_attributes(LoadBalancerName="nobody")
    after = open_client(state_file=tmp_path / "state")
    assert after.aws("elb", region_name="us-west-2").describe_load_balancers()


def test_without_a_state_file_a_new_box_is_a_new_account(open_client: Opener) -> None:
    _make(open_client())
    client = open_client()
    assert len(client.aws("ec2").describe_vpcs()["Vpcs"]) == 1
    assert client.aws("iam").list_roles()["Roles"] == []


KILLED = """
import os, signal, sys
from pathlib import Path
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import open_box
box = open_box(Settings(folder=Path(sys.argv[1]), state_file=Path(sys.argv[2])))
print(box.call("ec2", "CreateVpc", {"CidrBlock": "10.1.0.0/16"})["Vpc"]["VpcId"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_answered_is_kept_when_the_process_is_killed(
    open_client: Opener, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "other"), str(state)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    vpcs = open_client(state_file=state).aws("ec2").describe_vpcs()["Vpcs"]
    assert ran.stdout.strip() in {one["VpcId"] for one in vpcs}


def test_a_state_file_and_the_door_file_are_readable_by_their_owner_alone(
    open_client: Opener, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        client = open_client(state_file=tmp_path / "state")
        client.aws("iam").create_user(UserName="a")
        for path in (tmp_path / "state", tmp_path / "box" / "door.json"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_two_boxes_do_not_share_a_state_file(open_client: Opener, tmp_path: Path) -> None:
    from lowtide.local.aws.state_file import StateFile

    open_client(state_file=tmp_path / "state").aws("iam").create_user(UserName="a")
    with pytest.raises(InputError) as refused:
        StateFile(tmp_path / "state")
    assert refused.value.why == "another box has it open"


@pytest.mark.parametrize("content", [b"this is no state", b"SQLite format 3\0" + b"\xff" * 200])
def test_a_damaged_state_file_is_named_and_left_as_it_is(
    open_client: Opener, tmp_path: Path, content: bytes
) -> None:
    state = tmp_path / "state"
    state.write_bytes(content)
    with pytest.raises(InputError) as refused:
        open_client(state_file=state)
    assert refused.value.where == str(state)
    assert all((refused.value.what, refused.value.why, refused.value.fix))
    assert state.read_bytes() == content


class _Evil:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("made-by-a-pickle",))


def test_a_state_file_can_name_nothing_but_plain_values(
    open_client: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = tmp_path / "state"
    open_client(state_file=state)
    open_client.stop()
    database = sqlite3.connect(state)
    database.execute("insert or replace into state values ('eks', ?)", (pickle.dumps(_Evil()),))
    database.commit()
    database.close()
    with pytest.raises(InputError, match="cannot be read"):
        open_client(state_file=state)
    assert not (tmp_path / "made-by-a-pickle").exists()


def test_a_state_file_that_others_may_write_is_not_trusted(
    open_client: Opener, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    open_client(state_file=state)
    open_client.stop()
    state.chmod(0o666)
    with pytest.raises(InputError) as refused:
        open_client(state_file=state)
    assert refused.value.fix == f"chmod 600 {state}"


TRUST = """{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"""


def test_a_cluster_is_there_after_a_restart_and_goes_on_becoming_active(
    open_client: Opener, tmp_path: Path
) -> None:
    client = open_client(state_file=tmp_path / "state", speed=100_000.0)
    role = client.aws("iam").create_role(RoleName="eks", AssumeRolePolicyDocument=TRUST)["Role"][
        "Arn"
    ]
    subnets = client.aws("ec2").describe_subnets()["Subnets"]
    client.aws("eks").create_cluster(
        name="blue",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": [one["SubnetId"] for one in subnets[:2]]},
    )
    again = open_client(state_file=tmp_path / "state", speed=100_000.0)
    again.aws("eks").get_waiter("cluster_active").wait(
        name="blue", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert again.aws("eks").describe_cluster(name="blue")["cluster"]["roleArn"] == role
