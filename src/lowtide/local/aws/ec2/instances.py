"""Instances: started and ended in moto, with the phases and the refusals that moto does not have.

Why it exists: RunInstances may be refused for capacity or quota; an instance is pending, shutting down and terminated
for a while each; and what a template says of network interfaces' tags must arrive. moto keeps all the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.beneath import asked, beneath, is_match
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
from lowtide.local.aws.ec2.templates import launch_data
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call

#: From the request to running.
_BOOT_S = 5.0
#: Terminated instances stay listed for about an hour (EC2 user guide, "Terminate your instance").
_LISTED_S = 3600.0
_OURS = ("instance-state-name", "instance-state-code", "instance-lifecycle")
_ENDED = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")
_RECLAIMED = ("Server.SpotInstanceTermination", "Server.SpotInstanceTermination: Instance terminated due to spot")  # fmt: skip


def run(box: Box, call: Call) -> Mapping[str, Any]:
    """RunInstances. The launch template's data is laid out first: moto forgets most of it at a launch."""
    params = _laid_out(box, call)
    kind = str(params.get("InstanceType", "m1.small"))
    spot = params.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
    zone = _zone(box, call, params)
    count = int(params.get("MaxCount", 1))
    refuse_launch(box, call.region, kind, zone, spot=spot, count=count)
    answer = beneath(box, call, params={**params, "MinCount": count})
    state: Ec2State = box.state("ec2")
    for one in answer["Instances"]:
        placed = str(one["Placement"]["AvailabilityZone"])
        record = Record(region=call.region, instance_type=kind, zone=placed, spot=spot)
        state.instances[one["InstanceId"]] = record
        _tag_interfaces(box, call, params, one)
        box.after(_BOOT_S, "ec2", "running", instance_id=one["InstanceId"])
    return {**answer, "Instances": [_shown(state, one) for one in answer["Instances"]]}


def terminate(box: Box, call: Call) -> Mapping[str, Any]:
    """TerminateInstances. The instances shut down first; their disks and addresses go when they have ended."""
    state: Ec2State = box.state("ec2")
    changes = []
    for instance_id in call.params["InstanceIds"]:
        record = state.instances.get(instance_id)
        if record is None or record.region != call.region or record.phase == GONE:
            raise _unknown(instance_id)
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
    if not record.counts:
        return
    record.phase = SHUTTING_DOWN
    record.reason, record.words = reason
    box.after(box.settings.delays.terminate_s, "ec2", "terminated", instance_id=instance_id)
    if "autoscaling" in box.services:
        # A group notices by its health checks; what it ended itself it knows already.
        box.after(0, "autoscaling", "instance_ended", region=record.region, instance_id=instance_id)


def describe(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribeInstances, with the phases of this box."""
    given = list(call.params.get("Filters", []))
    params = {**call.params, "Filters": [one for one in given if one["Name"] not in _OURS]}
    state: Ec2State = box.state("ec2")
    for instance_id in call.params.get("InstanceIds", []):
        record = state.instances.get(instance_id)
        if record is not None and record.phase == GONE:
            raise _unknown(instance_id)
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
    if record.spot:
        shown["SpotInstanceRequestId"] = f"sir-{one['InstanceId'][2:10]}"
    shown["State"] = {"Code": CODES[record.phase], "Name": record.phase}
    if record.reason:
        shown["StateReason"] = {"Code": record.reason, "Message": record.words}
    else:
        shown.pop("StateReason", None)
    return shown


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


def _zone(box: Box, call: Call, params: Mapping[str, Any]) -> str:
    interfaces = params.get("NetworkInterfaces") or [{}]
    subnet = params.get("SubnetId") or interfaces[0].get("SubnetId")
    if subnet:
        found = beneath(box, call, operation="DescribeSubnets", params={"SubnetIds": [subnet]})
        return str(found["Subnets"][0]["AvailabilityZone"])
    return str(params.get("Placement", {}).get("AvailabilityZone") or f"{call.region}a")


def _tag_interfaces(
    box: Box, call: Call, params: Mapping[str, Any], instance: Mapping[str, Any]
) -> None:
    """Tag network interfaces at the launch, which moto does for instances and volumes alone."""
    tags = [
        tag
        for one in params.get("TagSpecifications", [])
        if one["ResourceType"] == "network-interface"
        for tag in one["Tags"]
    ]
    ids = [one["NetworkInterfaceId"] for one in instance.get("NetworkInterfaces", [])]
    if tags and ids:
        beneath(box, call, operation="CreateTags", params={"Resources": ids, "Tags": tags})


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
