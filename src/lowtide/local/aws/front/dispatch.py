"""One signed request to one answer: who asks, whether they may, what they want, what the box says.

Why it exists: this is the border between HTTP and the box. Nothing that a client sends leads past it to anything but
an answer in AWS's shape.
"""

from __future__ import annotations

import datetime as dt
import hmac
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lowtide.local.aws import credentials, faults
from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front import writing
from lowtide.local.aws.front.models import regions, service_named
from lowtide.local.aws.front.reading import Asked, asked_by, fields_of, params_of, protocol_in
from lowtide.local.aws.front.refusals import refusal
from lowtide.local.aws.front.sigv4 import Claim, Refused, SignedRequest, claim_of, verify
from lowtide.local.aws.service import Caller

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

_log = logging.getLogger(__name__)

#: What may be asked without a key: it is how one gets a key.
UNSIGNED = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_STS_VERSION = "2011-06-15"
#: The longest that SQS waits for a message, in seconds, and how often we look.
_LONGEST_WAIT_S, _LOOK_EVERY_S = 20, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, and what a fault does to it on its way."""

    answer: writing.Answer
    delay_s: float = 0.0
    is_dropped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is known of a request before anything of it is believed."""

    signed: SignedRequest
    fields: MultiDict[str, str]
    claim: Claim | None
    service: str
    protocol: str
    request_id: str


def respond(box: Box, signed: SignedRequest) -> Reply:
    """Answer a request; whatever goes wrong, the answer is an AWS error."""
    request_id = str(uuid.uuid4())
    service, protocol = "", _protocol_by_headers(signed)
    try:
        fields = fields_of(signed)
        claim = _claim(signed, fields)
        service = _service(claim, fields)
        protocol = protocol_in(service, signed)
        request = _Request(
            signed=signed,
            fields=fields,
            claim=claim,
            service=service,
            protocol=protocol,
            request_id=request_id,
        )
        return _respond(box, request)
    except Refused as refused:
        failed = refusal(refused, protocol)
    except AwsError as error:
        failed = error
    except Exception:  # noqa: BLE001 - the client gets an AWS error, the log the rest
        _log.exception("%s: a request to %s failed", request_id, service or "no service")
        failed = _internal()
    return Reply(answer=writing.error(service, protocol, failed, request_id))


def _respond(box: Box, request: _Request) -> Reply:
    service, protocol, request_id = request.service, request.protocol, request.request_id
    asked: Asked | AwsError
    try:
        asked = asked_by(service, request.signed, request.fields)
    except AwsError as unknown:
        asked = unknown
    operation = "" if isinstance(asked, AwsError) else asked.operation.name
    door = faults.at_the_door(box, service, operation)
    try:
        if isinstance(asked, AwsError):
            _caller(box, request, door)
            raise asked  # noqa: TRY301 - who is not let in must not learn which operations there are
        result = _ask(box, asked, request, _caller(box, request, door))
        answer = writing.answer(service, protocol, asked.operation, result, request_id)
    except Refused as refused:
        answer = writing.error(service, protocol, refusal(refused, protocol), request_id)
    except AwsError as failed:
        answer = writing.error(service, protocol, failed, request_id)
    except Exception:  # noqa: BLE001 - as above
        _log.exception("%s: %s:%s failed", request_id, service, operation)
        answer = writing.error(service, protocol, _internal(), request_id)
    return Reply(answer=answer, delay_s=door.delay_s, is_dropped=door.is_dropped)


def _ask(box: Box, asked: Asked, request: _Request, caller: Caller) -> Mapping[str, Any]:
    params = params_of(asked)
    region = request.claim.region if request.claim else box.settings.region
    name = asked.operation.name
    if (asked.service, name) != ("sqs", "ReceiveMessage"):
        return box.call(asked.service, name, params, region=region, caller=caller)
    # SQS waits for a message; the box must not, so the waiting is done here, outside its lock.
    wait_s = min(params.get("WaitTimeSeconds") or 0, _LONGEST_WAIT_S)
    ends = time.monotonic() + wait_s
    params = {**params, "WaitTimeSeconds": 0}
    while True:
        found = box.call(asked.service, name, params, region=region, caller=caller)
        if found.get("Messages") or time.monotonic() >= ends:
            return found
        time.sleep(_LOOK_EVERY_S)


def _claim(signed: SignedRequest, fields: MultiDict[str, str]) -> Claim | None:
    try:
        return claim_of(signed)
    except Refused as refused:
        is_open = fields.get("Action") in UNSIGNED and fields.get("Version") == _STS_VERSION
        if refused.reason == "missing" and is_open:
            return None
        raise


def _service(claim: Claim | None, fields: MultiDict[str, str]) -> str:
    if claim is None:
        return "sts"
    service = service_named(claim.service, fields.get("Version", ""))
    if not service:
        raise AwsError(
            "NotImplemented", f"The embedded AWS does not serve {claim.service[:40]}.", status=501
        )
    return service


def _caller(box: Box, request: _Request, door: faults.AtTheDoor) -> Caller:
    claim = request.claim
    if claim is None:
        account = box.settings.account
        return Caller(account=account, arn="", user_id="", access_key_id="anonymous")
    key = credentials.find(box, claim.access_key_id)
    if key is None:
        raise Refused("unknown key")
    now = dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=door.skew_s)
    verify(request.signed, claim, key.secret_access_key, now=now)
    if not hmac.compare_digest(key.session_token.encode(), claim.token.encode()):
        raise Refused("unknown key")
    if key.is_expired or door.is_token_expired:
        raise Refused("old token")
    if claim.region not in regions():
        raise Refused("incomplete", "Credential should be scoped to a valid region.")
    return key.caller


def _protocol_by_headers(signed: SignedRequest) -> str:
    """Guess how a client wants to be answered that does not say for which service it comes."""
    if signed.header("x-amz-target"):
        return "json"
    if "/s3/aws4_request" in signed.header("authorization"):
        return "query"  # S3's clients read XML
    if signed.header("content-type").startswith("application/x-www-form-urlencoded"):
        return "query"
    return "query" if "Action=" in signed.query else "rest-json"


def _internal() -> AwsError:
    return AwsError(
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
        status=500,
    )
