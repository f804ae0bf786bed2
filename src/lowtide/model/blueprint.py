"""What the file asks of AWS beyond what a simulation needs: network, control plane, roles, launch details.

Made once by ``resolve`` beside the resolved cluster; ``aws/templates`` and ``plan`` read both and nothing else. Empty strings mean
"not given", so that a template leaves the property out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: A JSON-like policy document or configuration as it stands in the file.
Document = Mapping[str, Any]

#: Kinds of ``Identity``: by the cluster's OIDC provider, or by the EKS Pod Identity agent.
IRSA = "irsa"
POD_IDENTITY = "pod-identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet to be made (``cidr``) or one that exists (``id``)."""

    zone: str
    public: bool
    cidr: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The VPC to be made (``cidr``), or the one that exists (``vpc_id``; ``cidr`` then only where the file gives it).

    ``nat_zones`` are the zones that get a NAT gateway; with one, all private subnets route through it. ``security_group``
    and ``shared_node_security_group`` are given ones.
    """

    cidr: str = ""
    vpc_id: str = ""
    extra_cidrs: tuple[str, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    nat_zones: tuple[str, ...] = ()
    security_group: str = ""
    control_plane_security_groups: tuple[str, ...] = ()
    control_plane_subnets: tuple[str, ...] = ()
    control_plane_on_private_subnets: bool = False
    shared_node_security_group: str = ""
    manage_shared_rules: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """An EKS access policy; no namespaces means the whole cluster."""

    arn: str
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEntry:
    """An IAM principal that may use the Kubernetes API."""

    principal_arn: str
    type: str = "STANDARD"
    groups: tuple[str, ...] = ()
    username: str = ""
    policies: tuple[AccessPolicy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """The EKS cluster itself. ``support_type`` and ``authentication_mode`` are the hardened values."""

    support_type: str
    authentication_mode: str
    creator_is_admin: bool = True
    public_access: bool = True
    private_access: bool = True
    public_cidrs: tuple[str, ...] = ()
    log_types: tuple[str, ...] = ()
    log_retention_days: int = 0
    secrets_key_arn: str = ""
    service_cidr: str = ""
    role_arn: str = ""
    role_boundary_arn: str = ""
    vpc_resource_controller: bool = True
    with_oidc: bool = False
    access_entries: tuple[AccessEntry, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a role may do: managed policies, an own document, and ready-made ones by eksctl's key (``autoScaler``).

    ``document_name`` is the name that the file gives the document, empty where it gives none.
    """

    policy_arns: tuple[str, ...] = ()
    document: Document | None = None
    document_name: str = ""
    well_known: tuple[str, ...] = ()
    boundary_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A service account with an IAM role, by ``irsa`` or by ``pod-identity``.

    ``role_arn`` is a role that exists; otherwise one is made from ``permissions``. ``create_account`` says whether the Kubernetes
    object is to be made for it; accounts of add-ons, of the autoscaler and of the termination handler come with those.
    ``session_policy`` is a policy in JSON that narrows what the role may do for this account.
    """

    kind: str
    namespace: str
    name: str
    permissions: Permissions = Permissions()
    role_arn: str = ""
    role_name: str = ""
    create_account: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    subject_pattern: str = ""
    target_role_arn: str = ""
    disable_session_tags: bool = False
    session_policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addon:
    """An EKS add-on; ``needs_nodes`` ones never become ACTIVE without a node and come after the general group."""

    name: str
    needs_nodes: bool
    version: str = ""
    configuration: str = ""
    resolve_conflicts: str = ""
    role_arn: str = ""
    identities: tuple[Identity, ...] = ()
    namespace: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDevice:
    """A further volume of a node."""

    device: str
    gib: int
    type: str
    encrypted: bool
    kms_key_id: str = ""
    iops: int | None = None
    throughput_mib: int | None = None
    snapshot_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRole:
    """The role of a group's nodes. Groups with equal ones share it.

    ``profile_arn`` or ``role_arn`` name what exists; ``addon_policies`` are keys of iam.withAddonPolicies.
    ``replaces_defaults``: attachPolicyARNs of the file stand instead of the default node policies, as in eksctl.
    """

    profile_arn: str = ""
    role_arn: str = ""
    role_name: str = ""
    addon_policies: tuple[str, ...] = ()
    permissions: Permissions = Permissions()
    replaces_defaults: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a group's nodes are launched, beyond what ``NodeGroup`` says.

    ``root_device`` empty means the image's own. ``imds_hops`` is the IMDSv2 hop limit (1 keeps pods out); ``imds_v1`` brings the old
    version back where the file insists. ``tags`` are the file's, for stack and instances. ``kubelet`` is kubeletExtraConfig.
    """

    group: str
    role: NodeRole = NodeRole()
    subnet_ids: tuple[str, ...] = ()
    root_device: str = ""
    kms_key_id: str = ""
    volumes: tuple[BlockDevice, ...] = ()
    imds_hops: int = 2
    imds_v1: bool = False
    max_pods: int = 0
    kubelet: Document = field(default_factory=dict)
    cluster_dns: str = ""
    pre_bootstrap: tuple[str, ...] = ()
    override_bootstrap: str = ""
    bottlerocket: Document = field(default_factory=dict)
    key_name: str = ""
    public_key: str = ""
    ssh_allowed: bool = False
    ssh_sources: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    with_shared_group: bool = True
    with_local_group: bool = True
    ebs_optimized: bool | None = None
    detailed_monitoring: bool = False
    efa: bool = False
    placement_group: str = ""
    reservation: Document = field(default_factory=dict)
    market_type: str = ""
    cpu_credits: str = ""
    max_lifetime_s: int = 0
    metrics: tuple[tuple[str, tuple[str, ...]], ...] = ()
    spot_pools: int | None = None
    instance_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    max_unavailable: int = 0
    max_unavailable_percent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """Everything AWS is asked for, beside the resolved cluster of the same file.

    ``notes`` are for the person who creates it: what is left to them, and what nobody has verified.
    """

    control_plane: ControlPlane
    network: Network
    addons: tuple[Addon, ...]
    identities: tuple[Identity, ...]
    launches: tuple[Launch, ...]
    notes: tuple[str, ...] = ()

    def launch(self, group: str) -> Launch:
        """Return the launch details of a group.

        Raises:
            KeyError: there is no such group.
        """
        for one in self.launches:
            if one.group == group:
                return one
        raise KeyError(group)
