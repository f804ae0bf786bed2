"""Faults on demand: what goes wrong in the box, for whom, and how often.

Why it exists: throttling, missing rights, vanished capacity and broken connections are what a cluster meets on AWS.
Here they come when asked, and exactly as often as asked: nothing is left to chance.

Calls are refused by ``refuse``, which the box asks before every call. The rest is read where it matters:
``capacity_is_gone`` by whoever launches instances, ``quota`` by service quotas, ``failing_resource`` by
CloudFormation, ``at_the_door`` by the front.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.models import old_protocol_of
from lowtide.local.aws.service import Call, Service

#: kind -> what it does and which fields it needs.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "throttling": ("refuses calls as AWS does when there are too many", ()),
    "access-denied": ("refuses calls for want of rights", ()),
    "error": ("refuses calls with an error code", ("code",)),
    "capacity": ("leaves no capacity of a type, in a zone or in all", ("instance_type",)),
    "quota": ("sets a service quota's value", ("code", "value")),
    "slow": ("answers calls after some seconds", ("seconds",)),
    "fail-resource": ("lets a CloudFormation resource fail, by type or logical id", ("resource",)),
    "slow-resource": (
        "lets a CloudFormation resource take longer, by type or logical id",
        ("resource", "seconds"),
    ),
    "expired-token": ("treats session and key as expired", ()),
    "drop-connection": ("closes the connection without an answer", ()),
    "clock-skew": ("moves the box's clock against the client's", ("seconds",)),
}
#: The longest that a call is held back.
LONGEST_DELAY_S = 600.0
#: An error's code is written into a header, too.
_CODE = re.compile("[A-Za-z0-9._:-]{0,128}")
#: The furthest that a clock is moved: there are no dates before the first year.
LONGEST_SKEW_S = 365 * 86_400.0
#: The largest number that a field may hold; a quota or a time beyond it means nothing.
_LARGEST = 1e12
#: The prefix of an IAM action, where it is not botocore's name of the service.
_ACTION_PREFIX = {
    "elbv2": "elasticloadbalancing",
    "elb": "elasticloadbalancing",
    "service-quotas": "servicequotas",
    "resourcegroupstaggingapi": "tag",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. Empty fields match everything; ``times`` is how often it still happens, None without end."""

    id: str
    kind: str
    service: str = ""
    operation: str = ""
    times: int | None = None
    code: str = ""
    message: str = ""
    instance_type: str = ""
    zone: str = ""
    resource: str = ""
    seconds: float | None = None
    value: float | None = None

    def document(self) -> dict[str, Any]:
        """Return it as the admin door writes it, without the fields that were not given; a quota of 0 is one."""
        return {
            name: value
            for name, value in dataclasses.asdict(self).items()
            if value is not None and value != ""
        }


@dataclass(slots=True)
class Faults:
    """The state: the faults in force, oldest first."""

    inforce: dict[str, Fault] = field(default_factory=dict)
    made: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTheDoor:
    """What the front does to a request."""

    delay_s: float = 0.0
    is_dropped: bool = False
    is_token_expired: bool = False
    skew_s: float = 0.0


SERVICE = Service(name="faults", operations={}, state=Faults)

_FIELDS: dict[str, type] = {
    "service": str, "operation": str, "times": int, "code": str, "message": str, "instance_type": str, "zone": str,
    "resource": str, "seconds": float, "value": float,
}  # fmt: skip


def add(box: Box, document: Mapping[str, Any]) -> Fault:
    """Put a fault in force.

    Raises:
        ValueError: the document is no fault; the message says why.
    """
    checked = _checked(document)
    with box.lock:
        state: Faults = box.state(SERVICE.name)
        state.made += 1
        fault = Fault(id=f"f-{state.made}", **checked)
        state.inforce[fault.id] = fault
        box.note_change()
    return fault


def remove(box: Box, fault_id: str = "") -> list[Fault]:
    """End a fault, or all faults, and return those that ended."""
    with box.lock:
        inforce = box.state(SERVICE.name).inforce
        gone = [inforce.pop(one) for one in list(inforce) if fault_id in ("", one)]
        box.note_change()
    return gone


def listed(box: Box) -> list[Fault]:
    """Return the faults in force."""
    with box.lock:
        return list(box.state(SERVICE.name).inforce.values())


def refuse(box: Box, call: Call) -> None:
    """Raise what a fault in force makes of a call. The box asks it before every call."""
    for fault in _matching(box, call.service, call.operation, ("error", "access-denied")):
        _use(box, fault)
        raise AwsError(fault.code, fault.message or fault.code) if fault.code else _denied(call)
    if call.caller.access_key_id:  # calls between services are not counted against a client's rate
        for fault in _matching(box, call.service, call.operation, ("throttling",)):
            _use(box, fault)
            raise _throttled(call.service)


def at_the_door(box: Box, service: str, operation: str) -> AtTheDoor:
    """Return what happens to a request before and after it is answered."""
    with box.lock:
        found: dict[str, Fault] = {}
        kinds = ("slow", "drop-connection", "expired-token", "clock-skew")
        for fault in _matching(box, service, operation, kinds):
            if fault.kind not in found:
                found[fault.kind] = fault
                _use(box, fault)
    return AtTheDoor(
        delay_s=(found["slow"].seconds or 0.0) if "slow" in found else 0.0,
        is_dropped="drop-connection" in found,
        is_token_expired="expired-token" in found,
        skew_s=(found["clock-skew"].seconds or 0.0) if "clock-skew" in found else 0.0,
    )


def capacity_is_gone(box: Box, instance_type: str, zone: str) -> bool:
    """Return whether EC2 has no capacity for the type in the zone; asking counts as one time."""
    with box.lock:
        for fault in _of_kind(box, ("capacity",)):
            if fault.instance_type in (instance_type, "*") and fault.zone in ("", zone):
                _use(box, fault)
                return True
    return False


def quota(box: Box, code: str) -> float | None:
    """Return the value that a service quota has been set to, by its code (``L-3819A6DF``), or None."""
    with box.lock:
        found = [fault.value for fault in _of_kind(box, ("quota",)) if fault.code == code]
    return found[-1] if found else None


def failing_resource(box: Box, resource_type: str, logical_id: str) -> str | None:
    """Return why a CloudFormation resource fails, or None; asking counts as one time."""
    with box.lock:
        for fault in _of_kind(box, ("fail-resource",)):
            if fault.resource in (resource_type, logical_id):
                _use(box, fault)
                return (
                    fault.message
                    or 'Resource handler returned message: "Internal Failure" (HandlerErrorCode: GeneralServiceException)'
                )
    return None


def delay_of_resource(box: Box, resource_type: str, logical_id: str) -> float:
    """Return by how many seconds of AWS's time a CloudFormation resource is late; asking counts as one time."""
    with box.lock:
        for fault in _of_kind(box, ("slow-resource",)):
            if fault.resource in (resource_type, logical_id):
                _use(box, fault)
                return fault.seconds or 0.0
    return 0.0


def _checked(document: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise ValueError("a fault is a JSON object")  # noqa: TRY004 - one kind of error for the caller
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    checked: dict[str, Any] = {"kind": kind}
    for name, value in document.items():
        if name == "kind":
            continue
        wanted = _FIELDS.get(name)
        if wanted is None:
            raise ValueError(f"{name!r} is no field of a fault; those are {', '.join(_FIELDS)}")
        if not (isinstance(value, str) if wanted is str else _is_number(value)):
            raise ValueError(f"{name} must be {'text' if wanted is str else 'a number'}")
        checked[name] = wanted(value)
    for name in KINDS[kind][1]:
        if checked.get(name) in (None, ""):
            raise ValueError(f"a fault of kind {kind} needs {name}")
    if checked.get("times") is not None and checked["times"] < 1:
        raise ValueError("times must be 1 or more")
    if checked.get("value", 0.0) < 0:
        raise ValueError("value must be 0 or more")
    if kind == "slow-resource" and checked["seconds"] <= 0:
        raise ValueError("seconds must be above 0")
    if not _CODE.fullmatch(checked.get("code", "")):
        raise ValueError("code must be letters, digits, dots and dashes, as AWS's codes are")
    if kind == "clock-skew" and abs(checked["seconds"]) > LONGEST_SKEW_S:
        raise ValueError(f"seconds must be at most {LONGEST_SKEW_S:.0f}, a year, to either side")
    if kind == "slow" and not 0 < checked["seconds"] <= LONGEST_DELAY_S:
        raise ValueError(f"seconds must be above 0 and at most {LONGEST_DELAY_S:g}")
    return checked


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LARGEST  # so that it is neither NaN nor infinite


def _of_kind(box: Box, kinds: tuple[str, ...]) -> Iterator[Fault]:
    return (one for one in listed(box) if one.kind in kinds)


def _matching(box: Box, service: str, operation: str, kinds: tuple[str, ...]) -> Iterator[Fault]:
    for fault in _of_kind(box, kinds):
        if fault.service in ("", service) and fault.operation in ("", operation):
            yield fault


def _use(box: Box, fault: Fault) -> None:
    if fault.times is None:
        return
    inforce = box.state(SERVICE.name).inforce
    if fault.times == 1:
        inforce.pop(fault.id, None)
    else:
        inforce[fault.id] = dataclasses.replace(fault, times=fault.times - 1)
    box.note_change()


def _throttled(service: str) -> AwsError:
    protocol = old_protocol_of(service)
    if protocol == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.", status=503)
    if protocol == "query":
        return AwsError("Throttling", "Rate exceeded")
    status = 429 if protocol == "rest-json" else 400
    return AwsError("ThrottlingException", "Rate exceeded", status=status)


def _denied(call: Call) -> AwsError:
    protocol = old_protocol_of(call.service)
    action = f"{_ACTION_PREFIX.get(call.service, call.service)}:{call.operation}"
    words = (
        f"User: {call.caller.arn} is not authorized to perform: {action} on resource: * "
        f"because no identity-based policy allows the {action} action"
    )
    if protocol == "ec2":
        words = f"You are not authorized to perform this operation. {words}"
        return AwsError("UnauthorizedOperation", words, status=403)
    if protocol == "query":
        return AwsError("AccessDenied", words, status=403)
    status = 403 if protocol == "rest-json" else 400
    return AwsError("AccessDeniedException", words, status=status)
