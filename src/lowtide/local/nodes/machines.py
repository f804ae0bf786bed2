"""An instance as its own operating system finds it: what it is, where, in whose role, and what it was told to do.

Why it exists: a node is made of what EC2 really started, not of what an Auto Scaling group or a template intended.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.ssm.images import Image, image_of

#: A node that is terminated, or on its way, starts nothing any more.
_ALIVE = ("pending", "running")
#: What EKS's images need at least; a disk of unknown size counts as this (awslabs/amazon-eks-ami, 20 GiB root volume).
_SMALLEST_DISK_GIB = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An EC2 instance.

    ``name`` is its private DNS name. ``image`` is None for an image that is none of AWS's public ones. ``role_arn`` is the role of its
    instance profile, empty without one. ``disk_gib`` is its largest disk, which holds images and emptyDir.
    """

    region: str
    id: str
    instance_type: str
    zone: str
    zone_id: str
    private_ip: str
    image: Image | None
    role_arn: str
    disk_gib: int
    user_data: str

    @property
    def name(self) -> str:
        """The private DNS name by IP, which is the name of an EKS node (EC2 user guide, "EC2 instance hostnames")."""
        domain = "ec2" if self.region == "us-east-1" else f"{self.region}.compute"
        return f"ip-{self.private_ip.replace('.', '-')}.{domain}.internal"

    @property
    def provider_id(self) -> str:
        """What the cloud controller calls it."""
        return f"aws:///{self.zone}/{self.id}"


def machine(box: Box, region: str, instance_id: str) -> Machine | None:
    """Return a living instance, None where there is none of that id.

    Raises:
        AwsError: a fault is in force, or something that it names is gone: ask again.
    """
    with box.lock:
        one = _living(box, region, instance_id)
        if one is None:
            return None
        zone = str(one["Placement"]["AvailabilityZone"])
        return Machine(
            region=region,
            id=instance_id,
            instance_type=str(one["InstanceType"]),
            zone=zone,
            zone_id=_zone_id(box, region, zone),
            private_ip=str(one["PrivateIpAddress"]),
            image=image_of(region, str(one["ImageId"])),
            role_arn=_role(box, region, one.get("IamInstanceProfile", {}).get("Arn", "")),
            disk_gib=_disk_gib(box, region, one),
            user_data=_user_data(box, region, instance_id),
        )


def running(box: Box, region: str) -> list[str]:
    """Return the ids of all instances of a region that run."""
    states = [{"Name": "instance-state-name", "Values": ["running"]}]
    return [str(one["InstanceId"]) for one in _instances(box, region, {"Filters": states})]


def _living(box: Box, region: str, instance_id: str) -> Mapping[str, Any] | None:
    try:
        found = list(_instances(box, region, {"InstanceIds": [instance_id]}))
    except AwsError as error:
        if error.code.startswith("InvalidInstanceID"):
            return None
        raise
    alive = [one for one in found if one["State"]["Name"] in _ALIVE and one.get("PrivateIpAddress")]
    return alive[0] if alive else None


def _instances(box: Box, region: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    asked = dict(params)
    while True:
        answer = box.call("ec2", "DescribeInstances", asked, region=region)
        for reservation in answer.get("Reservations", []):
            yield from reservation["Instances"]
        if not answer.get("NextToken"):
            return
        asked["NextToken"] = answer["NextToken"]


def _zone_id(box: Box, region: str, zone: str) -> str:
    answer = box.call("ec2", "DescribeAvailabilityZones", {"ZoneNames": [zone]}, region=region)
    return next((str(one["ZoneId"]) for one in answer["AvailabilityZones"]), "")


def _role(box: Box, region: str, profile_arn: str) -> str:
    """Return the ARN of an instance profile's role; a profile that is gone has none."""
    if not profile_arn:
        return ""
    name = profile_arn.rpartition("/")[2]
    try:
        answer = box.call("iam", "GetInstanceProfile", {"InstanceProfileName": name}, region=region)
    except AwsError:
        return ""
    return next((str(one["Arn"]) for one in answer["InstanceProfile"]["Roles"]), "")


def _disk_gib(box: Box, region: str, one: Mapping[str, Any]) -> int:
    ids = [device["Ebs"]["VolumeId"] for device in one.get("BlockDeviceMappings", [])]
    if not ids:
        return _SMALLEST_DISK_GIB
    answer = box.call("ec2", "DescribeVolumes", {"VolumeIds": ids}, region=region)
    return max(_SMALLEST_DISK_GIB, *(int(volume["Size"]) for volume in answer["Volumes"]))


def _user_data(box: Box, region: str, instance_id: str) -> str:
    asked = {"InstanceId": instance_id, "Attribute": "userData"}
    answer = box.call("ec2", "DescribeInstanceAttribute", asked, region=region)
    encoded = (answer.get("UserData") or {}).get("Value") or ""
    return base64.b64decode(encoded).decode("utf-8", "replace")
