"""The control plane: what the file says, with the two hardened values of ``resolve.hardening``."""

from __future__ import annotations

import ipaddress

from lowtide.model.blueprint import AccessEntry, AccessPolicy, ControlPlane
from lowtide.resolve.blueprint.network import ipv4
from lowtide.resolve.blueprint.scope import NO_ACCESS_ENTRIES, WRONG_NETWORK, Scope
from lowtide.resolve.support import authentication_mode, support_type
from lowtide.spec.clusterconfig import identity

#: Where services may be (EKS API reference, KubernetesNetworkConfigRequest).
_SERVICE_BLOCKS = tuple(
    ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_SERVICE_PREFIXES = range(12, 25)


def control_plane(scope: Scope) -> ControlPlane:
    """Return the control plane; endpoints, logs and roles stay as the file has them."""
    config = scope.config
    access, logging = config.access_config, config.cloud_watch.cluster_logging
    mode = authentication_mode(config)
    if mode == "CONFIG_MAP":
        message = "nodes join by access entries, which CONFIG_MAP does not have"
        at = ("accessConfig", "authenticationMode")
        scope.refuse(NO_ACCESS_ENTRIES, message, at, "write API, or API_AND_CONFIG_MAP")
    return ControlPlane(
        support_type=support_type(config),
        authentication_mode=mode,
        creator_is_admin=access.bootstrap_cluster_creator_admin_permissions,
        public_access=config.vpc.cluster_endpoints.public_access,
        private_access=config.vpc.cluster_endpoints.private_access,
        public_cidrs=config.vpc.public_access_cidrs,
        log_types=logging.types,
        log_retention_days=logging.log_retention_in_days,
        secrets_key_arn=config.secrets_encryption.key_arn if config.secrets_encryption else "",
        service_cidr=_service_cidr(scope),
        role_arn=config.iam.service_role_arn,
        role_boundary_arn=config.iam.service_role_permissions_boundary,
        vpc_resource_controller=config.iam.vpc_resource_controller_policy,
        with_oidc=config.iam.with_oidc,
        access_entries=tuple(map(_access_entry, access.access_entries)),
        tags=config.metadata.tags,
    )


def _access_entry(entry: identity.AccessEntry) -> AccessEntry:
    return AccessEntry(
        principal_arn=entry.principal_arn,
        type=entry.type,
        groups=entry.kubernetes_groups,
        username=entry.kubernetes_username,
        policies=tuple(
            AccessPolicy(arn=one.policy_arn, namespaces=one.access_scope.namespaces)
            for one in entry.access_policies
        ),
    )


def _service_cidr(scope: Scope) -> str:
    """Return the addresses of services, empty where EKS may choose."""
    config = scope.config
    given = config.kubernetes_network_config.service_ipv4_cidr
    if given is None:
        return ""
    at = ("kubernetesNetworkConfig", "serviceIPv4CIDR")
    services = ipv4(scope, given, at)
    if services is None:
        return ""
    if services.prefixlen not in _SERVICE_PREFIXES or not any(
        services.subnet_of(block) for block in _SERVICE_BLOCKS
    ):
        message = f"EKS takes services in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16 with /12 to /24, not {given}"
        scope.refuse(WRONG_NETWORK, message, at, "write 172.20.0.0/16, or remove it")
    _refuse_overlap(scope, services, at)
    return str(services)


def _refuse_overlap(
    scope: Scope, services: ipaddress.IPv4Network, at: tuple[str | int, ...]
) -> None:
    vpc = scope.config.vpc
    # The default CIDR says nothing about a VPC that exists.
    own = (vpc.cidr,) if not vpc.id or "cidr" in vpc.model_fields_set else ()
    for cidr in (*own, *vpc.extra_cidrs):
        network = ipaddress.ip_network(cidr, strict=False)
        if isinstance(network, ipaddress.IPv4Network) and network.overlaps(services):
            message = f"services {services} would hide addresses of the VPC, {network}"
            scope.refuse(WRONG_NETWORK, message, at, "choose a range outside the VPC")
