"""The newest node image of a source: an SSM parameter of AWS, or a search by name.

Why it exists: ``up`` writes image ids into stacks, so somebody has to look them up; CloudFormation would do so again at each update.
"""

from __future__ import annotations

from collections.abc import Iterable

from lowtide.aws.live.account import Account
from lowtide.aws.live.session import ask
from lowtide.model.catalog import Ami
from lowtide.model.errors import AwsError
from lowtide.resolve.pins import Pin

#: GetParameters takes at most ten names (Systems Manager API reference).
_AT_ONCE = 10


def current_images(account: Account, images: Iterable[Ami]) -> dict[Ami, Pin]:
    """Return the image that each source gives now.

    Raises:
        AwsError: AWS refused, or publishes no such image in this region.
    """
    wanted = tuple(dict.fromkeys(images))
    parameters = _parameters(account, [one.ssm_parameter for one in wanted if one.ssm_parameter])
    return {one: _pin(account, one, parameters) for one in wanted}


def source(image: Ami) -> str:
    """Return the words that tell one source of images from another."""
    return image.image_id or image.ssm_parameter or f"{image.owner}/{image.name_pattern}"


def _pin(account: Account, image: Ami, parameters: dict[str, str]) -> Pin:
    if image.image_id:
        return Pin(image_id=image.image_id, source=source(image))
    found = parameters.get(image.ssm_parameter) if image.ssm_parameter else _search(account, image)
    if not found:
        raise AwsError(
            "AWS has no such node image",
            where=source(image),
            why=f"nothing of that name is published in {account.region}",
            fix="set metadata.version, amiFamily or ami in the cluster file to what the region has",
        )
    return Pin(image_id=found, source=source(image))


def _parameters(account: Account, names: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(names), _AT_ONCE):
        batch = names[start : start + _AT_ONCE]
        answer = ask(account.client("ssm").get_parameters, Names=batch)
        found |= {one["Name"]: one["Value"] for one in answer["Parameters"]}
    return found


def _search(account: Account, image: Ami) -> str:
    answer = ask(
        account.client("ec2").describe_images,
        Owners=[image.owner],
        Filters=[
            {"Name": "name", "Values": [image.name_pattern]},
            {"Name": "state", "Values": ["available"]},
        ],
    )
    newest = max(answer["Images"], key=lambda one: one["CreationDate"], default=None)
    return "" if newest is None else str(newest["ImageId"])
