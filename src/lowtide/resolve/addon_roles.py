"""Which EKS add-ons a file leads to, which of them call AWS, and by whose role.

Sources: eksctl's default add-ons and recommended policies (pkg/actions/addon), and the EKS user guide, "AWS add-ons", for the service
account of each; "Deploy the FSx for Lustre driver" there, and CloudWatch user guide, "Install the Amazon CloudWatch Observability EKS
add-on". Apart from the blueprint, because the hardening rows of every ``check`` tell of it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lowtide.model.cluster import NodeGroup
from lowtide.model.names import ON_DEMAND, SYSTEM_NAMESPACE
from lowtide.spec.clusterconfig.cluster import ClusterConfig
from lowtide.spec.clusterconfig.identity import Addon

AGENT = "eks-pod-identity-agent"
VPC_CNI = "vpc-cni"
AUTOSCALER_ACCOUNT = "cluster-autoscaler"
TERMINATION_HANDLER_ACCOUNT = "aws-node-termination-handler"

_METRICS_SERVER = "metrics-server"
_DEFAULT = (VPC_CNI, "kube-proxy", "coredns", _METRICS_SERVER)
#: Regions for which EKS has no metrics-server as an add-on.
_WITHOUT_METRICS_SERVER = ("cn-", "us-gov-", "us-iso", "eu-iso")


class AddonRole(NamedTuple):
    """The service account of an add-on that calls AWS, and the key of its recommended policy."""

    account: str
    policy: str
    namespace: str = SYSTEM_NAMESPACE


#: Add-ons that get their role without a word of the file: they do nothing without it.
CALL_AWS = {
    VPC_CNI: AddonRole("aws-node", "vpcCNI"),
    "aws-ebs-csi-driver": AddonRole("ebs-csi-controller-sa", "ebsCSIController"),
    "aws-efs-csi-driver": AddonRole("efs-csi-controller-sa", "efsCSIController"),
}
#: Add-ons that get it only where the file asks for recommended permissions, as in eksctl.
_ON_REQUEST = {
    "aws-fsx-csi-driver": AddonRole("fsx-csi-controller-sa", "fsxCSIController"),
    "amazon-cloudwatch-observability": AddonRole(
        "cloudwatch-agent", "cloudWatchAgent", "amazon-cloudwatch"
    ),
}
_KNOWN = {**CALL_AWS, **_ON_REQUEST}
#: Add-ons that call nothing in AWS.
_NEED_NONE = frozenset(
    {
        *_DEFAULT,
        AGENT,
        "eks-node-monitoring-agent",
        "kube-state-metrics",
        "prometheus-node-exporter",
        "snapshot-controller",
    }
)


def default_addons(config: ClusterConfig) -> tuple[str, ...]:
    """Return the add-ons that eksctl installs besides those of the file."""
    if config.addons_config.disable_default_addons:
        return ()
    given = {one.name.lower() for one in config.addons}
    lacks_metrics = config.region.startswith(_WITHOUT_METRICS_SERVER)
    return tuple(
        one
        for one in _DEFAULT
        if one not in given and not (one == _METRICS_SERVER and lacks_metrics)
    )


def roleless_addons(config: ClusterConfig) -> tuple[str, ...]:
    """Return the add-ons that call AWS and that the file gives no role."""
    names = [one.name.lower() for one in config.addons if not _has_role(one)]
    known = {
        **{one: CALL_AWS[one] for one in (*names, *default_addons(config)) if one in CALL_AWS},
        **{one: _ON_REQUEST[one] for one in _asking(config) if one in _ON_REQUEST},
    }
    taken = _given_accounts(config)
    return tuple(name for name, one in known.items() if (one.namespace, one.account) not in taken)


def known_role(name: str) -> AddonRole | None:
    """Return service account and recommended policy of an add-on, None where only EKS knows them."""
    return _KNOWN.get(name)


def unknown_permissions(config: ClusterConfig) -> Iterator[tuple[int, str]]:
    """Yield index and name of each add-on that is to have recommended permissions which are not known here."""
    for index, one in enumerate(config.addons):
        name = one.name.lower()
        if name in _asking(config) and name not in _KNOWN and name not in _NEED_NONE:
            yield index, name


def _asking(config: ClusterConfig) -> tuple[str, ...]:
    """Return the add-ons without a role for which the file asks for the permissions that EKS recommends."""
    everywhere = config.addons_config.auto_apply_pod_identity_associations
    return tuple(
        one.name.lower()
        for one in config.addons
        if not _has_role(one) and (everywhere or one.use_default_pod_identity_associations)
    )


def left_to_nodes(config: ClusterConfig) -> tuple[str, ...]:
    """Return the add-ons that eksctl would leave to the role of the nodes."""
    if config.iam.with_oidc or config.addons_config.auto_apply_pod_identity_associations:
        return ()
    asked = {one.name.lower() for one in config.addons if one.use_default_pod_identity_associations}
    return tuple(one for one in roleless_addons(config) if one not in asked)


def by_pod_identity(config: ClusterConfig) -> bool:
    """Return whether add-ons without a role get one by pod identity; with OIDC it is IRSA, as in eksctl."""
    return config.addons_config.auto_apply_pod_identity_associations or not config.iam.with_oidc


def own_accounts(config: ClusterConfig, groups: Sequence[NodeGroup]) -> tuple[str, ...]:
    """Return the service accounts of what lowtide installs itself that the file gives no role."""
    taken = _given_accounts(config)
    return tuple(one for one in _installed_accounts(groups) if (SYSTEM_NAMESPACE, one) not in taken)


def adds_agent(config: ClusterConfig, groups: Sequence[NodeGroup]) -> bool:
    """Return whether somebody needs the pod-identity agent and the file does not have it."""
    if any(one.name.lower() == AGENT for one in config.addons):
        return False
    return bool(
        own_accounts(config, groups)
        or any(one.pod_identity_associations for one in config.addons)
        or any(one.use_default_pod_identity_associations for one in config.addons)
        or (by_pod_identity(config) and roleless_addons(config))
        or (not config.iam.with_oidc and any(map(_has_policies, config.addons)))
    )


def uses_spot(groups: Sequence[NodeGroup]) -> bool:
    """Return whether any group may launch spot instances."""
    return any(group.capacity_type != ON_DEMAND for group in groups)


def _installed_accounts(groups: Sequence[NodeGroup]) -> Iterator[str]:
    yield AUTOSCALER_ACCOUNT
    if uses_spot(groups):
        yield TERMINATION_HANDLER_ACCOUNT


def _has_role(one: Addon) -> bool:
    return bool(one.policy_sources or one.pod_identity_associations)


def _has_policies(one: Addon) -> bool:
    return bool(one.policy_sources and not one.service_account_role_arn)


def _given_accounts(config: ClusterConfig) -> set[tuple[str, str]]:
    """Return namespace and name of the accounts that the file gives a role by itself."""
    iam = config.iam
    irsa = {(one.metadata.namespace, one.metadata.name) for one in iam.service_accounts}
    pods = {(one.namespace, one.service_account_name) for one in iam.pod_identity_associations}
    return irsa | pods
