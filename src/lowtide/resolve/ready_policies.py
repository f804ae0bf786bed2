"""Ready-made IAM policies that a file may name and that nothing can be rendered for, each at its place.

Why it exists: simulating such a file is fine, so ``check`` warns, and what renders it refuses it in the same words.

Sources: the policies that eksctl knows by key (pkg/cfn/builder/statement.go); AWS Load Balancer Controller, "Installation", which
publishes a policy of its own for every version; AWS's end of App Mesh.
"""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.spec.clusterconfig.cluster import ClusterConfig
from lowtide.spec.clusterconfig.identity import WellKnownPolicies
from lowtide.spec.document import PathInFile

#: LT229; a warning of ``check``, an error of what renders.
UNAVAILABLE_POLICY = ("LT229", "unavailable-policy")

_LOAD_BALANCER = "awsLoadBalancerController"
_OF_THE_CONTROLLER = (
    "AWS keeps no managed policy for the load balancer controller, whose own policy changes with its version",
    "write the iam_policy.json of your controller's version as {key}",
)
_ENDED = ("AWS ended App Mesh on 2026-09-30", "remove it")
#: Key to why there is none, and what to do instead.
UNAVAILABLE = {
    _LOAD_BALANCER: _OF_THE_CONTROLLER,
    "albIngress": _OF_THE_CONTROLLER,
    "appMesh": _ENDED,
    "appMeshPreview": _ENDED,
}


def unavailable_policies(config: ClusterConfig) -> Iterator[tuple[PathInFile, str, str]]:
    """Yield place, message and fix of each policy that the file asks for and lowtide does not have."""
    for path, keys, instead in _asked(config):
        for key in keys:
            if key in UNAVAILABLE:
                why, fix = UNAVAILABLE[key]
                yield (
                    (*path, key),
                    f"no policy {key} can be rendered: {why}",
                    fix.format(key=instead),
                )


def _asked(config: ClusterConfig) -> Iterator[tuple[PathInFile, tuple[str, ...], str]]:
    """Yield each section of ready-made policies with its keys, and where an own document goes instead."""
    iam = config.iam
    for at, account in enumerate(iam.service_accounts):
        keys = well_known(account.well_known_policies)
        yield ("iam", "serviceAccounts", at, "wellKnownPolicies"), keys, "attachPolicy"
    for at, association in enumerate(iam.pod_identity_associations):
        keys = well_known(association.well_known_policies)
        where = ("iam", "podIdentityAssociations", at, "wellKnownPolicies")
        yield where, keys, "permissionPolicy"
    for at, addon in enumerate(config.addons):
        keys = well_known(addon.well_known_policies)
        yield ("addons", at, "wellKnownPolicies"), keys, "attachPolicy"
    for path, group in config.all_groups:
        keys = group.iam.with_addon_policies.enabled
        own = "attachPolicy of a service account of its own"
        yield (*path, "iam", "withAddonPolicies"), keys, own


def well_known(policies: WellKnownPolicies) -> tuple[str, ...]:
    """Return the keys of the ready-made policies that are switched on."""
    fields = type(policies).model_fields
    return tuple(str(one.alias) for name, one in fields.items() if getattr(policies, name))
