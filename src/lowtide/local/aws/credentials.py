"""The keys that open the box: one for whoever started it, others for the processes in it.

Why it exists: nothing is reachable without a key that the box handed out, and an answer such as GetCallerIdentity, an
EKS access entry or an AccessDenied names the one who asked. Keys made by iam:CreateAccessKey and sts:AssumeRole are
kept by whoever answers those calls.
"""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lowtide.local.aws.box import Box
from lowtide.local.aws.service import Caller, Service

#: The user of the first key. Its rights are those of an administrator.
ADMIN = "lowtide"
#: Of keys that belong to a user, and of keys of a session (IAM User Guide, "Unique identifiers").
USER_PREFIX, SESSION_PREFIX = "AKIA", "ASIA"
_IN_KEYS = string.ascii_uppercase + "234567"
_IN_SECRETS = string.ascii_letters + string.digits + "+/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key with its secret, and whose it is. ``expires_at`` is in seconds since the epoch."""

    secret_access_key: str
    caller: Caller
    session_token: str = ""
    expires_at: float | None = None

    @property
    def access_key_id(self) -> str:
        """The public half."""
        return self.caller.access_key_id

    @property
    def is_expired(self) -> bool:
        """Whether its session is over."""
        return self.expires_at is not None and time.time() >= self.expires_at

    def environment(self, region: str) -> dict[str, str]:
        """Return the variables by which AWS's clients find it."""
        found = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        }
        if self.session_token:
            found["AWS_SESSION_TOKEN"] = self.session_token
        return found


@runtime_checkable
class KeyHolder(Protocol):
    """Whoever else has made keys (moto)."""

    def credential(self, access_key_id: str) -> Credential | None:
        """Return a key that it made, or None."""
        ...


#: The state is access key id -> Credential.
SERVICE = Service(name="credentials", operations={})


def admin(box: Box) -> Credential:
    """Return the key of the box's administrator, made at the first call."""
    with box.lock:
        keys: dict[str, Credential] = box.state(SERVICE.name)
        arn = f"arn:aws:iam::{box.settings.account}:user/{ADMIN}"
        found = next((one for one in keys.values() if one.caller.arn == arn), None)
        return found or issue(box, arn)


def issue(
    box: Box, arn: str, *, session: str = "lowtide", lifetime_s: float | None = None
) -> Credential:
    """Make a key for a user's ARN, or a session's key for a role's ARN.

    ``lifetime_s`` is in seconds of real time; None never ends.
    """
    account, name = box.settings.account, arn.rpartition("/")[2]
    is_role = ":role/" in arn
    unique = _random(_IN_KEYS, 17)
    caller = Caller(
        account=account,
        arn=f"arn:aws:sts::{account}:assumed-role/{name}/{session}" if is_role else arn,
        user_id=f"AROA{unique}:{session}" if is_role else f"AIDA{unique}",
        access_key_id=(SESSION_PREFIX if is_role else USER_PREFIX) + _random(_IN_KEYS, 16),
    )
    made = Credential(
        secret_access_key=_random(_IN_SECRETS, 40),
        caller=caller,
        session_token=secrets.token_urlsafe(96) if is_role else "",
        expires_at=None if lifetime_s is None else time.time() + lifetime_s,
    )
    with box.lock:
        box.state(SERVICE.name)[made.access_key_id] = made
        box.note_change()
    return made


def find(box: Box, access_key_id: str) -> Credential | None:
    """Return the key with that id, whoever in the box made it."""
    with box.lock:
        made: Credential | None = box.state(SERVICE.name).get(access_key_id)
        behind: object = box.behind
        if made is None and isinstance(behind, KeyHolder):
            made = behind.credential(access_key_id)
        return made


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))
