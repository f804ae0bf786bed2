"""How each protocol says that a request is not let in.

Why it exists: clients tell "sign in again" from "wrong key" from "set your clock" by these codes. Sources: "Common
errors" of the IAM, STS and EC2 API references; AWS JSON services' common error types.
"""

from __future__ import annotations

from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.models import CBOR
from lowtide.local.aws.front.sigv4 import Reason, Refused

_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_UNKNOWN_KEY = "The security token included in the request is invalid."
_OLD_TOKEN = "The security token included in the request is expired"  # noqa: S105 - AWS's sentence, without a full stop
_EC2 = "AWS was not able to validate the provided access credentials"
_EC2_LATE = "Request has expired."

#: reason -> code, status, sentence; an empty sentence is the detail's.
_QUERY: dict[Reason, tuple[str, int, str]] = {
    "missing": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
    "incomplete": ("IncompleteSignature", 400, ""),
    "unknown key": ("InvalidClientTokenId", 403, _UNKNOWN_KEY),
    "mismatch": ("SignatureDoesNotMatch", 403, _SIGNATURE),
    "expired": ("SignatureDoesNotMatch", 403, ""),
    "early": ("SignatureDoesNotMatch", 403, ""),
    "old token": ("ExpiredToken", 403, _OLD_TOKEN),
}
_EC2_WORDS: dict[Reason, tuple[str, int, str]] = {
    "missing": ("AuthFailure", 401, _EC2),
    "incomplete": ("AuthFailure", 401, _EC2),
    "unknown key": ("AuthFailure", 401, _EC2),
    "mismatch": ("AuthFailure", 401, _EC2),
    "expired": ("RequestExpired", 400, _EC2_LATE),
    "early": ("RequestExpired", 400, _EC2_LATE),
    "old token": ("RequestExpired", 400, _EC2_LATE),
}
_JSON: dict[Reason, tuple[str, int, str]] = {
    "missing": ("MissingAuthenticationTokenException", 400, "Missing Authentication Token"),
    "incomplete": ("IncompleteSignatureException", 400, ""),
    "unknown key": ("UnrecognizedClientException", 400, _UNKNOWN_KEY),
    "mismatch": ("InvalidSignatureException", 400, _SIGNATURE),
    "expired": ("InvalidSignatureException", 400, ""),
    "early": ("InvalidSignatureException", 400, ""),
    "old token": ("ExpiredTokenException", 400, _OLD_TOKEN),
}


def refusal(refused: Refused, protocol: str) -> AwsError:
    """Return the error that a service of that protocol answers."""
    words = {"query": _QUERY, "ec2": _EC2_WORDS}.get(protocol, _JSON)
    code, status, message = words[refused.reason]
    if protocol not in ("query", "ec2", "json", CBOR):
        status = 403  # REST services answer every refusal of a signature with 403
    return AwsError(code, message or refused.detail, status=status)
