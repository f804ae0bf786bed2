"""Signature Version 4, seen from AWS's side: who claims to have signed a request, and whether that is so.

Why it exists: nothing is reachable in the box without one of its keys, and a wrong key, a wrong clock or an old
session must fail as they fail on AWS. The algorithm is that of "Create a signed AWS API request" in the IAM User
Guide. Refusals here say only what is wrong; ``refusals`` has each protocol's words for it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote

from botocore.utils import normalize_url_path

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
#: How far a client's clock may be from ours ("Signature expired: … - 5 min.").
ALLOWED_SKEW = dt.timedelta(minutes=5)
#: The longest life of a presigned request: seven days.
LONGEST_LIFE_S = 7 * 24 * 3600
#: More query fields than any request has; the rest of the limits are the front's.
MOST_FIELDS = 4000

Reason = Literal[
    "missing", "incomplete", "unknown key", "mismatch", "expired", "early", "old token"
]


class Refused(Exception):  # noqa: N818 - it is an answer to a client
    """The request is not let in; ``detail`` is what AWS adds to its sentence, where it adds something."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """What a signature covers. ``path`` and ``query`` are as they came over the wire; header names are lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who says to have signed a request, when and for what. Nothing of it is proved yet."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    at: dt.datetime
    token: str
    life_s: int | None = None

    @property
    def scope(self) -> str:
        """The credential scope, as it is signed."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def claim_of(request: SignedRequest) -> Claim:
    """Read the claim of a request, from its headers or, presigned, from its query.

    Raises:
        Refused: there is none, or it is incomplete.
    """
    authorization = request.header("authorization")
    if authorization:
        return _from_header(request, authorization)
    query = dict(_query_pairs(request.query))
    if query.get("X-Amz-Algorithm") == ALGORITHM:
        return _from_query(query)
    raise Refused("missing")


def verify(
    request: SignedRequest, claim: Claim, secret: str, *, now: dt.datetime | None = None
) -> None:
    """Check that the holder of ``secret`` signed this very request, and not too long ago.

    Raises:
        Refused: the signature or the time is wrong.
    """
    _check_time(claim, now or dt.datetime.now(tz=dt.UTC))
    if "host" not in claim.signed_headers:
        raise Refused("incomplete", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    unsigned = {name for name, _ in request.headers if name.startswith("x-amz-")}
    unsigned -= set(claim.signed_headers)
    # A client that takes X-Amz-Date from Date, or hashes the body itself, does not weaken the signature.
    if unsigned - {"x-amz-content-sha256", "x-amz-date"}:
        raise Refused("mismatch")
    text = "\n".join(
        (
            ALGORITHM,
            claim.at.strftime(TIME_FORMAT),
            claim.scope,
            _sha256(canonical_request(request, claim).encode()),
        )
    )
    key = _signing_key(secret, claim)
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise Refused("mismatch")


def canonical_request(request: SignedRequest, claim: Claim) -> str:
    """Return the text whose hash is signed."""
    return "\n".join(
        (
            request.method,
            quote(normalize_url_path(request.path or "/"), safe="/~"),
            _canonical_query(request.query),
            *(f"{name}:{_canonical_header(request, name)}" for name in claim.signed_headers),
            "",
            ";".join(claim.signed_headers),
            _sha256(request.body),
        )
    )


def _from_header(request: SignedRequest, authorization: str) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise Refused("incomplete", f"Unsupported AWS 'algorithm': '{algorithm[:40]}'")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not fields.get(name):
            raise Refused("incomplete", f"Authorization header requires '{name}' parameter.")
    return _claim(
        credential=fields["Credential"],
        signed_headers=fields["SignedHeaders"],
        signature=fields["Signature"],
        at=request.header("x-amz-date") or request.header("date"),
        token=request.header("x-amz-security-token"),
    )


def _from_query(query: dict[str, str]) -> Claim:
    for name in ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"):
        if not query.get(name):
            raise Refused("incomplete", f"AWS query-string parameters must include '{name}'.")
    life = query.get("X-Amz-Expires", "900")
    if not re.fullmatch("[0-9]{1,6}", life) or not 0 < int(life) <= LONGEST_LIFE_S:
        raise Refused("incomplete", "X-Amz-Expires must be between 1 and 604800 seconds.")
    return _claim(
        credential=query["X-Amz-Credential"],
        signed_headers=query["X-Amz-SignedHeaders"],
        signature=query["X-Amz-Signature"],
        at=query["X-Amz-Date"],
        token=query.get("X-Amz-Security-Token", ""),
        life_s=int(life),
    )


def _claim(
    *,
    credential: str,
    signed_headers: str,
    signature: str,
    at: str,
    token: str,
    life_s: int | None = None,
) -> Claim:
    parts = credential.split("/")
    if len(parts) != 5 or parts[-1] != TERMINATOR or not all(parts):
        raise Refused(
            "incomplete",
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term.",
        )
    try:
        when = dt.datetime.strptime(at, TIME_FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:
        raise Refused(
            "incomplete",
            "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601",
        ) from None
    key, date, region, service, _ = parts
    if date != at[:8]:
        raise Refused(
            "mismatch",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
        )
    return Claim(
        access_key_id=key,
        date=date,
        region=region,
        service=service,
        signed_headers=tuple(signed_headers.lower().split(";")),
        signature=signature,
        at=when,
        token=token,
        life_s=life_s,
    )


def _check_time(claim: Claim, now: dt.datetime) -> None:
    at, ours = claim.at.strftime(TIME_FORMAT), now.strftime(TIME_FORMAT)
    life = ALLOWED_SKEW if claim.life_s is None else dt.timedelta(seconds=claim.life_s)
    if now > claim.at + life:
        earliest = (now - life).strftime(TIME_FORMAT)
        minutes = f"{life.total_seconds() / 60:g}"
        raise Refused(
            "expired",
            f"Signature expired: {at} is now earlier than {earliest} ({ours} - {minutes} min.)",
        )
    if claim.at > now + ALLOWED_SKEW:
        latest = (now + ALLOWED_SKEW).strftime(TIME_FORMAT)
        raise Refused(
            "early",
            f"Signature not yet current: {at} is still later than {latest} ({ours} + 5 min.)",
        )


def _query_pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refused("incomplete", "The query string is malformed.") from None


def _canonical_query(query: str) -> str:
    pairs = ((_quoted(key), _quoted(value)) for key, value in _query_pairs(query))
    return _joined(pair for pair in pairs if pair[0] != "X-Amz-Signature")


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{key}={value}" for key, value in sorted(pairs))


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _canonical_header(request: SignedRequest, name: str) -> str:
    return ",".join(" ".join(value.split()) for key, value in request.headers if key == name)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _signing_key(secret: str, claim: Claim) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, claim.service, TERMINATOR):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
