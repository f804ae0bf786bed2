"""The newest images, as the box publishes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("boto3")

from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import Tokens, find_cluster
from lowtide.aws.live.images import current_images
from lowtide.model.catalog import Ami
from lowtide.model.errors import AwsError

PATH = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/nvidia/recommended/image_id"
GPU = Ami(
    resolver="auto-ssm", family="AmazonLinux2023", kind="nvidia", arch="amd64", ssm_parameter=PATH
)


def test_a_parameter_and_a_given_image_are_looked_up_and_said_with_their_source(
    account: Account,
) -> None:
    given = replace(GPU, ssm_parameter="", image_id="ami-0123")
    found = current_images(account, [GPU, GPU, given])
    assert found[GPU].image_id.startswith("ami-")
    assert found[GPU].source == PATH
    assert (found[given].image_id, found[given].source) == ("ami-0123", "ami-0123")


@pytest.mark.parametrize(
    "image",
    [
        replace(GPU, ssm_parameter="/aws/service/eks/optimized-ami/9.9/none"),
        replace(GPU, ssm_parameter="", owner="602401143452", name_pattern="no-such-image-*"),
    ],
)
def test_an_image_that_nobody_publishes_is_named(account: Account, image: Ami) -> None:
    with pytest.raises(AwsError) as raised:
        current_images(account, [image])
    assert "nothing of that name is published in us-east-1" in raised.value.why


def test_a_token_names_its_cluster_in_a_signed_header(account: Account) -> None:
    from base64 import urlsafe_b64decode

    token = Tokens(account, "tide").new()
    prefix, body = token.split(".", 1)
    url = urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
    assert prefix == "k8s-aws-v1"
    assert "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id" in url
    assert "Action=GetCallerIdentity" in url
    assert "=" not in token[-2:]


def test_a_cluster_that_is_not_there_is_none(account: Account) -> None:
    assert find_cluster(account, "nobody") is None
