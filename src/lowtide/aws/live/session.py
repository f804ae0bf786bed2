"""Clients of AWS services, and AWS's refusals as errors of ours.

Why it exists: one place that knows boto3's session rules (profile, region, ``AWS_ENDPOINT_URL``) and how its errors
are told to a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lowtide.model.errors import AwsError

#: Throttled and failed calls are tried again by botocore (boto3 documentation, "Retries").
_RETRIES = Config(
    retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60
)

#: Codes by which services say that a call is not allowed (EC2 API reference, "Error codes"; the common errors of the others).
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
)
#: The credentials were good once, or never (same places).
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
INVALID = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "AuthFailure",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
    }
)
#: Codes given to errors that never reached AWS.
NO_CREDENTIALS = "NoCredentials"
UNREACHABLE = "Unreachable"

_RENEW = "renew them, for example with: aws sso login, and run the same command again"
_SKEWED = re.compile(r"Signature (expired|not yet current)|RequestTimeTooSkewed")
_DENIED_ACTION = re.compile(r"perform: ([\w-]+:\w+)")
_NOT_GIVEN = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)


def open_session(region: str, profile: str | None = None) -> Any:
    """Return a boto3 session; clients of one share what is slow to load: endpoints and models (half of the time of eight clients).

    Raises:
        AwsError: there is no such profile, or no usable configuration.
    """
    try:
        return boto3.Session(profile_name=profile, region_name=region)
    except BotoCoreError as error:
        raise _told(error, "the AWS configuration") from error


def client(
    service: str,
    *,
    region: str,
    endpoint: str | None = None,
    profile: str | None = None,
    session: Any = None,
) -> Any:
    """Return a boto3 client; ``endpoint`` None leaves the choice to the environment and the profile.

    Raises:
        AwsError: there is no such profile, or no usable configuration.
    """
    opened = open_session(region, profile) if session is None else session
    try:
        return opened.client(service, endpoint_url=endpoint, config=_RETRIES)
    except BotoCoreError as error:
        raise _told(error, service) from error


def ask(call: Callable[..., Any], /, **params: Any) -> Any:
    """Make a call and return its answer.

    Raises:
        AwsError: AWS refused, or could not be reached; ``code`` is AWS's own or one of this module, ``why`` holds code and words.
    """
    try:
        return call(**params)
    except (ClientError, BotoCoreError) as error:
        raise _told(error, getattr(call, "__name__", "AWS")) from error


def _told(error: ClientError | BotoCoreError, where: str) -> AwsError:
    if isinstance(error, ClientError):
        return _refused(error)
    if isinstance(error, _NOT_GIVEN):
        return AwsError(
            "there are no AWS credentials to use",
            where=where,
            why=str(error),
            fix="give some, for example with: aws configure sso, and --profile NAME",
            code=NO_CREDENTIALS,
        )
    return AwsError("AWS cannot be reached", where=where, why=str(error), code=UNREACHABLE)


def _refused(error: ClientError) -> AwsError:
    said = error.response.get("Error", {})
    code, message = said.get("Code", "Unknown"), said.get("Message", str(error))
    what, fix = _meaning(code, message, error)
    why = f"{code}: {message}"
    return AwsError(what, where=error.operation_name, why=why, fix=fix, code=code)


def _meaning(code: str, message: str, error: ClientError) -> tuple[str, str]:
    """Return what a refusal means, and what to do."""
    if code in EXPIRED and "clock" not in message:
        return "the AWS credentials have expired", _RENEW
    if _SKEWED.search(message) or code == "RequestTimeTooSkewed":
        return "AWS refused the time of this machine's clock", "set the clock, and run again"
    if code in INVALID:
        return "AWS does not know these credentials", _RENEW
    if code in DENIED:
        action = _denied_action(message, error.operation_name)
        return f"AWS denied {action}", f"let an administrator allow {action} to this identity"
    return "AWS refused a call", ""


def _denied_action(message: str, operation: str) -> str:
    """Return the IAM action that AWS's message names, the operation where it names none."""
    found = _DENIED_ACTION.search(message)
    return found.group(1) if found else operation
