"""What moto lacks or gets wrong of IAM: policy simulation, the box's own user, the second service-linked role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws import credentials
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.iam.simulation import simulate_custom_policy, simulate_principal_policy
from lowtide.local.aws.service import Call, Service

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box


def create_service_linked_role(box: Box, call: Call) -> Mapping[str, Any]:
    """CreateServiceLinkedRole; a second one is refused in the words of IAM, which moto does not know."""
    assert box.behind is not None
    if not str(call.params["AWSServiceName"]).endswith(".amazonaws.com"):
        raise AwsError("InvalidInput", "Service-Linked Role AWS Service Name is invalid.")
    try:
        return box.behind.call(call)
    except AwsError as error:
        if error.code != "EntityAlreadyExists":
            raise
        role = error.message.partition("Role with name ")[2].partition(" ")[0]
        raise AwsError(
            "InvalidInput",
            f"Service role name {role} has been taken in this account, please try a different suffix.",
        ) from error


def get_user(box: Box, call: Call) -> Mapping[str, Any]:
    """GetUser; the box's first key belongs to a user that moto does not have."""
    own = credentials.admin(box).caller
    asked = call.params.get("UserName")
    if asked == credentials.ADMIN or (asked is None and call.caller.arn == own.arn):
        return {
            "User": {
                "Path": "/",
                "UserName": credentials.ADMIN,
                "UserId": own.user_id,
                "Arn": own.arn,
                "CreateDate": box.now(),
            }
        }
    assert box.behind is not None
    return box.behind.call(call)


SERVICE = Service(
    name="iam",
    operations={
        "SimulateCustomPolicy": simulate_custom_policy,
        "SimulatePrincipalPolicy": simulate_principal_policy,
        "CreateServiceLinkedRole": create_service_linked_role,
        "GetUser": get_user,
    },
)
