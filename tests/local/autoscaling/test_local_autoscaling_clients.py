"""Groups as the real ``aws``, boto3 and our own client see them, over a served box."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lowtide.aws.live.groups import LiveGroups
from lowtide.local.aws import faults
from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.serve import Serving
from lowtide.model.asg import Lifecycle
from lowtide.model.errors import AwsError

_PATIENCE_S = 60.0
_SHORT = Delays(instance_in_service_s=2.0, terminate_s=2.0, launch_retry_s=5.0, interruption_notice_s=5.0)  # fmt: skip


@dataclass
class Door:
    """A served box with a launch template and a subnet in it."""

    serving: Serving
    subnet: str = ""

    def client(self, service: str) -> Any:
        environment = self.serving.environment()
        return boto3.client(
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    def create(self, name: str, **params: Any) -> None:
        whole = {
            "AutoScalingGroupName": name,
            "MinSize": 0,
            "MaxSize": 3,
            "VPCZoneIdentifier": self.subnet,
            "LaunchTemplate": {"LaunchTemplateName": "node", "Version": "$Latest"},
            "Tags": [{"Key": "found", "Value": "by-this", "PropagateAtLaunch": True}],
            **params,
        }
        self.client("autoscaling").create_auto_scaling_group(**whole)

    def aws(self, *words: str) -> tuple[int, str, str]:
        """Run the ``aws`` command; return its exit code, output and errors."""
        ran = subprocess.run(
            ["aws", "autoscaling", *words, "--output", "json"],
            env={**os.environ, **self.serving.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with Serving(Settings(folder=tmp_path / "box", delays=_SHORT)) as serving:
        whole = Door(serving)
        prepare(whole)
        yield whole


def prepare(door: Door) -> None:
    ec2 = door.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")
    door.subnet = made["Subnet"]["SubnetId"]
    data = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "g4dn.xlarge"}
    ec2.create_launch_template(LaunchTemplateName="node", LaunchTemplateData=data)


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def live(door: Door) -> LiveGroups:
    return LiveGroups(door.client("autoscaling"), door.client("ec2"), door.client("eks"))


def test_our_own_client_finds_a_group_by_tags_and_moves_its_size(door: Door) -> None:
    door.create("gpu")
    door.create("other", Tags=[])
    groups = live(door)
    wanted = (("found", "by-this"),)

    (group,) = groups.read(wanted)
    assert (group.name, group.desired, group.zones) == ("gpu", 0, ("us-east-1a",))
    assert [one.name for one in group.shapes] == ["g4dn.xlarge"]

    groups.set_desired("gpu", 2)
    until(
        lambda: (
            [one.lifecycle for one in groups.read(wanted)[0].instances]
            == [Lifecycle.IN_SERVICE] * 2
        )
    )
    groups.terminate(groups.read(wanted)[0].instances[0].id)
    assert groups.read(wanted)[0].desired == 1
    until(lambda: len(groups.read(wanted)[0].instances) == 1)

    with pytest.raises(AwsError) as refused:
        groups.set_desired("gpu", 4)
    assert "above max value 3" in refused.value.why


def test_our_own_client_learns_why_a_group_does_not_grow(door: Door) -> None:
    door.create("gpu")
    faults.add(door.serving.box, {"kind": "capacity", "instance_type": "g4dn.xlarge"})
    before = time.time() * 1000

    live(door).set_desired("gpu", 1)

    (group,) = live(door).read((("found", ""),))
    newest = group.activities[0]
    assert newest.failed
    assert newest.start_ms >= int(before)
    assert "sufficient g4dn.xlarge capacity" in newest.description


def test_boto3_waits_reads_pages_and_gets_aws_errors(door: Door) -> None:
    client = door.client("autoscaling")
    for number in range(3):
        door.create(f"group-{number}")

    pages = client.get_paginator("describe_auto_scaling_groups").paginate(
        PaginationConfig={"PageSize": 2}
    )
    names = [one["AutoScalingGroupName"] for page in pages for one in page["AutoScalingGroups"]]
    assert names == ["group-0", "group-1", "group-2"]

    with pytest.raises(client.exceptions.AlreadyExistsFault):
        door.create("group-0")
    with pytest.raises(ClientError, match="is above max value 3") as refused:
        client.set_desired_capacity(AutoScalingGroupName="group-0", DesiredCapacity=9)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    client.set_desired_capacity(AutoScalingGroupName="group-0", DesiredCapacity=1)
    with pytest.raises(client.exceptions.ResourceInUseFault):
        client.delete_auto_scaling_group(AutoScalingGroupName="group-0")


def test_activities_are_dated_to_the_fraction_of_a_second(door: Door) -> None:
    door.create("gpu", DesiredCapacity=1)
    client = door.client("autoscaling")

    (one,) = client.describe_scaling_activities(AutoScalingGroupName="gpu")["Activities"]

    assert one["StartTime"].microsecond
    assert one["StartTime"].tzinfo is not None


def test_the_admin_door_interrupts_a_spot_instance(door: Door) -> None:
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": "node", "Version": "$Latest"},
            "Overrides": [{"InstanceType": "g4dn.xlarge"}],
        },
        "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0},
    }
    client = door.client("autoscaling")
    client.create_auto_scaling_group(
        AutoScalingGroupName="spot",
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=door.subnet,
        MixedInstancesPolicy=policy,
    )

    def ids() -> list[str]:
        (group,) = client.describe_auto_scaling_groups()["AutoScalingGroups"]
        return [one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"]  # fmt: skip

    until(lambda: len(ids()) == 1)
    (taken,) = ids()
    box = door.serving.box
    with box.lock:
        box.services["autoscaling"].timers["interrupt"](box, region=box.settings.region, instance_id=taken)  # fmt: skip

    until(lambda: len(ids()) == 1 and ids() != [taken])


def test_the_aws_command_creates_scales_explains_and_deletes_a_group(door: Door) -> None:
    if shutil.which("aws") is None:
        pytest.skip("needs the aws CLI")
    name = ("--auto-scaling-group-name", "cli")
    created = door.aws(
        "create-auto-scaling-group",
        *name,
        *("--min-size", "0", "--max-size", "2", "--vpc-zone-identifier", door.subnet),
        *("--launch-template", "LaunchTemplateName=node,Version=$Latest"),
        *("--tags", "Key=owner,Value=me,PropagateAtLaunch=true"),
    )
    assert created[0] == 0, created[2]

    code, _, said = door.aws("set-desired-capacity", *name, "--desired-capacity", "5")
    assert code != 0
    assert (
        "An error occurred (ValidationError) when calling the SetDesiredCapacity operation: New SetDesiredCapacity"
        " value 5 is above max value 2 for the AutoScalingGroup." in said
    )
    assert door.aws("set-desired-capacity", *name, "--desired-capacity", "1")[0] == 0

    _, found, _ = door.aws("describe-scaling-activities", *name)
    (activity,) = json.loads(found)["Activities"]
    assert "increasing the capacity from 0 to 1" in activity["Cause"]

    _, found, _ = door.aws("describe-auto-scaling-groups", "--filters", "Name=tag:owner,Values=me")
    (group,) = json.loads(found)["AutoScalingGroups"]
    assert group["DesiredCapacity"] == 1

    assert door.aws("delete-auto-scaling-group", *name, "--force-delete")[0] == 0
    until(
        lambda: json.loads(door.aws("describe-auto-scaling-groups")[1])["AutoScalingGroups"] == []
    )


@pytest.mark.slow
def test_groups_and_what_they_wait_for_survive_a_restart_of_the_box(tmp_path: Path) -> None:
    slow = Settings(
        folder=tmp_path / "box", state_file=tmp_path / "state", delays=_SHORT, speed=0.5
    )
    with Serving(slow) as serving:
        door = Door(serving)
        prepare(door)
        door.create("gpu", DesiredCapacity=2)
        faults.add(serving.box, {"kind": "capacity", "instance_type": "g4dn.xlarge"})
        live(door).set_desired("gpu", 3)

    with Serving(
        Settings(folder=tmp_path / "box", state_file=tmp_path / "state", delays=_SHORT)
    ) as again:
        faults.remove(again.box)
        groups = live(Door(again))
        until(
            lambda: (
                [one.lifecycle for one in groups.read((("found", ""),))[0].instances]
                == [Lifecycle.IN_SERVICE] * 3
            )
        )
