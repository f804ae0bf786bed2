"""How EKS says no: its four common exceptions with their HTTP status (EKS API reference, "Common errors")."""

from __future__ import annotations

from typing import Any

from lowtide.local.aws.errors import AwsError


def not_found(message: str, **fields: Any) -> AwsError:
    """Return ResourceNotFoundException."""
    return AwsError("ResourceNotFoundException", message, status=404, **fields)


def in_use(message: str, **fields: Any) -> AwsError:
    """Return ResourceInUseException."""
    return AwsError("ResourceInUseException", message, status=409, **fields)


def invalid_parameter(message: str, **fields: Any) -> AwsError:
    """Return InvalidParameterException: a value is wrong whatever the state."""
    return AwsError("InvalidParameterException", message, **fields)


def invalid_request(message: str, **fields: Any) -> AwsError:
    """Return InvalidRequestException: the state does not allow it."""
    return AwsError("InvalidRequestException", message, **fields)
