"""A volume without a size has the image's; placement groups are named once, found, and deleted."""

from __future__ import annotations

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import Aws


def test_a_root_volume_without_a_size_has_the_images(aws: Aws) -> None:
    image = aws("DescribeImages", ImageIds=[aws.image])["Images"][0]
    root = {"DeviceName": image["RootDeviceName"], "Ebs": {"VolumeType": "gp3", "Encrypted": True}}
    instance = aws.run(BlockDeviceMappings=[root])[0]
    volume = aws.instance(instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    size = aws("DescribeVolumes", VolumeIds=[volume])["Volumes"][0]["Size"]
    assert size == image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"]


def test_a_volume_that_the_image_does_not_have_needs_a_size(aws: Aws) -> None:
    with pytest.raises(AwsError, match="must contain the parameter size or snapshotId"):
        aws.run(BlockDeviceMappings=[{"DeviceName": "/dev/sdz", "Ebs": {"VolumeType": "gp3"}}])


def test_a_placement_group_is_named_once_found_and_deleted(aws: Aws) -> None:
    made = aws("CreatePlacementGroup", GroupName="near", Strategy="cluster")["PlacementGroup"]
    aws("CreatePlacementGroup", GroupName="parts", Strategy="partition", PartitionCount=3)
    aws("CreatePlacementGroup", GroupName="near", region="eu-west-1")
    assert aws("DescribePlacementGroups", GroupNames=["near"])["PlacementGroups"] == [made]
    by_kind = [{"Name": "strategy", "Values": ["partition"]}]
    found = aws("DescribePlacementGroups", Filters=by_kind)["PlacementGroups"]
    assert [(one["GroupName"], one["PartitionCount"]) for one in found] == [("parts", 3)]
    with pytest.raises(AwsError, match="already exists") as twice:
        aws("CreatePlacementGroup", GroupName="near")
    assert twice.value.code == "InvalidPlacementGroup.Duplicate"
    aws("DeletePlacementGroup", GroupName="near")
    for operation, params in (
        ("DeletePlacementGroup", {"GroupName": "near"}),
        ("DescribePlacementGroups", {"GroupNames": ["near"]}),
    ):
        with pytest.raises(AwsError, match="is unknown") as gone:
            aws(operation, **params)
        assert gone.value.code == "InvalidPlacementGroup.Unknown"


def test_the_tags_of_a_placement_group_are_found_among_those_of_all(aws: Aws) -> None:
    said = [{"ResourceType": "placement-group", "Tags": [{"Key": "owner", "Value": "ann"}]}]
    made = aws("CreatePlacementGroup", GroupName="near", TagSpecifications=said)["PlacementGroup"]
    aws("CreatePlacementGroup", GroupName="plain")
    row = {
        "ResourceId": made["GroupId"],
        "ResourceType": "placement-group",
        "Key": "owner",
        "Value": "ann",
    }
    for name, value in (
        ("key", "owner"),
        ("value", "a*"),
        ("resource-id", made["GroupId"]),
        ("resource-type", "placement-group"),
    ):
        assert aws("DescribeTags", Filters=[{"Name": name, "Values": [value]}])["Tags"] == [row]
        assert row not in aws("DescribeTags", Filters=[{"Name": name, "Values": ["no"]}])["Tags"]
    by_tag = [{"Name": "tag-key", "Values": ["owner"]}]
    assert aws("DescribePlacementGroups", Filters=by_tag)["PlacementGroups"] == [made]
