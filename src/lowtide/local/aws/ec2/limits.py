"""What EC2 refuses a launch for: a type that a zone does not have, the account's quotas, capacity that is gone.

Why it exists: Auto Scaling learns of all three in this way alone, by the refusal of a launch, and so does a user. Codes
and words are EC2's (API reference, "Error codes"; the scaling activities quoted in aws/aws-parallelcluster#1115 and
cortexlabs/cortex#1258).
"""

from __future__ import annotations

from lowtide.local.aws import faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.ec2.kinds import refuse_where_not_offered, size_of, zones_of
from lowtide.local.aws.ec2.state import Ec2State
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call
from lowtide.local.aws.servicequotas.quotas import allowed, quota_of


def refuse_launch(
    box: Box, call: Call, instance_type: str, zone: str, *, spot: bool, count: int = 1
) -> None:
    """Raise AwsError where EC2 would not start instances of the type there."""
    refuse_where_not_offered(box, call, instance_type, zone)
    _refuse_without_quota(box, call, instance_type, spot=spot, count=count)
    if faults.SERVICE.name in box.states and faults.capacity_is_gone(box, instance_type, zone):
        raise _no_capacity(box, call, instance_type, zone, spot=spot)


def _refuse_without_quota(
    box: Box, call: Call, instance_type: str, *, spot: bool, count: int
) -> None:
    quota = quota_of(instance_type, spot=spot)
    state: Ec2State = box.state("ec2")
    used = sum(
        one.vcpus
        for one in state.instances.values()
        if one.counts
        and one.region == call.region
        and one.spot == spot
        and quota_of(one.instance_type, spot=spot) is quota
    )
    limit = allowed(box, quota)
    if used + count * size_of(box, call, instance_type)[0] <= limit:
        return
    if spot:
        raise AwsError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    raise AwsError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit:.0f} allows for the instance"
        " bucket that the specified instance type belongs to. Please visit"
        " http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
    )


def _no_capacity(box: Box, call: Call, instance_type: str, zone: str, *, spot: bool) -> AwsError:
    if spot:
        words = "There is no Spot capacity available that matches your request."
    else:
        others = ", ".join(one for one in zones_of(box, call, instance_type) if one != zone)
        words = (
            f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested"
            f" ({zone}). Our system will be working on provisioning additional capacity. You can currently get"
            f" {instance_type} capacity by not specifying an Availability Zone in your request or choosing {others}."
        )
    return AwsError("InsufficientInstanceCapacity", words, status=500)
