"""Instances: started and ended in moto, with the phases and the refusals that moto does not have.

Why it exists: RunInstances may be refused for capacity or quota; an instance is pending, shutting down and terminated
for a while each; and what a template says of network interfaces' tags must arrive. moto keeps all the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import asked, beneath, is_match
from lowtide.local.aws.ec2.kinds import size_of
from lowtide.local.aws.ec2.launch_request import finish_launch, own_interfaces, read_launch
from lowtide.local.aws.ec2.limits import refuse_launch
from lowtide.local.aws.ec2.state import (
    CODES,
    GONE,
    PENDING,
    RUNNING,
    SHUTTING_DOWN,
    TERMINATED,
    Ec2State,
    Record,
)
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

#: From the request to running.
BOOT_S = 5.0
#: Terminated instances stay listed for about an hour (EC2 user guide, "Terminate your instance").
_LISTED_S = 3600.0
_ID = re.compile(r"i-[0-9a-f]{8}(?:[0-9a-f]{9})?")
_OURS = ("instance-state-name", "instance-state-code", "instance-lifecycle")
_ENDED = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
_RECLAIMED = ("Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Instance terminated due to spot")  # fmt: skip


def run(box: Box, call: Call) -> Mapping[str, Any]:
    """RunInstances."""
    asked_for = read_launch(box, call)
    kind, spot = asked_for.instance_type, asked_for.spot
    refuse_launch(box, call, kind, asked_for.zone, spot=spot, count=asked_for.count)
    answer = beneath(box, call, params=asked_for.params)
    state: Ec2State = box.state("ec2")
    vcpus, is_arm = size_of(box, call, kind)
    for one in answer["Instances"]:
        placed = str(one["Placement"]["AvailabilityZone"])
        state.instances[one["InstanceId"]] = Record(
            region=call.region,
            instance_type=kind,
            zone=placed,
            spot=spot,
            vcpus=vcpus,
            is_arm=is_arm,
            interfaces=own_interfaces(asked_for.params, one),
        )
        finish_launch(box, call, asked_for.params, one)
        box.after(BOOT_S, "ec2", "running", instance_id=one["InstanceId"])
    return {**answer, "Instances": [_shown(state, one) for one in answer["Instances"]]}


def terminate(box: Box, call: Call) -> Mapping[str, Any]:
    """TerminateInstances. The instances shut down first; their disks and addresses go when they have ended."""
    state: Ec2State = box.state("ec2")
    changes = []
    for instance_id in call.params["InstanceIds"]:
        known(box, call, instance_id)
        _refuse_protected(box, call, instance_id)
    for instance_id in call.params["InstanceIds"]:
        before = state.instances[instance_id].phase
        shut_down(box, instance_id, reason=_ENDED)
        now = state.instances[instance_id].phase
        changes.append(
            {
                "InstanceId": instance_id,
                "CurrentState": {"Code": CODES[now], "Name": now},
                "PreviousState": {"Code": CODES[before], "Name": before},
            }
        )
    return {"TerminatingInstances": changes}


def reclaim(box: Box, instance_id: str) -> None:
    """Let spot take an instance."""
    shut_down(box, instance_id, reason=_RECLAIMED)


def shut_down(box: Box, instance_id: str, *, reason: tuple[str, str]) -> None:
    """Let an instance shut down; one that does already goes on."""
    record: Record = box.state("ec2").instances[instance_id]
    if record.is_ending:
        return
    record.phase = SHUTTING_DOWN
    record.reason, record.words = reason
    box.after(box.settings.delays.terminate_s, "ec2", "terminated", instance_id=instance_id)
    tell_group(box, record.region, instance_id)


def tell_group(box: Box, region: str, instance_id: str) -> None:
    """Let a group notice by its health checks that an instance runs no more; what it ended itself it knows already."""
    if "autoscaling" in box.services:
        box.after(0, "autoscaling", "instance_ended", region=region, instance_id=instance_id)


def known(box: Box, call: Call, instance_id: str) -> Record:
    """Return what is known of an instance of the call's region.

    Raises:
        AwsError: the id is none, or nothing has it.
    """
    if not _ID.fullmatch(instance_id):
        raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
    found: Record | None = box.state("ec2").instances.get(instance_id)
    if found is None or found.region != call.region or found.phase == GONE:
        raise _unknown(instance_id)
    return found


def describe(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeInstances, with the phases of this box."""
    given = list(call.params.get("Filters", []))
    params = {**call.params, "Filters": [one for one in given if one["Name"] not in _OURS]}
    state: Ec2State = box.state("ec2")
    for instance_id in call.params.get("InstanceIds", []):
        known(box, call, instance_id)
    answer = beneath(box, call, params={key: value for key, value in params.items() if value})
    answer["Reservations"] = [
        {**reservation, "Instances": shown}
        for reservation in answer.get("Reservations", [])
        if (shown := list(_listed(state, reservation["Instances"], given)))
    ]
    return answer


def status(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeInstanceStatus: by default running instances alone."""
    answer = beneath(box, call)
    state: Ec2State = box.state("ec2")
    shown = []
    for one in answer.get("InstanceStatuses", []):
        record = state.instances.get(one["InstanceId"])
        phase = record.phase if record else one["InstanceState"]["Name"]
        if phase == GONE or (phase != RUNNING and not call.params.get("IncludeAllInstances")):
            continue
        shown.append({**one, "InstanceState": {"Code": CODES[phase], "Name": phase}})
    return {**answer, "InstanceStatuses": shown}


def on_running(box: Box, *, instance_id: str) -> None:
    """Timer: the instance has booted."""
    record: Record = box.state("ec2").instances[instance_id]
    if record.phase == PENDING:
        record.phase = RUNNING


def on_terminated(box: Box, *, instance_id: str) -> None:
    """Timer: the instance has shut down; disks and interfaces that go with it are gone."""
    record: Record = box.state("ec2").instances[instance_id]
    record.phase = TERMINATED
    box.after(_LISTED_S, "ec2", "gone", instance_id=instance_id)
    call = Call(
        service="ec2",
        operation="TerminateInstances",
        params={"InstanceIds": [instance_id]},
        region=record.region,
        caller=box.itself,
    )
    beneath(box, call)
    for interface in record.interfaces:
        params = {"NetworkInterfaceId": interface}
        with suppress(AwsError):  # moto took it along
            beneath(box, call, operation="DeleteNetworkInterface", params=params)


def on_gone(box: Box, *, instance_id: str) -> None:
    """Timer: the instance is no longer listed."""
    box.state("ec2").instances[instance_id].phase = GONE


def _listed(
    state: Ec2State, instances: list[dict[str, Any]], filters: list[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    for one in instances:
        record = state.instances.get(one["InstanceId"])
        if record is not None and record.phase == GONE:
            continue
        shown = _shown(state, one)
        values = (
            shown["State"]["Name"],
            str(shown["State"]["Code"]),
            str(shown.get("InstanceLifecycle", "")),
        )
        if all(is_match(value, asked(filters, name)) for name, value in zip(_OURS, values, strict=True)):  # fmt: skip
            yield shown


def _shown(state: Ec2State, one: Mapping[str, Any]) -> dict[str, Any]:
    """Return moto's view of an instance with what it leaves out or gets wrong."""
    shown = {**one, "VirtualizationType": "hvm", "EnaSupport": True}
    devices = one.get("BlockDeviceMappings", [])
    if devices:
        shown["RootDeviceName"] = devices[0]["DeviceName"]
    interfaces = one.get("NetworkInterfaces", [])
    if interfaces and not one.get("SecurityGroups"):
        shown["SecurityGroups"] = interfaces[0].get("Groups", [])
    record = state.instances.get(one["InstanceId"])
    if record is None:
        return shown
    threads = 1 if record.is_arm or record.vcpus % 2 else 2
    shown["CpuOptions"] = {"CoreCount": record.vcpus // threads, "ThreadsPerCore": threads}
    if record.is_arm:
        shown["Architecture"] = "arm64"
    if record.spot:
        shown["SpotInstanceRequestId"] = f"sir-{one['InstanceId'][2:10]}"
    shown["State"] = {"Code": CODES[record.phase], "Name": record.phase}
    if record.reason:
        shown["StateReason"] = {"Code": record.reason, "Message": record.words}
    else:
        shown.pop("StateReason", None)
    return shown


def _refuse_protected(box: Box, call: Call, instance_id: str) -> None:
    question = {"InstanceId": instance_id, "Attribute": "disableApiTermination"}
    answer = beneath(box, call, operation="DescribeInstanceAttribute", params=question)
    if answer.get("DisableApiTermination", {}).get("Value"):
        raise AwsError(
            "OperationNotPermitted",
            f"The instance '{instance_id}' may not be terminated. Modify its 'disableApiTermination' instance"
            " attribute and try again.",
        )


def _unknown(instance_id: str) -> AwsError:
    return AwsError("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
