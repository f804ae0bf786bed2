"""The disks of a node: encrypted, on the device that the image boots from.

Sources: the EKS-optimised images (/dev/xvda), Bottlerocket (the system on /dev/xvda, containers on /dev/xvdb), Canonical's
images (/dev/sda1).
"""

from __future__ import annotations

from typing import Any

from lowtide.aws.templates.cfn import Resource
from lowtide.model.blueprint import BlockDevice, Launch
from lowtide.model.cluster import NodeGroup

_SYSTEM = "/dev/xvda"
_DATA = "/dev/xvdb"
_UBUNTU_SYSTEM = "/dev/sda1"


def block_devices(group: NodeGroup, launch: Launch) -> list[Resource]:
    """Return the volume that holds images and emptyDir, Bottlerocket's system volume, and the file's further ones."""
    volume = group.volume
    root = _volume(
        gib=volume.gib,
        type=volume.type,
        encrypted=volume.encrypted,
        kms_key_id=launch.kms_key_id,
        iops=volume.iops,
        throughput_mib=volume.throughput_mib,
    )
    device = launch.root_device or _root_device(group)
    found = [_mapping(device, root)]
    if group.ami.family.startswith("Bottlerocket") and device != _SYSTEM:
        # Its size is the image's; what is on it is only the operating system.
        system = _volume(type=volume.type, encrypted=volume.encrypted, kms_key_id=launch.kms_key_id)
        found.insert(0, _mapping(_SYSTEM, system))
    return found + [_mapping(one.device, _further(one)) for one in launch.volumes]


def _root_device(group: NodeGroup) -> str:
    if group.ami.family.startswith("Bottlerocket"):
        return _DATA
    return _UBUNTU_SYSTEM if group.ami.family.startswith("Ubuntu") else _SYSTEM


def _further(one: BlockDevice) -> Resource:
    return _volume(
        gib=one.gib,
        type=one.type,
        encrypted=one.encrypted,
        kms_key_id=one.kms_key_id,
        iops=one.iops,
        throughput_mib=one.throughput_mib,
        snapshot_id=one.snapshot_id,
    )


def _mapping(device: str, volume: Resource) -> Resource:
    return {"DeviceName": device, "Ebs": volume}


def _volume(**given: Any) -> Resource:
    """Return an EBS volume; what is empty or unknown is left to EC2."""
    names = {
        "encrypted": "Encrypted",
        "gib": "VolumeSize",
        "iops": "Iops",
        "kms_key_id": "KmsKeyId",
        "snapshot_id": "SnapshotId",
        "throughput_mib": "Throughput",
        "type": "VolumeType",
    }
    known = {names[key]: given[key] for key in names if given.get(key) not in {None, ""}}
    return {"DeleteOnTermination": True, **known}
