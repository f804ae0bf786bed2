"""The tagging API finds what carries a tag, whichever service keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.moto_behind import MotoBehind
from lowtide.local.aws.resourcegroupstaggingapi import SERVICE
from lowtide.local.aws.service import Service
from lowtide.local.aws.settings import Settings
from lowtide.local.aws.tokens import token_of

EKS = {
    "ListClusters": {"clusters": ["blue"]},
    "DescribeCluster": {
        "cluster": {"arn": "arn:aws:eks:us-east-1:1:cluster/blue", "tags": {"team": "ml"}}
    },
    "ListNodegroups": {"nodegroups": ["gpu"]},
    "DescribeNodegroup": {
        "nodegroup": {"nodegroupArn": "arn:aws:eks:us-east-1:1:nodegroup/blue/gpu/x", "tags": {}}
    },
    "ListAddons": {"addons": []},
}


@pytest.fixture
def box(tmp_path: Path) -> Box:
    eks = {name: (lambda _box, _call, answer=answer: answer) for name, answer in EKS.items()}
    stacks = [
        {"StackId": "arn:aws:cloudformation:us-east-1:1:stack/a/1", "StackStatus": "CREATE_COMPLETE", "Tags": [{"Key": "team", "Value": "ml"}]},
        {"StackId": "arn:aws:cloudformation:us-east-1:1:stack/b/2", "StackStatus": "DELETE_COMPLETE", "Tags": [{"Key": "team", "Value": "ml"}]},
    ]  # fmt: skip
    services = [
        SERVICE,
        Service(name="eks", operations=eks),
        Service(
            name="cloudformation", operations={"DescribeStacks": lambda _b, _c: {"Stacks": stacks}}
        ),
    ]
    made = Box(Settings(folder=tmp_path), services, behind=MotoBehind("123456789012"))
    tags = [{"Key": "team", "Value": "ml"}, {"Key": "n", "Value": "1"}]
    vpc = made.call("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"})["Vpc"]["VpcId"]
    made.call("ec2", "CreateTags", {"Resources": [vpc], "Tags": tags})
    made.call("sqs", "CreateQueue", {"QueueName": "q", "tags": {"team": "web"}})
    return made


def _arns(box: Box, **params: object) -> list[str]:
    answer = box.call("resourcegroupstaggingapi", "GetResources", params)
    return [one["ResourceARN"].split(":")[2] for one in answer["ResourceTagMappingList"]]


def test_all_services_are_asked_and_deleted_stacks_left_out(box: Box) -> None:
    assert _arns(box) == ["cloudformation", "ec2", "eks", "sqs"]
    assert _arns(box, TagFilters=[{"Key": "team", "Values": ["ml"]}]) == [
        "cloudformation",
        "ec2",
        "eks",
    ]
    assert _arns(box, TagFilters=[{"Key": "team"}, {"Key": "n", "Values": ["1"]}]) == ["ec2"]
    assert _arns(box, ResourceTypeFilters=["ec2:vpc", "sqs"]) == ["ec2", "sqs"]
    assert _arns(box, ResourceTypeFilters=["ec2:subnet"]) == []


def test_pages_and_their_tokens(box: Box) -> None:
    first = box.call("resourcegroupstaggingapi", "GetResources", {"ResourcesPerPage": 3})
    assert len(first["ResourceTagMappingList"]) == 3
    assert _arns(box, ResourcesPerPage=3, PaginationToken=first["PaginationToken"]) == ["sqs"]
    for token in ("99", token_of(99), "\N{SUPERSCRIPT TWO}"):
        with pytest.raises(AwsError, match="PaginationTokenExpired"):
            _arns(box, PaginationToken=token)


@pytest.mark.parametrize(
    "params", [{"TagFilters": [{"Values": ["ml"]}]}, {"ResourcesPerPage": -1}, {"ResourcesPerPage": 101}]
)  # fmt: skip
def test_a_filter_without_a_key_and_a_page_of_no_size_are_refused(
    box: Box, params: dict[str, object]
) -> None:
    with pytest.raises(AwsError) as refused:
        _arns(box, **params)
    assert refused.value.code == "InvalidParameterException"


def test_keys_and_values_in_use(box: Box) -> None:
    assert box.call("resourcegroupstaggingapi", "GetTagKeys")["TagKeys"] == ["n", "team"]
    values = box.call("resourcegroupstaggingapi", "GetTagValues", {"Key": "team"})["TagValues"]
    assert values == ["ml", "web"]
