"""Auto Scaling groups through the autoscaler's own calls, asked of the embedded AWS over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lowtide.aws.live.groups import LiveGroups
from lowtide.aws.live.session import client
from lowtide.local.aws import faults
from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.serve import Serving
from lowtide.model.asg import Lifecycle
from lowtide.model.errors import AwsError

REGION = "us-west-2"
ENABLED, OWNED = "k8s.io/cluster-autoscaler/enabled", "k8s.io/cluster-autoscaler/demo"


class Account:
    """A box that serves, and the groups that an autoscaler sees in it."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        key = serving.environment()
        self.groups = LiveGroups(
            *(
                client(one, region=REGION, endpoint=key["AWS_ENDPOINT_URL"])
                for one in ("autoscaling", "ec2", "eks")
            )
        )

    def aws(self, service: str, operation: str, **params: Any) -> Any:
        return self.serving.box.call(service, operation, params, region=REGION)

    def create(self, name: str, tags: dict[str, str], **params: Any) -> None:
        image = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/nvidia/recommended/image_id"
        found = self.aws("ssm", "GetParameter", Name=image)["Parameter"]["Value"]
        data = {"ImageId": found, "InstanceType": "g4dn.xlarge"}
        self.aws("ec2", "CreateLaunchTemplate", LaunchTemplateName=name, LaunchTemplateData=data)
        subnets = self.aws("ec2", "DescribeSubnets")["Subnets"]
        subnet = next(one["SubnetId"] for one in subnets if one["AvailabilityZone"].endswith("b"))
        sizes = {"MinSize": 0, "MaxSize": 3, "DesiredCapacity": 0, **params}
        self.aws(
            "autoscaling",
            "CreateAutoScalingGroup",
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
            VPCZoneIdentifier=subnet,
            Tags=[
                {
                    "Key": key,
                    "Value": value,
                    "PropagateAtLaunch": True,
                    "ResourceId": name,
                    "ResourceType": "auto-scaling-group",
                }
                for key, value in tags.items()
            ],
            **sizes,
        )

    def one(self) -> Any:
        (found,) = self.groups.read(((ENABLED, ""),))
        return found


def wait_for(condition: Callable[[], Any]) -> Any:
    until = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)
    return found


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A box without control planes, and its administrator's credentials in the environment."""
    delays = Delays(instance_in_service_s=0, terminate_s=0, launch_retry_s=5)
    settings = Settings(folder=tmp_path / "box", region=REGION, speed=100.0, delays=delays)
    with Serving(settings) as serving:
        for name, value in serving.environment().items():
            monkeypatch.setenv(name, value)
        yield Account(serving)


def test_groups_are_found_by_all_of_their_tags(account: Account) -> None:
    account.create("ours", {ENABLED: "true", OWNED: "owned"})
    account.create("half", {ENABLED: "true"})
    account.create("other", {"team": "x"})

    def names(*tags: tuple[str, str]) -> set[str]:
        return {one.name for one in account.groups.read(tags)}

    assert names((ENABLED, ""), (OWNED, "")) == {"ours"}
    assert names((ENABLED, "true")) == {"ours", "half"}
    assert names((ENABLED, "false")) == set()


def test_a_group_at_zero_has_the_type_of_its_launch_template(account: Account) -> None:
    account.create("ours", {ENABLED: "true"})
    found = account.one()
    assert (found.desired, found.min_size, found.max_size) == (0, 0, 3)
    assert found.zones == (f"{REGION}b",)
    assert [(one.name, one.gpu) for one in found.shapes] == [("g4dn.xlarge", 1)]
    assert found.activities == ()


def test_a_size_that_was_set_comes_and_a_terminated_instance_lowers_it(account: Account) -> None:
    account.create("ours", {ENABLED: "true"})
    account.groups.set_desired("ours", 2)
    wait_for(
        lambda: [one.lifecycle for one in account.one().instances] == [Lifecycle.IN_SERVICE] * 2
    )
    account.groups.terminate(account.one().instances[0].id)
    assert account.one().desired == 1
    wait_for(lambda: len(account.one().instances) == 1)


def test_a_size_above_the_maximum_is_refused_in_awss_words(account: Account) -> None:
    account.create("ours", {ENABLED: "true"})
    with pytest.raises(AwsError) as refused:
        account.groups.set_desired("ours", 4)
    assert refused.value.why.startswith("ValidationError: ")
    assert "is above max value 3" in refused.value.why


def test_a_launch_that_failed_is_an_activity_of_a_group_that_lacks_instances(
    account: Account,
) -> None:
    account.create("ours", {ENABLED: "true"})
    faults.add(account.serving.box, {"kind": "capacity", "instance_type": "g4dn.xlarge"})
    account.groups.set_desired("ours", 1)
    (failed, *_) = wait_for(lambda: [one for one in account.one().activities if one.failed])
    assert failed.start_ms > 0
    assert account.one().instances == ()


def test_a_call_that_is_refused_says_the_operation_and_the_code(account: Account) -> None:
    account.create("ours", {ENABLED: "true"})
    faults.add(
        account.serving.box,
        {"kind": "access-denied", "service": "autoscaling", "operation": "SetDesiredCapacity"},
    )
    with pytest.raises(AwsError) as refused:
        account.groups.set_desired("ours", 1)
    assert refused.value.where == "SetDesiredCapacity"
    assert "AccessDenied" in refused.value.why
