"""StopInstances and StartInstances, with the phases between, and the refusals, that moto does not have.

Why it exists: a stopped instance counts against no quota, and a group takes it for ill: moto knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import beneath
from lowtide.local.aws.ec2.instances import BOOT_S, known, tell_group
from lowtide.local.aws.ec2.limits import refuse_launch
from lowtide.local.aws.ec2.state import CODES, PENDING, RUNNING, STOPPED, STOPPING, Record
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

_STOPPED = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")


def stop(box: Box, call: Call) -> Mapping[str, Any]:
    """StopInstances."""
    records = {one: known(box, call, one) for one in call.params["InstanceIds"]}
    for instance_id, record in records.items():
        _refuse_stop(instance_id, record)
    changes = []
    for instance_id, record in records.items():
        before = record.phase
        if before not in {STOPPING, STOPPED}:
            record.phase = STOPPING
            record.reason, record.words = _STOPPED
            after = box.settings.delays.terminate_s
            box.after(after, "ec2", "stopped", instance_id=instance_id)
            tell_group(box, record.region, instance_id)
        changes.append(_change(instance_id, before, record.phase))
    _beneath_known(box, call, records)
    return {"StoppingInstances": changes}


def start(box: Box, call: Call) -> Mapping[str, Any]:
    """StartInstances: capacity and quota are asked again."""
    records = {one: known(box, call, one) for one in call.params["InstanceIds"]}
    for instance_id, record in records.items():
        if record.phase not in {STOPPED, PENDING, RUNNING}:
            raise _wrong_phase(instance_id, "started")
        if record.phase == STOPPED:
            refuse_launch(box, call, record.instance_type, record.zone, spot=record.spot)
    changes = []
    for instance_id, record in records.items():
        before = record.phase
        if before == STOPPED:
            record.phase, record.reason, record.words = PENDING, "", ""
            box.after(BOOT_S, "ec2", "running", instance_id=instance_id)
        changes.append(_change(instance_id, before, record.phase))
    _beneath_known(box, call, records)
    return {"StartingInstances": changes}


def on_stopped(box: Box, *, instance_id: str) -> None:
    """Timer: the instance has stopped."""
    record: Record = box.state("ec2").instances[instance_id]
    if record.phase == STOPPING:
        record.phase = STOPPED


def _refuse_stop(instance_id: str, record: Record) -> None:
    if record.is_ending or record.phase == PENDING:
        raise _wrong_phase(instance_id, "stopped")
    if record.spot:
        raise AwsError(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance_id}' because it is associated with a one-time Spot Instance"
            " request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )


def _wrong_phase(instance_id: str, done: str) -> AwsError:
    return AwsError(
        "IncorrectInstanceState",
        f"The instance '{instance_id}' is not in a state from which it can be {done}.",
    )


def _change(instance_id: str, before: str, now: str) -> dict[str, Any]:
    return {
        "InstanceId": instance_id,
        "CurrentState": {"Code": CODES[now], "Name": now},
        "PreviousState": {"Code": CODES[before], "Name": before},
    }


def _beneath_known(box: Box, call: Call, records: Mapping[str, Record]) -> None:
    beneath(box, call, params={"InstanceIds": list(records)})
