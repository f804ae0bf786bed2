"""The image of a managed node group: EKS's name of an AMI type to the parameter that holds the image's id.

Sources: EKS API reference (CreateNodegroup, amiType); EKS user guide (retrieve-ami-id, retrieve-ami-id-bottlerocket).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowtide.local.aws.eks.refusals import invalid_parameter
from lowtide.local.aws.errors import AwsError

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

CUSTOM = "CUSTOM"
DEFAULT = "AL2023_x86_64_STANDARD"
BOTTLEROCKET = "BOTTLEROCKET"
_AL2023 = re.compile(r"AL2023_(x86_64|ARM_64)_(STANDARD|NEURON|NVIDIA)")
_BOTTLEROCKET = re.compile(r"BOTTLEROCKET_(x86_64|ARM_64)(_NVIDIA)?(_FIPS)?")
_ARCH = {"x86_64": "x86_64", "ARM_64": "arm64"}


def image_parameter(ami_type: str, minor: str) -> str:
    """Return the name of the parameter.

    Raises:
        AwsError: InvalidParameterException for AMI types that EKS has no image of, or that the box does not serve (Windows).
    """
    if found := _AL2023.fullmatch(ami_type):
        arch, kind = _ARCH[found[1]], found[2].lower()
        return (
            f"/aws/service/eks/optimized-ami/{minor}/amazon-linux-2023/{arch}/{kind}"
            "/recommended/image_id"
        )
    if found := _BOTTLEROCKET.fullmatch(ami_type):
        variant = f"aws-k8s-{minor}" + "".join(
            part.lower().replace("_", "-") for part in found.groups()[1:] if part
        )
        return f"/aws/service/bottlerocket/{variant}/{_ARCH[found[1]]}/latest/image_id"
    raise invalid_parameter(
        f"Requested amiType {ami_type} is not supported for kubernetes version {minor}"
    )


def image_id(box: Box, region: str, ami_type: str, minor: str) -> str:
    """Return the id of the newest image.

    Raises:
        AwsError: InvalidParameterException where there is none.
    """
    name = image_parameter(ami_type, minor)
    try:
        answer = box.call("ssm", "GetParameter", {"Name": name}, region=region)
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise
        raise invalid_parameter(
            f"Requested amiType {ami_type} is not supported for kubernetes version {minor}"
        ) from error
    found: str = answer["Parameter"]["Value"]
    return found
