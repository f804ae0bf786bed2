"""Service accounts with an IAM role: the file's, and those of what lowtide installs.

The autoscaler and the termination handler get theirs by pod identity unless the file gives them one: no node then needs a role that
may change Auto Scaling groups.
"""

from __future__ import annotations

from lowtide.model.blueprint import IRSA, POD_IDENTITY, Identity, Permissions
from lowtide.model.names import SYSTEM_NAMESPACE
from lowtide.resolve.addon_roles import (
    AUTOSCALER_ACCOUNT,
    TERMINATION_HANDLER_ACCOUNT,
    own_accounts,
)
from lowtide.resolve.blueprint.scope import SAME_NAME_TWICE, Scope
from lowtide.resolve.ready_policies import well_known
from lowtide.spec.clusterconfig.identity import (
    PodIdentityAssociation,
    ServiceAccount,
)

#: The ready-made permissions of what lowtide installs: eksctl's key for the one, a key of ours for the other.
_OWN_POLICIES = {
    AUTOSCALER_ACCOUNT: "autoScaler",
    TERMINATION_HANDLER_ACCOUNT: "nodeTerminationHandler",
}


def identities(scope: Scope) -> tuple[Identity, ...]:
    """Return the file's service accounts, then ours where the file has none of that name."""
    iam = scope.config.iam
    _refuse_twice(scope, iam.pod_identity_associations)
    return (
        *map(_irsa, iam.service_accounts),
        *map(pod_identity, iam.pod_identity_associations),
        *map(_own, own_accounts(scope.config, scope.cluster.node_groups)),
    )


def pod_identity(one: PodIdentityAssociation) -> Identity:
    """Return the identity of an association, of the cluster or of an add-on."""
    return Identity(
        kind=POD_IDENTITY,
        namespace=one.namespace,
        name=one.service_account_name,
        permissions=Permissions(
            policy_arns=one.permission_policy_arns,
            document=one.permission_policy or None,
            document_name=one.permission_policy_name,
            well_known=well_known(one.well_known_policies),
            boundary_arn=one.permissions_boundary_arn,
        ),
        role_arn=one.role_arn,
        role_name=one.role_name,
        create_account=one.create_service_account,
        tags=one.tags,
        target_role_arn=one.target_role_arn,
        disable_session_tags=one.disable_session_tags,
        session_policy=one.policy,
    )


def _irsa(one: ServiceAccount) -> Identity:
    return Identity(
        kind=IRSA,
        namespace=one.metadata.namespace,
        name=one.metadata.name,
        permissions=Permissions(
            policy_arns=one.attach_policy_arns,
            document=one.attach_policy,
            well_known=well_known(one.well_known_policies),
            boundary_arn=one.permissions_boundary,
        ),
        role_arn=one.attach_role_arn,
        role_name=one.role_name,
        create_account=not one.role_only,
        labels=one.metadata.labels,
        annotations=one.metadata.annotations,
        tags=one.tags,
        subject_pattern=one.subject_pattern,
    )


def _own(account: str) -> Identity:
    return Identity(
        kind=POD_IDENTITY,
        namespace=SYSTEM_NAMESPACE,
        name=account,
        permissions=Permissions(well_known=(_OWN_POLICIES[account],)),
        create_account=False,
    )


def _refuse_twice(scope: Scope, associations: tuple[PodIdentityAssociation, ...]) -> None:
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(associations):
        key = (one.namespace, one.service_account_name)
        if key in seen:
            message = f"{'/'.join(key)} is there twice, and EKS takes one association of an account"
            at = ("iam", "podIdentityAssociations", index)
            scope.refuse(SAME_NAME_TWICE, message, at, "remove one")
        seen.add(key)
