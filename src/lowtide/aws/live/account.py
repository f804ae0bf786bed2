"""One AWS account in one region: its clients, made once, and who is asking.

Why it exists: every adapter of this room is given an ``Account`` and takes its clients from it, so that profile, region and endpoint are
chosen in one place and threads share connections.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from lowtide.aws.live import session

_ASSUMED_ROLE = "assumed-role/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who AWS takes us for.

    ``role_name`` is the role behind a session, None for a user or the root of the account.
    """

    account: str
    arn: str
    user_id: str
    role_name: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account as seen through a profile, None for the environment's own credentials. Safe to share between threads."""

    region: str
    profile: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _sessions: list[Any] = field(default_factory=list, repr=False, compare=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """Return the client of a service, the same one at every call.

        Raises:
            AwsError: there is no such profile, or no usable configuration.
        """
        with self._lock:  # boto3 clients may be shared between threads, making one may not
            if service not in self._clients:
                if not self._sessions:
                    self._sessions.append(session.open_session(self.region, self.profile))
                self._clients[service] = session.client(
                    service, region=self.region, session=self._sessions[0]
                )
            return self._clients[service]

    def identity(self) -> Identity:
        """Ask STS who we are; it answers to every valid credential, whatever its permissions.

        Raises:
            AwsError: no credentials, or AWS does not take them.
        """
        said = session.ask(self.client("sts").get_caller_identity)
        return Identity(
            account=said["Account"],
            arn=said["Arn"],
            user_id=said["UserId"],
            role_name=_role_name(said["Arn"]),
        )


def _role_name(arn: str) -> str | None:
    """Return NAME of ``arn:aws:sts::123456789012:assumed-role/NAME/SESSION`` (IAM user guide, "IAM identifiers")."""
    resource = arn.split(":", 5)[-1]
    if not resource.startswith(_ASSUMED_ROLE):
        return None
    return resource.removeprefix(_ASSUMED_ROLE).split("/", 1)[0]
