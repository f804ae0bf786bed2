"""The network of a ClusterConfig: ``vpc``, ``kubernetesNetworkConfig`` and ``privateCluster``."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from lowtide.spec.clusterconfig.section import (
    Cidr,
    Cidrs,
    Section,
    Texts,
    not_supported,
    omitted,
    unsupported,
)

IPV6 = "IPv6 clusters are not supported"


class Nat(Section):
    """``vpc.nat``: eksctl builds one NAT gateway even where every node is public."""

    gateway: Literal["HighlyAvailable", "Single", "Disable"] = "Single"


class ClusterEndpoints(Section):
    """From where the API server can be reached."""

    public_access: bool = True
    private_access: bool = False


class Subnet(Section):
    """An existing subnet, by id, or by zone and CIDR."""

    id: str = ""
    az: str = ""
    cidr: Cidr | None = None


class Subnets(Section):
    """Existing subnets by zone or by a name of the user's."""

    public: dict[str, Subnet] = Field(default_factory=dict)
    private: dict[str, Subnet] = Field(default_factory=dict)

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones in which there is a subnet; a subnet without ``az`` has its zone as key."""
        both = (*self.public.items(), *self.private.items())
        return tuple(sorted({subnet.az or key for key, subnet in both}))


class Vpc(Section):
    """``vpc``: the network eksctl makes, or the one it is given."""

    id: str = ""
    cidr: Cidr = "192.168.0.0/16"
    subnets: Subnets = omitted(Subnets)
    nat: Nat = omitted(Nat)
    cluster_endpoints: ClusterEndpoints = omitted(ClusterEndpoints)
    public_access_cidrs: Cidrs = Field(default=(), alias="publicAccessCIDRs")
    extra_cidrs: Cidrs = Field(default=(), alias="extraCIDRs")
    security_group: str = ""
    control_plane_security_group_ids: Texts = Field(
        default=(), alias="controlPlaneSecurityGroupIDs"
    )
    control_plane_subnet_ids: Texts = Field(default=(), alias="controlPlaneSubnetIDs")
    control_plane_on_private_subnets: bool = False
    shared_node_security_group: str = ""
    manage_shared_node_security_group_rules: bool = True

    not_supported: ClassVar = {
        **unsupported("controlPlaneEgressMode", "hostnameType"),
        **dict.fromkeys(("autoAllocateIPv6", "extraIPv6CIDRs", "ipv6Cidr", "ipv6Pool"), IPV6),
    }


def _ip_family(value: Any) -> Any:
    if isinstance(value, str) and value.lower() == "ipv6":
        raise not_supported("IPv6", "use IPv4")
    # eksctl compares it without regard to case.
    return "IPv4" if isinstance(value, str) and value.lower() == "ipv4" else value


class KubernetesNetworkConfig(Section):
    """``kubernetesNetworkConfig``: addresses inside the cluster."""

    ip_family: Annotated[Literal["IPv4"], BeforeValidator(_ip_family)] = "IPv4"
    service_ipv4_cidr: Cidr | None = Field(default=None, alias="serviceIPv4CIDR")

    not_supported: ClassVar = {"serviceIPv6CIDR": IPV6}


def _refuse_true(value: bool) -> bool:  # noqa: FBT001 - pydantic calls it
    if value:
        raise not_supported("true", "set it to false, or remove it")
    return value


_AlwaysFalse = Annotated[bool, AfterValidator(_refuse_true)]


class PrivateCluster(Section):
    """``privateCluster``: accepted only when it says no."""

    enabled: _AlwaysFalse = False

    not_supported: ClassVar = unsupported("additionalEndpointServices", "skipEndpointCreation")


class AutoModeConfig(Section):
    """``autoModeConfig``: lowtide runs node groups of its own, so Auto Mode must be off."""

    enabled: _AlwaysFalse = False

    not_supported: ClassVar = dict.fromkeys(
        ("nodePools", "nodeRoleARN", "permissionsBoundaryARN"), "no Auto Mode"
    )
