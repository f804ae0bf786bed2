"""Clients of AWS services, and AWS's refusals as errors of ours.

Why it exists: one place that knows boto3's session rules (profile, region, ``AWS_ENDPOINT_URL``) and how its errors
are told to a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import boto3
from botocore import exceptions, parsers
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
#: EC2 has one word for both (EC2 developer guide, "Error codes": RequestExpired).
_EXPIRED_OR_SKEWED = "RequestExpired"
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
UNREADABLE = "UnreadableConfiguration"

#: From here on it is AWS's fault (HTTP).
_SERVER_ERROR = 500
_FAILED = "run the same command again; https://health.aws.amazon.com says whether AWS has trouble"
_RENEW = "renew them, for example with: aws sso login, and run the same command again"
_REACH = "look at the network, the proxy and AWS_ENDPOINT_URL, and run the same command again"
#: Letters of a foreign answer that are shown.
_SHOWN = 200
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
    except ValueError as error:  # botocore's word for an endpoint that is no URL
        raise _unreachable(service, str(error)) from error


def ask(call: Callable[..., Any], /, **params: Any) -> Any:
    """Make a call and return its answer.

    Raises:
        AwsError: AWS refused, or could not be reached; ``code`` is AWS's own or one of this module, ``why`` holds code and words.
    """
    try:
        return call(**params)
    except (ClientError, BotoCoreError) as error:
        raise _told(error, _name_of(call)) from error
    except Exception as error:
        if not _is_of_parser(error):
            raise
        raise not_aws(_name_of(call), f"{type(error).__name__}: {error}") from error


def _name_of(call: Callable[..., Any]) -> str:
    return getattr(call, "__name__", "AWS")


def _is_of_parser(error: Exception) -> bool:
    """Return whether botocore stumbled over an answer that is not in AWS's form; it lets any kind of error through then."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and step.tb_frame.f_globals.get("__name__") == parsers.__name__


def not_aws(where: str, why: str) -> AwsError:
    """Return the error for an answer that AWS never gives: from a proxy, a sign-in page, or a wrong AWS_ENDPOINT_URL."""
    first = why.splitlines()[0][:_SHOWN]
    return AwsError(
        "What answered is not AWS", where=where, why=first, fix=_REACH, code=UNREACHABLE
    )


def _unreachable(where: str, why: str) -> AwsError:
    return AwsError("AWS cannot be reached", where=where, why=why, fix=_REACH, code=UNREACHABLE)


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
    if isinstance(error, exceptions.ConfigParseError):
        return AwsError(
            "The AWS configuration cannot be read",
            where=where,
            why=str(error),
            fix="put the file right, or name another one in AWS_CONFIG_FILE",
            code=UNREADABLE,
        )
    return _unreachable(where, str(error))


def _refused(error: ClientError) -> AwsError:
    said = error.response.get("Error", {})
    code, message = said.get("Code", "Unknown"), said.get("Message", str(error))
    what, fix = _meaning(code, message, error)
    why = f"{code}: {message}"
    return AwsError(what, where=error.operation_name, why=why, fix=fix, code=code)


def _meaning(code: str, message: str, error: ClientError) -> tuple[str, str]:
    """Return what a refusal means, and what to do."""
    if code == _EXPIRED_OR_SKEWED:
        what = "AWS takes the request for too old: the credentials have expired, or this machine's clock is wrong"
        return what, f"{_RENEW}; or set the clock"
    if code in EXPIRED and "clock" not in message:
        return "the AWS credentials have expired", _RENEW
    if _SKEWED.search(message) or code == "RequestTimeTooSkewed":
        return "AWS refused the time of this machine's clock", "set the clock, and run again"
    if code in INVALID:
        return "AWS does not know these credentials", _RENEW
    if code in DENIED:
        action = _denied_action(message, error.operation_name)
        return f"AWS denied {action}", f"let an administrator allow {action} to this identity"
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_ERROR:
        return "AWS failed on a call", _FAILED
    return "AWS refused a call", "put right what AWS names above, and run the same command again"


def _denied_action(message: str, operation: str) -> str:
    """Return the IAM action that AWS's message names, the operation where it names none."""
    found = _DENIED_ACTION.search(message)
    return found.group(1) if found else operation
