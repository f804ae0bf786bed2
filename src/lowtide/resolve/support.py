"""What comes at the end of a minor's standard support: a price six times as high, or an upgrade by AWS.

Source: EKS user guide, "Manage EKS extended support" (upgradePolicy.supportType). Whether that end has come is told by
the day of the bundled table, so that the same file gives the same answer on every day.
"""

from __future__ import annotations

from lowtide import catalog
from lowtide.spec.clusterconfig.cluster import ClusterConfig

#: Hardening: EKS takes a file without supportType as EXTENDED.
DEFAULT_SUPPORT_TYPE = "STANDARD"
#: Hardening: access entries alone, no ConfigMap that who can edit it becomes administrator by.
DEFAULT_AUTHENTICATION_MODE = "API"


def support_type(config: ClusterConfig) -> str:
    """Return ``STANDARD`` or ``EXTENDED``."""
    return config.upgrade_policy.support_type or DEFAULT_SUPPORT_TYPE


def authentication_mode(config: ClusterConfig) -> str:
    """Return the file's authentication mode, the hardened one where the file has none."""
    access = config.access_config
    given = "authentication_mode" in access.model_fields_set
    return access.authentication_mode if given else DEFAULT_AUTHENTICATION_MODE


def support_notices(config: ClusterConfig, version: catalog.KubernetesVersion) -> tuple[str, ...]:
    """Return what to say loudly about a minor that is not the newest, as far as its end is known."""
    until = version.standard_support_until
    if version == catalog.default_version() or until is None:
        return ()
    over = version.is_past_standard_support
    what = (
        f"standard support of Kubernetes {version.minor} {'ended' if over else 'ends'} on {until}"
    )
    then = _consequence(support_type(config), over=over)
    return (f'{what}: {then}; version: "{catalog.default_version().minor}" is the newest',)


def _consequence(support: str, *, over: bool) -> str:
    if support == "EXTENDED":
        when, usd = "" if over else "from then on ", catalog.service_prices()
        dear, usual = usd["control-plane-extended"], usd["control-plane"]
        return f"{when}supportType EXTENDED costs ${dear:.2f} instead of ${usual:.2f} an hour"
    when = "" if over else "then "
    return (
        f"{when}AWS upgrades the control plane by itself, and the autoscaler stays a minor behind"
    )
