"""Clients of AWS services, and AWS's refusals as errors of ours.

Why it exists: one place that knows boto3's session rules (profile, region, ``AWS_ENDPOINT_URL``) and how its errors
are told to a person.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lowtide.model.errors import AwsError

#: Throttled and failed calls are tried again by botocore (boto3 documentation, "Retries").
_RETRIES = Config(
    retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60
)


def client(
    service: str, *, region: str, endpoint: str | None = None, profile: str | None = None
) -> Any:
    """Return a boto3 client; ``endpoint`` None leaves the choice to the environment and the profile."""
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        return session.client(service, endpoint_url=endpoint, config=_RETRIES)
    except BotoCoreError as error:
        raise _told(error, service) from error


def ask(call: Callable[..., Any], /, **params: Any) -> Any:
    """Make a call and return its answer.

    Raises:
        AwsError: AWS refused, or could not be reached; ``why`` holds its code and words.
    """
    try:
        return call(**params)
    except (ClientError, BotoCoreError) as error:
        raise _told(error, getattr(call, "__name__", "AWS")) from error


def _told(error: ClientError | BotoCoreError, where: str) -> AwsError:
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        why = f"{said.get('Code', 'Unknown')}: {said.get('Message', error)}"
        return AwsError("AWS refused a call", where=error.operation_name, why=why)
    return AwsError("AWS cannot be reached", where=where, why=str(error))
