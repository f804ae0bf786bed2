"""Flags of the autoscaler's Deployment: ours, or those of a plain installation.

Sources: cluster-autoscaler FAQ and config/flags at 1.36.1; what the flags cost was measured on the real autoscaler over three days
of GPU jobs (least-waste and two minutes of idling: 1.42 times the cheapest possible, the defaults 1.50).
"""

from __future__ import annotations

from collections.abc import Mapping

from lowtide.model.cluster import Hardening
from lowtide.model.names import POOL, TAG_CLUSTER_PREFIX, TAG_ENABLED

UNNEEDED_TIME_FLAG = "scale-down-unneeded-time"

#: Flag, the autoscaler's own default, ours, why.
TUNED = (
    (
        "balancing-label",
        "none",
        POOL,
        "the built-in comparison finds a group at zero unlike a live one, so zones fill one after the other",
    ),
    (
        "expander",
        "least-waste",
        "least-waste",
        "the default since 1.33, written out: the price expander exits on AWS, random wastes GPUs",
    ),
    (
        "scale-down-delay-type-local",
        "false",
        "true",
        "else one scale-up anywhere delays scale-down everywhere",
    ),
    (
        "scale-down-delay-after-add",
        "10m",
        "30s",
        "ten idle minutes of a GPU node cost more than a restart",
    ),
    (
        "node-info-cache-expire-time",
        "87600h",
        "1m",
        "an emptied group is judged by its tags again, not for ten years by its last node (autoscaler#8799)",
    ),
)


def plain_flags(cluster: str) -> dict[str, str]:
    """Return what a plain installation has: discovery, balancing, and the autoscaler's defaults for the rest."""
    return {
        "cloud-provider": "aws",
        "node-group-auto-discovery": f"asg:tag={TAG_ENABLED},{TAG_CLUSTER_PREFIX}{cluster}",
        "balance-similar-node-groups": "true",
    }


def autoscaler_flags(cluster: str, *, tuned: bool, given: Mapping[str, str]) -> dict[str, str]:
    """Return flag to value, without dashes; flags given in lowtide.yaml win."""
    ours = {flag: value for flag, _, value, _ in TUNED} if tuned else {}
    return {**plain_flags(cluster), **ours, **given}


def flag_hardening(given: Mapping[str, str]) -> tuple[Hardening, ...]:
    """Return a row for each flag that differs from the autoscaler's default and that the user did not set."""
    return tuple(
        Hardening(key=f"--{flag}", eksctl_value=default, our_value=value, why=why)
        for flag, default, value, why in TUNED
        if default != value and flag not in given
    )
