"""DescribeImages for the images whose ids the public parameters hold; all others are moto's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import asked, beneath, is_match
from lowtide.local.aws.service import Call
from lowtide.local.aws.ssm.images import Image, images

_CREATED = "2026-11-12T00:00:00.000Z"
_GIB = 20


def describe(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeImages."""
    ids = list(call.params.get("ImageIds", []))
    known = {one.id: one for one in images(call.region).values()}
    others = [one for one in ids if one not in known]
    found = [
        _shown(one)
        for one in known.values()
        if (not ids or one.id in ids) and _is_asked(one, call.params)
    ]
    if ids and not others:
        return {"Images": found}
    params = {**call.params, "ImageIds": others} if ids else call.params
    answer = beneath(box, call, params=params)
    return {**answer, "Images": [*found, *answer.get("Images", [])]}


def _is_asked(image: Image, params: Mapping[str, Any]) -> bool:
    filters = list(params.get("Filters", []))
    owners = params.get("Owners") or None
    values = {
        "name": image.name,
        "image-id": image.id,
        "state": "available",
        "architecture": image.arch,
        "owner-id": image.owner,
        "owner-alias": image.alias,
        "is-public": "true",
        "root-device-type": "ebs",
        "virtualization-type": "hvm",
        "image-type": "machine",
    }
    is_owned = owners is None or image.owner in owners or (image.alias and image.alias in owners)
    return bool(is_owned) and all(
        is_match(values.get(one["Name"], ""), asked(filters, one["Name"])) for one in filters
    )


def _shown(image: Image) -> dict[str, Any]:
    shown = {
        "ImageId": image.id,
        "Name": image.name,
        "Description": image.name,
        "ImageLocation": f"amazon/{image.name}",
        "ImageType": "machine",
        "Architecture": image.arch,
        "OwnerId": image.owner,
        "Public": True,
        "State": "available",
        "CreationDate": _CREATED,
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "EnaSupport": True,
        "RootDeviceType": "ebs",
        "RootDeviceName": image.root_device,
        "BlockDeviceMappings": [
            {
                "DeviceName": image.root_device,
                "Ebs": {
                    "DeleteOnTermination": True,
                    "Encrypted": False,
                    "SnapshotId": f"snap-{image.id[4:]}",
                    "VolumeSize": _GIB,
                    "VolumeType": "gp3",
                },
            }
        ],
    }
    if image.alias:
        shown["ImageOwnerAlias"] = image.alias
    return shown
