"""What EC2 offers where: zones, the types that each sells, and how likely spot is.

Why it exists: a node group in a zone that lacks its type stays empty for ever, and Auto Scaling says so only in its activities.
"""

from __future__ import annotations

from collections.abc import Sequence

from lowtide.aws.live.account import Account
from lowtide.aws.live.paging import pages
from lowtide.aws.live.session import ask


def usable_zones(account: Account) -> dict[str, str]:
    """Return the zones that the account may use with their ids; local zones are not meant.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    answer = ask(account.client("ec2").describe_availability_zones)
    return {
        one["ZoneName"]: one["ZoneId"]
        for one in answer["AvailabilityZones"]
        if one.get("ZoneType", "availability-zone") == "availability-zone"
        and one.get("OptInStatus") != "not-opted-in"
    }


def offered_types(account: Account, types: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the zones that sell each type, none for a type that the region lacks.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    found: dict[str, list[str]] = {name: [] for name in types}
    wanted = {"Name": "instance-type", "Values": list(types)}
    for page in pages(
        account.client("ec2").describe_instance_type_offerings,
        LocationType="availability-zone",
        Filters=[wanted],
    ):
        for one in page["InstanceTypeOfferings"]:
            found[one["InstanceType"]].append(one["Location"])
    return {name: tuple(sorted(zones)) for name, zones in found.items()}


def placement_scores(account: Account, types: Sequence[str], nodes: int) -> dict[str, int]:
    """Return the spot placement score (1 to 10) of each zone of the region, by the zone's id.

    AWS limits how many different questions an account may ask a day (EC2 user guide, "Spot placement score"), so keep the answer.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    answer = ask(
        account.client("ec2").get_spot_placement_scores,
        InstanceTypes=list(types),
        TargetCapacity=nodes,
        TargetCapacityUnitType="units",
        SingleAvailabilityZone=True,
        RegionNames=[account.region],
    )
    return {row["AvailabilityZoneId"]: int(row["Score"]) for row in answer["SpotPlacementScores"]}
