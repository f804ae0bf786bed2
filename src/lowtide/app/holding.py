"""The lease of a run: who holds it is told to whoever comes second.

Why it exists: ``up`` and ``down`` of one name exclude each other, so both hold the same lease in the same words.
"""

from __future__ import annotations

import uuid

from lowtide.app.this_process import has_ended, this_process, user_and_host
from lowtide.aws.live.account import Account
from lowtide.aws.live.lease import Holder, Lease, held, lease_path, read_leases


def lease_of(account: Account, cluster: str, *, verb: str, who: str) -> Lease:
    """Return the lease on a cluster for this run, not taken yet; ``who`` is the caller's ARN."""
    holder = Holder(
        id=str(uuid.uuid4()), who=who, host=user_and_host(), verb=verb, process=this_process()
    )
    return Lease(account, cluster, holder, is_dead=_is_dead)


def is_held(account: Account, cluster: str) -> bool:
    """Return whether there is a lease on a cluster, be it of a run that was killed.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    return bool(read_leases(account.client("ssm"), lease_path(cluster)))


def refuse_held(account: Account, cluster: str) -> None:
    """Refuse beside a run that is at work; nothing is taken, so that whoever only looks is in nobody's way.

    Raises:
        LeaseHeld: another run has the lease.
        AwsError: AWS refused, or could not be reached.
    """
    for one in read_leases(account.client("ssm"), lease_path(cluster)):
        if one.left_s > 0 and not _is_dead(one.holder):
            raise held(cluster, one)


def _is_dead(holder: Holder) -> bool:
    return has_ended(holder.process)
