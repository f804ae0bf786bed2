"""EKS add-ons: the file's, eksctl's default ones, and the pod-identity agent where somebody needs it."""

from __future__ import annotations

from dataclasses import replace

from lowtide.model.blueprint import IRSA, POD_IDENTITY, Addon, Identity, Permissions
from lowtide.resolve.addon_roles import (
    AGENT,
    VPC_CNI,
    AddonRole,
    adds_agent,
    by_pod_identity,
    default_addons,
    known_role,
    roleless_addons,
    unknown_permissions,
)
from lowtide.resolve.blueprint.identities import pod_identity
from lowtide.resolve.blueprint.scope import NOT_IN_AN_ADDON, SAME_NAME_TWICE, UNKNOWN_ACCOUNT, Scope
from lowtide.resolve.ready_policies import well_known
from lowtide.spec.clusterconfig import identity
from lowtide.spec.clusterconfig.section import omitted

#: They run once per node on the host's network, and become ACTIVE in a cluster without nodes.
_WITHOUT_NODES = frozenset({VPC_CNI, "kube-proxy", AGENT})


def addons(scope: Scope) -> tuple[Addon, ...]:
    """Return the add-ons, those first that need no node."""
    config = scope.config
    _refuse_twice(scope, config.addons)
    found = [_given(scope, index, one) for index, one in enumerate(config.addons)]
    found += [_default(scope, name) for name in default_addons(config)]
    if adds_agent(config, scope.cluster.node_groups):
        found.append(_default(scope, AGENT))
    return tuple(sorted(found, key=lambda one: one.needs_nodes))


def _default(scope: Scope, name: str) -> Addon:
    identities = _recommended(scope, name, by_pods=by_pod_identity(scope.config))
    return Addon(name=name, needs_nodes=name not in _WITHOUT_NODES, identities=identities)


def _given(scope: Scope, index: int, one: identity.Addon) -> Addon:
    name = one.name.lower()
    return Addon(
        name=name,
        needs_nodes=name not in _WITHOUT_NODES,
        # eksctl takes "latest" as it takes nothing: EKS's default for the cluster's minor.
        version="" if one.version == "latest" else one.version,
        configuration=one.configuration_values,
        resolve_conflicts=one.resolve_conflicts or "",
        role_arn=one.service_account_role_arn,
        identities=_identities(scope, index, one),
        namespace=_namespace(one, ""),
        tags=one.tags,
    )


def _identities(scope: Scope, index: int, one: identity.Addon) -> tuple[Identity, ...]:
    if one.service_account_role_arn:
        return ()
    if one.pod_identity_associations:
        return _associations(scope, index, one)
    if one.policy_sources:
        return _of_known_account(scope, index, one)
    by_default = one.use_default_pod_identity_associations
    if by_default and index in dict(unknown_permissions(scope.config)):
        message = f"only the account knows the recommended policies of {one.name}"
        at = ("addons", index, "useDefaultPodIdentityAssociations")
        fix = "write podIdentityAssociations with serviceAccountName and permissionPolicyARNs"
        scope.refuse(UNKNOWN_ACCOUNT, message, at, fix)
        return ()
    by_pods = by_default or by_pod_identity(scope.config)
    return _recommended(scope, one.name.lower(), by_pods=by_pods, given=one)


def _associations(scope: Scope, index: int, one: identity.Addon) -> tuple[Identity, ...]:
    for number, each in enumerate(one.pod_identity_associations):
        more = {
            "targetRoleARN": each.target_role_arn,
            "disableSessionTags": each.disable_session_tags,
            "policy": each.policy,
        }
        for key in (key for key, value in more.items() if value):
            message = f"EKS takes no {key} for the associations of an add-on"
            at = ("addons", index, "podIdentityAssociations", number, key)
            scope.refuse(NOT_IN_AN_ADDON, message, at, "write it in iam.podIdentityAssociations")
    namespace = _account_namespace(scope, index, one)
    found = map(pod_identity, one.pod_identity_associations)
    # The add-on brings its accounts along.
    return tuple(
        replace(each, create_account=False, namespace=each.namespace or namespace) for each in found
    )


def _account_namespace(scope: Scope, index: int, one: identity.Addon) -> str:
    """Return the add-on's namespace, which associations without one of their own mean; a role is bound to it."""
    known = known_role(one.name.lower())
    namespace = _namespace(one, known.namespace if known else "")
    for number, each in enumerate(one.pod_identity_associations):
        if not (namespace or each.namespace):
            message = f"nothing says in which namespace the pods of {one.name} run"
            at = ("addons", index, "podIdentityAssociations", number)
            scope.refuse(UNKNOWN_ACCOUNT, message, at, "add namespace")
    return namespace


def _of_known_account(scope: Scope, index: int, one: identity.Addon) -> tuple[Identity, ...]:
    """Return the identity of permissions that the file gives to an add-on as a whole."""
    name = one.name.lower()
    known = known_role(name)
    if known is None:
        message = f"nothing says which service account of {one.name} gets these permissions"
        fix = "write podIdentityAssociations, which name serviceAccountName"
        scope.refuse(UNKNOWN_ACCOUNT, message, ("addons", index), fix)
        return ()
    permissions = Permissions(
        policy_arns=one.attach_policy_arns,
        document=one.attach_policy,
        well_known=well_known(one.well_known_policies),
        boundary_arn=one.permissions_boundary,
    )
    kind = IRSA if scope.config.iam.with_oidc else POD_IDENTITY
    return (_account(kind, known, permissions, one),)


_NOTHING_GIVEN = omitted(identity.Addon)


def _recommended(
    scope: Scope, name: str, *, by_pods: bool, given: identity.Addon = _NOTHING_GIVEN
) -> tuple[Identity, ...]:
    """Return the role of an add-on that calls AWS, where the file gives it none."""
    known = known_role(name)
    if known is None or name not in roleless_addons(scope.config):
        return ()
    permissions = Permissions(well_known=(known.policy,), boundary_arn=given.permissions_boundary)
    return (_account(POD_IDENTITY if by_pods else IRSA, known, permissions, given),)


def _account(
    kind: str, known: AddonRole, permissions: Permissions, given: identity.Addon
) -> Identity:
    return Identity(
        kind=kind,
        namespace=_namespace(given, known.namespace),
        name=known.account,
        permissions=permissions,
        create_account=False,
    )


def _namespace(one: identity.Addon, usual: str) -> str:
    return one.namespace_config.namespace if one.namespace_config else usual


def _refuse_twice(scope: Scope, given: tuple[identity.Addon, ...]) -> None:
    seen: set[str] = set()
    for index, one in enumerate(given):
        if one.name.lower() in seen:
            message = f"the add-on {one.name} is there twice"
            scope.refuse(SAME_NAME_TWICE, message, ("addons", index), "remove one")
        seen.add(one.name.lower())
