"""The error by which CloudFormation refuses a template or a request.

Why it exists: CloudFormation has one code, ``ValidationError``, for nearly everything; the words tell them apart.
"""

from __future__ import annotations

from lowtide.local.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    """Return a ValidationError with these words."""
    return AwsError("ValidationError", message)


def malformed(message: str) -> AwsError:
    """Return the ValidationError of a template whose form is wrong."""
    return invalid(f"Template format error: {message}")


def wrong(message: str) -> AwsError:
    """Return the ValidationError of a template that says something impossible."""
    return invalid(f"Template error: {message}")
