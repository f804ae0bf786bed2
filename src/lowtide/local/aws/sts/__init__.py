"""What moto does not answer as the box wants it: who the caller is. Sessions stay moto's.

Why it exists: moto knows its own keys only; the box's first key belongs to a user that it does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.service import Call, Service

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box


def get_caller_identity(box: Box, call: Call) -> Mapping[str, Any]:  # noqa: ARG001 - an operation's signature
    """GetCallerIdentity."""
    caller = call.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}


SERVICE = Service(name="sts", operations={"GetCallerIdentity": get_caller_identity})
