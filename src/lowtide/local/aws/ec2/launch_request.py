"""What a RunInstances call comes to, once its launch template is laid out and what EC2 would not take is refused.

Why it exists: moto forgets most of a template at a launch, and starts instances of any type from any image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import beneath
from lowtide.local.aws.ec2.kinds import zones_of
from lowtide.local.aws.ec2.templates import launch_data
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

_IMAGE = re.compile(r"ami-[0-9a-f]{8}(?:[0-9a-f]{9})?")
#: What RunInstances starts where nothing says otherwise (API reference, RunInstances).
_USUAL_TYPE = "m1.small"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """A launch as moto gets it (``params``), and what decides whether there is one."""

    params: Mapping[str, Any]
    instance_type: str
    zone: str
    spot: bool
    count: int


def read_launch(box: Box, call: Call) -> LaunchRequest:
    """Return what is asked for.

    Raises:
        AwsError: the template is unknown, or the request lacks an image or contradicts itself.
    """
    params = _laid_out(box, call)
    kind = str(params.get("InstanceType") or _USUAL_TYPE)
    least, most = int(params.get("MinCount", 1)), int(params.get("MaxCount", 1))
    if not 1 <= least <= most:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({least}) for parameter minCount is invalid. It must be from 1 to maxCount ({most}).",
        )
    _check_image(params.get("ImageId"))
    zone = _zone(box, call, params) or next(iter(zones_of(box, call, kind)), f"{call.region}a")
    if not _subnet(params):
        params["Placement"] = {**params.get("Placement", {}), "AvailabilityZone": zone}
    return LaunchRequest(
        params={**params, **_with_sizes(box, call, params), "MinCount": most},
        instance_type=kind,
        zone=zone,
        spot=params.get("InstanceMarketOptions", {}).get("MarketType") == "spot",
        count=most,
    )


def own_interfaces(params: Mapping[str, Any], instance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the interfaces that the launch made, unless it says that they stay: they go with the instance."""
    wanted = params.get("NetworkInterfaces") or []
    stay = {
        int(one.get("DeviceIndex", 0))
        for one in wanted
        if one.get("NetworkInterfaceId") or one.get("DeleteOnTermination") is False
    }
    return tuple(
        str(one["NetworkInterfaceId"])
        for one in instance.get("NetworkInterfaces", [])
        if one["Attachment"]["DeviceIndex"] not in stay
    )


def finish_launch(
    box: Box, call: Call, params: Mapping[str, Any], instance: Mapping[str, Any]
) -> None:
    """Do what moto leaves out of a launch: tags of network interfaces, the protection against termination, profiles."""
    tags = [
        tag
        for one in params.get("TagSpecifications", [])
        if one["ResourceType"] == "network-interface"
        for tag in one["Tags"]
    ]
    ids = [one["NetworkInterfaceId"] for one in instance.get("NetworkInterfaces", [])]
    if tags and ids:
        beneath(box, call, operation="CreateTags", params={"Resources": ids, "Tags": tags})
    if params.get("DisableApiTermination"):
        change = {"InstanceId": instance["InstanceId"], "DisableApiTermination": {"Value": True}}
        beneath(box, call, operation="ModifyInstanceAttribute", params=change)
    if params.get("IamInstanceProfile") and "IamInstanceProfile" not in instance:
        # moto gives it to the first instance of a request alone.
        wanted = {"InstanceId": instance["InstanceId"], "IamInstanceProfile": params["IamInstanceProfile"]}  # fmt: skip
        beneath(box, call, operation="AssociateIamInstanceProfile", params=wanted)


def _with_sizes(box: Box, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
    """Give volumes without a size the one that the image has for them, which moto would refuse."""
    devices = params.get("BlockDeviceMappings", [])
    bare = [
        one
        for one in devices
        if "Ebs" in one and not {"VolumeSize", "SnapshotId"} & one["Ebs"].keys()
    ]
    if not bare or not params.get("ImageId"):
        return {}
    found = box.call("ec2", "DescribeImages", {"ImageIds": [params["ImageId"]]}, region=call.region)
    sizes = {
        one["DeviceName"]: one["Ebs"]["VolumeSize"]
        for image in found["Images"]
        for one in image["BlockDeviceMappings"]
        if "VolumeSize" in one.get("Ebs", {})
    }
    return {
        "BlockDeviceMappings": [
            {**one, "Ebs": {**one["Ebs"], "VolumeSize": sizes[one["DeviceName"]]}}
            if one in bare and one["DeviceName"] in sizes
            else one
            for one in devices
        ]
    }


def _laid_out(box: Box, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    template = params.pop("LaunchTemplate", None)
    if template is None:
        return params
    data = launch_data(box, call.region, template)
    tags = [*data.pop("TagSpecifications", []), *params.pop("TagSpecifications", [])]
    subnet = params.pop("SubnetId", None)
    merged = {**data, **params}
    if subnet and merged.get("NetworkInterfaces"):
        first = {**merged["NetworkInterfaces"][0], "SubnetId": subnet}
        merged["NetworkInterfaces"] = [first, *merged["NetworkInterfaces"][1:]]
    elif subnet:
        merged["SubnetId"] = subnet
    if tags:
        merged["TagSpecifications"] = _joined_tags(tags)
    return merged


def _joined_tags(specifications: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join tags by kind of resource; a later value wins."""
    joined: dict[str, dict[str, str]] = {}
    for one in specifications:
        values = joined.setdefault(one["ResourceType"], {})
        values.update({tag["Key"]: tag.get("Value", "") for tag in one.get("Tags", [])})
    return [
        {"ResourceType": kind, "Tags": [{"Key": key, "Value": values[key]} for key in values]}
        for kind, values in joined.items()
    ]


def _check_image(image_id: str | None) -> None:
    """Refuse what is no image id. Whether the image is there cannot be known: the box has none of the user's."""
    if not image_id:
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    if not _IMAGE.fullmatch(image_id):
        raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')


def _subnet(params: Mapping[str, Any]) -> str:
    interfaces = params.get("NetworkInterfaces") or [{}]
    return str(params.get("SubnetId") or interfaces[0].get("SubnetId") or "")


def _zone(box: Box, call: Call, params: Mapping[str, Any]) -> str:
    """Return the zone that the request names, empty where EC2 may choose."""
    subnet = _subnet(params)
    if subnet:
        found = beneath(box, call, operation="DescribeSubnets", params={"SubnetIds": [subnet]})
        return str(found["Subnets"][0]["AvailabilityZone"])
    return str(params.get("Placement", {}).get("AvailabilityZone") or "")
