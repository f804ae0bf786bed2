"""What is left of a cluster in an account: looked for by tags and names, and removed.

Why it exists: load balancers, volumes and interfaces that Kubernetes made are in no stack, and go on costing money when all stacks are
gone. What is found is a list of values; what of it is removed is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from lowtide.aws.live.account import Account
from lowtide.aws.live.remains.asking import Asking, Finder
from lowtide.aws.live.remains.balancing import find_balancers
from lowtide.aws.live.remains.ec2 import find_in_ec2
from lowtide.aws.live.remains.identity import find_identities
from lowtide.aws.live.remains.named import (
    find_cluster_itself,
    find_log_groups,
    find_parameters,
    find_queues,
    find_rules,
    find_scaling_groups,
    find_stacks,
)
from lowtide.aws.live.remains.removing import KINDS, rank
from lowtide.aws.live.session import DENIED
from lowtide.model.account import Unverified
from lowtide.model.errors import AwsError
from lowtide.model.remains import Looked, Remain

#: Who finds what, by words for what cannot be looked for where AWS denies it.
_FINDERS: Mapping[str, Finder] = {
    "stacks": find_stacks,
    "EKS cluster and node groups": find_cluster_itself,
    "Auto Scaling groups": find_scaling_groups,
    "load balancers and target groups": find_balancers,
    "what carries tags in EC2": find_in_ec2,
    "log groups": find_log_groups,
    "queues": find_queues,
    "event rules": find_rules,
    "parameters": find_parameters,
    "OIDC provider, roles and instance profiles": find_identities,
}


def look(account: Account, cluster: str) -> Looked:
    """Look for everything of a cluster.

    Raises:
        AwsError: AWS cannot be reached or does not take the credentials; a call that is denied is told in ``unknown`` instead.
    """
    asking = Asking(account, cluster)
    found: list[Remain] = []
    unknown: list[Unverified] = []
    for words, finder in _FINDERS.items():
        try:
            found += finder(asking)
        except AwsError as error:
            if error.code not in DENIED:
                raise
            unknown.append(Unverified(what=words, why=error.why))
    distinct = {one.key: one for one in found}.values()
    return Looked(
        remains=tuple(sorted(distinct, key=lambda one: (rank(one), one.id))),
        kinds=KINDS,
        calls=asking.calls,
        unknown=tuple(unknown),
    )
