"""A box with Auto Scaling and EC2 in it, a network, a launch template, and time that passes when a test says so."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.local.aws import autoscaling, credentials, ec2, faults, iam
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.events import Event
from lowtide.local.aws.moto_behind import MotoBehind
from lowtide.local.aws.settings import Settings

REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
USER_DATA = "#!/bin/sh\necho joins\n"
IMAGE = "ami-0123456789abcdef0"


@dataclass
class Groups:
    """A box and what a test wants of its groups."""

    box: Box
    subnets: dict[str, str]
    events: list[Event] = field(default_factory=list)
    now: float = field(default_factory=time.time)

    def __call__(
        self, operation: str, *, service: str = "autoscaling", **params: Any
    ) -> dict[str, Any]:
        return dict(self.box.call(service, operation, params, region=REGION))

    def wait(self, seconds: float) -> None:
        """Let the box's timers of that many seconds of AWS's time run."""
        self.now = max(self.now, time.time()) + seconds / self.box.settings.speed
        self.box.run_due(self.now)
        self.box._moment = self.now  # where no timer ran, too

    def until_in_service(self) -> None:
        self.wait(self.box.settings.delays.instance_in_service_s + 1)

    def create(self, name: str = "gpu", *, zones: int = 1, **params: Any) -> None:
        whole = {
            "AutoScalingGroupName": name,
            "MinSize": 0,
            "MaxSize": 10,
            "VPCZoneIdentifier": ",".join(self.subnets[one] for one in ZONES[:zones]),
            **params,
        }
        if "MixedInstancesPolicy" not in whole:
            whole.setdefault("LaunchTemplate", {"LaunchTemplateName": "node"})
        self("CreateAutoScalingGroup", **whole)

    def spot(self, name: str = "gpu", *types: str, **params: Any) -> None:
        """Create a group that buys spot only, of these types."""
        self.create(name, MixedInstancesPolicy=policy(*types), **params)

    def group(self, name: str = "gpu") -> dict[str, Any]:
        answer = self("DescribeAutoScalingGroups", AutoScalingGroupNames=[name])
        return dict(answer["AutoScalingGroups"][0])

    def instances(self, name: str = "gpu", state: str = "InService") -> list[dict[str, Any]]:
        return [one for one in self.group(name)["Instances"] if one["LifecycleState"] == state]

    def activities(self, name: str = "gpu") -> list[dict[str, Any]]:
        found = self("DescribeScalingActivities", AutoScalingGroupName=name)["Activities"]
        return list(found)

    def set_desired(self, desired: int, name: str = "gpu") -> None:
        self("SetDesiredCapacity", AutoScalingGroupName=name, DesiredCapacity=desired)

    def in_ec2(self, instance_id: str) -> dict[str, Any]:
        answer = self("DescribeInstances", service="ec2", InstanceIds=[instance_id])
        return dict(answer["Reservations"][0]["Instances"][0])

    def gone(self, instance_type: str, **fields: Any) -> faults.Fault:
        """Let EC2 have no capacity of a type."""
        fault = {"kind": "capacity", "instance_type": instance_type, **fields}
        return faults.add(self.box, fault)

    def queue(self, name: str, *detail_types: str) -> str:
        """Return the URL of a queue that gets these events."""
        url = str(self("CreateQueue", service="sqs", QueueName=name)["QueueUrl"])
        pattern = json.dumps({"detail-type": list(detail_types)})
        self("PutRule", service="events", Name=name, EventPattern=pattern, State="ENABLED")
        arn = f"arn:aws:sqs:{REGION}:{self.box.settings.account}:{name}"
        self("PutTargets", service="events", Rule=name, Targets=[{"Id": "1", "Arn": arn}])
        return url

    def messages(self, url: str) -> list[dict[str, Any]]:
        answer = self("ReceiveMessage", service="sqs", QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(one["Body"]) for one in answer.get("Messages", [])]


def policy(
    *types: str, template: str = "node", overrides: Any = None, **distribution: Any
) -> dict[str, Any]:
    """Return a mixed instances policy, of spot only unless the distribution says otherwise."""
    specification: Mapping[str, str] = {"LaunchTemplateName": template, "Version": "$Latest"}
    return {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": specification,
            "Overrides": overrides or [{"InstanceType": one} for one in types],
        },
        "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0, **distribution},
    }


#: moto takes a second to begin anew: tests share one, as long as nobody else in the process has begun another.
_SHARED: dict[str, Any] = {}


def open_groups(folder: Path) -> Groups:
    """Return a box with a VPC of three zones and the launch template ``node``; its groups and instances are its own."""
    settings = Settings(folder=folder)
    behind = _SHARED.get("moto") or MotoBehind(settings.account)
    groups = _box(settings, behind)
    if "moto" in _SHARED and not _is_whole(groups):
        behind = MotoBehind(settings.account)
        groups = _box(settings, behind)
        _SHARED.clear()
    if not _SHARED:
        _SHARED.update(moto=behind, subnets=_network(groups))
    groups.subnets.update(_SHARED["subnets"])
    with suppress(AwsError):
        groups("DeleteLaunchTemplate", service="ec2", LaunchTemplateName="node")
    template(groups)
    return groups


def _box(settings: Settings, behind: MotoBehind) -> Groups:
    services = [
        credentials.SERVICE,
        faults.SERVICE,
        ec2.SERVICE,
        iam.SERVICE,
        autoscaling.SERVICE,
    ]
    box = Box(settings, services, behind=behind)
    box.faults.append(faults.refuse)
    groups = Groups(box=box, subnets={})
    box.subscribe(groups.events.append)
    return groups


def _is_whole(groups: Groups) -> bool:
    try:
        groups("DescribeSubnets", service="ec2", SubnetIds=list(_SHARED["subnets"].values()))
    except AwsError:
        return False
    return True


def _network(groups: Groups) -> dict[str, str]:
    vpc = groups("CreateVpc", service="ec2", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = {}
    for index, zone in enumerate(ZONES):
        params = {"VpcId": vpc, "CidrBlock": f"10.0.{64 * index}.0/18", "AvailabilityZone": zone}
        answer = groups("CreateSubnet", service="ec2", **params)
        subnets[zone] = answer["Subnet"]["SubnetId"]
    return subnets


def template(groups: Groups, name: str = "node", **data: Any) -> None:
    whole = {
        "ImageId": IMAGE,
        "InstanceType": "g4dn.xlarge",
        "UserData": base64.b64encode(USER_DATA.encode()).decode(),
        **data,
    }
    params = {"LaunchTemplateName": name, "LaunchTemplateData": whole}
    groups("CreateLaunchTemplate", service="ec2", **params)
