"""Rules between the sections of a ClusterConfig, as eksctl checks them before it creates anything.

Facts: eksctl-io/eksctl at 99984adb, pkg/apis/eksctl.io/v1alpha5 (validation.go, addon.go, access_entry.go), pkg/vpc/vpc.go
and pkg/ctl/cmdutils/configfile.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.spec.clusterconfig import facts
from lowtide.spec.clusterconfig.cluster import ClusterConfig, GroupAt
from lowtide.spec.clusterconfig.group_rules import Broken
from lowtide.spec.clusterconfig.identity import (
    AccessEntry,
    Addon,
    PodIdentityAssociation,
)
from lowtide.spec.words import quoted

POD_IDENTITY_AGENT = "eks-pod-identity-agent"


def broken_rules(config: ClusterConfig) -> Iterator[Broken]:
    """Yield every broken rule outside the node groups."""
    yield from _zones(config)
    yield from _vpc(config)
    yield from _iam(config)
    yield from _access(config)
    for index, addon in enumerate(config.addons):
        for below, why, fix in _addon(addon):
            yield Broken(("addons", index, *below), why, fix)
    logging = config.cloud_watch.cluster_logging
    if logging.log_retention_in_days and not logging.types:
        at = ("cloudWatch", "clusterLogging", "logRetentionInDays")
        yield Broken(at, "logRetentionInDays needs enableTypes", "add enableTypes, or remove it")


def broken_between_groups(config: ClusterConfig, groups: tuple[GroupAt, ...]) -> Iterator[Broken]:
    """Yield what is wrong between node groups, and between them and the cluster's zones.

    Args:
        config: a configuration whose single values are sound.
        groups: the groups whose single values are sound, with their paths in the document.
    """
    seen: dict[str, str] = {}
    for path, group in groups:
        if group.name in seen:
            why = f"the name {group.name} is taken by {seen[group.name]}"
            yield Broken((*path, "name"), why, "rename one of the two")
        seen.setdefault(group.name, f"{path[0]}[{path[1]}]")
        known = config.zones
        for index, zone in enumerate(group.availability_zones):
            at = (*path, "availabilityZones", index)
            if not zone.startswith(config.region):
                yield _foreign_zone(at, zone, config.region)
            elif known and zone not in known:
                why = f"{zone} has no subnet: the cluster's zones are {', '.join(known)}"
                yield Broken(at, why, "add it to the cluster's availabilityZones")


def _foreign_zone(at: tuple[str | int, ...], zone: str, region: str) -> Broken:
    return Broken(at, f"{quoted(zone)} is not in region {region}", f"zones look like {region}a")


def _zones(config: ClusterConfig) -> Iterator[Broken]:
    zones = config.availability_zones
    if zones and len(zones) < facts.MIN_ZONES:
        why = f"{len(zones)} zone given, an EKS control plane needs {facts.MIN_ZONES}"
        yield Broken(("availabilityZones",), why, "add a zone, or remove availabilityZones")
    for index, zone in enumerate(zones):
        if not zone.startswith(config.region):
            yield _foreign_zone(("availabilityZones", index), zone, config.region)


def _vpc(config: ClusterConfig) -> Iterator[Broken]:
    vpc = config.vpc
    prefix = int(vpc.cidr.rpartition("/")[2])
    if not 16 <= prefix <= 24:
        yield Broken(("vpc", "cidr"), f"a VPC of eksctl is /16 to /24, not /{prefix}")
    if not (vpc.cluster_endpoints.public_access or vpc.cluster_endpoints.private_access):
        at = ("vpc", "clusterEndpoints")
        yield Broken(at, "nobody could reach the API server", "allow public or private access")
    if vpc.security_group and vpc.control_plane_security_group_ids:
        why = "securityGroup and controlPlaneSecurityGroupIDs exclude each other"
        yield Broken(("vpc", "securityGroup"), why, "keep one")
    if not vpc.shared_node_security_group and not vpc.manage_shared_node_security_group_rules:
        at = ("vpc", "manageSharedNodeSecurityGroupRules")
        yield Broken(at, "false needs sharedNodeSecurityGroup", "remove it")
    yield from _subnets(config)


def _subnets(config: ClusterConfig) -> Iterator[Broken]:
    vpc = config.vpc
    given = {"public": vpc.subnets.public, "private": vpc.subnets.private}
    if any(given.values()) and config.availability_zones:
        why = "vpc.subnets and availabilityZones exclude each other"
        yield Broken(("availabilityZones",), why, "remove it: the subnets have their zones")
    for kind, subnets in given.items():
        if subnets and len(subnets) < facts.MIN_SUBNETS:
            at = ("vpc", "subnets", kind)
            yield Broken(at, f"at least {facts.MIN_SUBNETS} {kind} subnets are needed")
    if not vpc.control_plane_on_private_subnets:
        return
    where = ("vpc", "controlPlaneOnPrivateSubnets")
    if vpc.control_plane_subnet_ids:
        why = "controlPlaneSubnetIDs and controlPlaneOnPrivateSubnets exclude each other"
        yield Broken(where, why, "keep one")
    private = {subnet.az or key for key, subnet in vpc.subnets.private.items()}
    zones = private if any(given.values()) else set(config.availability_zones)
    if (any(given.values()) or zones) and len(zones) < facts.MIN_ZONES:
        why = f"private subnets in {facts.MIN_ZONES} different zones are needed"
        yield Broken(where, why)


def _iam(config: ClusterConfig) -> Iterator[Broken]:
    iam = config.iam
    if iam.service_accounts and not iam.with_oidc:
        fix = "add iam.withOIDC: true"
        yield Broken(("iam", "serviceAccounts"), "serviceAccounts need iam.withOIDC: true", fix)
    seen: set[str] = set()
    for index, account in enumerate(iam.service_accounts):
        at = ("iam", "serviceAccounts", index)
        if account.full_name in seen:
            yield Broken((*at, "metadata"), f"{account.full_name} is there twice", "remove one")
        seen.add(account.full_name)
        if not account.has_policy:
            fix = "add wellKnownPolicies, attachPolicyARNs, attachPolicy or attachRoleARN"
            yield Broken(at, f"nothing says what {account.full_name} may do", fix)
    if iam.pod_identity_associations and POD_IDENTITY_AGENT not in _addon_names(config):
        why = f"podIdentityAssociations need the add-on {POD_IDENTITY_AGENT}"
        fix = f"add it to addons: - name: {POD_IDENTITY_AGENT}"
        yield Broken(("iam", "podIdentityAssociations"), why, fix)
    for index, association in enumerate(iam.pod_identity_associations):
        for below, why, fix in _association(association):
            yield Broken(("iam", "podIdentityAssociations", index, *below), why, fix)


def _addon_names(config: ClusterConfig) -> set[str]:
    return {addon.name.lower() for addon in config.addons}


def _association(association: PodIdentityAssociation) -> Iterator[Broken]:
    if association.role_arn and association.has_policy:
        yield Broken(("roleARN",), "an existing role and policies for a new one", "keep one")
    if not association.role_arn and not association.has_policy:
        fix = "add roleARN, permissionPolicyARNs, permissionPolicy or wellKnownPolicies"
        yield Broken((), f"nothing says what {association.service_account_name} may do", fix)
    name = association.permission_policy_name
    if name and not association.permission_policy:
        yield Broken(("permissionPolicyName",), "permissionPolicyName needs permissionPolicy")
    elif name and not any(letter.isascii() and letter.isalnum() for letter in name):
        yield Broken(("permissionPolicyName",), f"{quoted(name)} has no letter and no digit")


def _access(config: ClusterConfig) -> Iterator[Broken]:
    access = config.access_config
    if access.access_entries and access.authentication_mode == "CONFIG_MAP":
        fix = "use API_AND_CONFIG_MAP or API"
        mode = ("accessConfig", "authenticationMode")
        yield Broken(mode, "accessEntries do not work with CONFIG_MAP", fix)
    seen: set[str] = set()
    for index, entry in enumerate(access.access_entries):
        at = ("accessConfig", "accessEntries", index)
        if entry.principal_arn in seen:
            yield Broken((*at, "principalARN"), f"{entry.principal_arn} is there twice")
        seen.add(entry.principal_arn)
        for below, why, fix in _entry(entry):
            yield Broken((*at, *below), why, fix)


def _entry(entry: AccessEntry) -> Iterator[Broken]:
    if entry.type not in {"STANDARD", "EC2"}:
        for key, value in (
            ("kubernetesGroups", entry.kubernetes_groups),
            ("kubernetesUsername", entry.kubernetes_username),
            ("accessPolicies", entry.access_policies),
        ):
            if value:
                yield Broken((key,), f"entries of type {entry.type} have no {key}", "remove it")
    for index, policy in enumerate(entry.access_policies):
        scope = policy.access_scope
        at = ("accessPolicies", index, "accessScope")
        if scope.type == "cluster" and scope.namespaces:
            yield Broken(at, "scope cluster has no namespaces", "use type: namespace")
        if scope.type == "namespace" and not scope.namespaces:
            yield Broken(at, "scope namespace needs at least one of namespaces")


def _addon(addon: Addon) -> Iterator[Broken]:
    associations = addon.pod_identity_associations
    sources = addon.policy_sources
    if sources > 1:
        why = "one of serviceAccountRoleARN, attachPolicyARNs, attachPolicy, wellKnownPolicies is allowed"
        yield Broken((), why, "keep one")
    if sources and associations:
        why = "pod identity and an IAM role for the service account exclude each other"
        yield Broken(("podIdentityAssociations",), why, "keep podIdentityAssociations")
    if addon.use_default_pod_identity_associations and (sources or associations):
        why = "useDefaultPodIdentityAssociations excludes every other way to give a role"
        yield Broken(("useDefaultPodIdentityAssociations",), why, "keep one")
    if associations and addon.name.lower() == POD_IDENTITY_AGENT:
        yield Broken(("podIdentityAssociations",), "the agent itself takes no pod identity")
    for index, association in enumerate(associations):
        at = ("podIdentityAssociations", index)
        if association.well_known_policies.any:
            fix = "use useDefaultPodIdentityAssociations"
            yield Broken((*at, "wellKnownPolicies"), "not allowed inside an add-on", fix)
        if "tags" in association.model_fields_set:
            yield Broken((*at, "tags"), "not allowed inside an add-on", "remove it")
        for below, why, fix in _association(association):
            yield Broken((*at, *below), why, fix)
