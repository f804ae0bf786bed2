"""Who may do what: the sections ``iam``, ``accessConfig`` and ``addons`` of a ClusterConfig.

Rules beside single values follow eksctl's validation.go, addon.go and access_entry.go.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from lowtide.spec.clusterconfig.section import (
    Arn,
    FreeForm,
    Many,
    Section,
    Tags,
    Texts,
    omitted,
    unsupported,
    wrong,
)
from lowtide.spec.words import quoted


class WellKnownPolicies(Section):
    """Ready-made IAM policies, by the add-on that needs them."""

    image_builder: bool = False
    auto_scaler: bool = False
    aws_load_balancer_controller: bool = Field(default=False, alias="awsLoadBalancerController")
    external_dns: bool = False
    cert_manager: bool = False
    ebs_csi_controller: bool = Field(default=False, alias="ebsCSIController")
    efs_csi_controller: bool = Field(default=False, alias="efsCSIController")

    @property
    def any(self) -> bool:
        """Whether at least one is switched on."""
        return any(getattr(self, name) for name in type(self).model_fields)


class ServiceAccountMeta(Section):
    """Name and place of a Kubernetes service account."""

    name: str = Field(min_length=1)
    namespace: str = "default"
    labels: Tags = Field(default_factory=dict)
    annotations: Tags = Field(default_factory=dict)


class ServiceAccount(Section):
    """A service account with an IAM role (IRSA)."""

    metadata: ServiceAccountMeta
    well_known_policies: WellKnownPolicies = omitted(WellKnownPolicies)
    attach_policy_arns: Texts = Field(default=(), alias="attachPolicyARNs")
    attach_policy: FreeForm | None = None
    attach_role_arn: str = ""
    role_name: str = ""
    role_only: bool = False
    permissions_boundary: str = ""
    subject_pattern: str = ""
    tags: Tags = Field(default_factory=dict)

    not_supported: ClassVar = {"status": "eksctl writes it, nobody sets it"}

    @property
    def full_name(self) -> str:
        """``namespace/name``."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def has_policy(self) -> bool:
        """Whether anything says what the role may do."""
        return bool(
            self.well_known_policies.any
            or self.attach_policy_arns
            or self.attach_policy is not None
            or self.attach_role_arn
        )


class PodIdentityAssociation(Section):
    """A service account with an IAM role (EKS Pod Identity)."""

    namespace: str = Field(min_length=1)
    service_account_name: str = Field(min_length=1)
    create_service_account: bool = False
    role_arn: str = ""
    role_name: str = ""
    permissions_boundary_arn: str = ""
    permission_policy_arns: Texts = Field(default=(), alias="permissionPolicyARNs")
    permission_policy: FreeForm = Field(default_factory=dict)
    permission_policy_name: str = ""
    well_known_policies: WellKnownPolicies = omitted(WellKnownPolicies)
    target_role_arn: str = ""
    disable_session_tags: bool = False
    policy: str = ""
    tags: Tags = Field(default_factory=dict)

    @property
    def has_policy(self) -> bool:
        """Whether policies for a new role are written here."""
        return bool(
            self.permission_policy_arns or self.permission_policy or self.well_known_policies.any
        )


class AddonPodIdentityAssociation(PodIdentityAssociation):
    """A service account of an add-on with an IAM role (EKS Pod Identity); without a namespace it is in the add-on's.

    eksctl's published schema and user guide ("EKS Pod Identity associations") leave the namespace out, and EKS takes none; only its
    validation at v0.230.0 (addon.go) wants one all the same.
    """

    namespace: str = ""


ServiceAccounts = Many[ServiceAccount]
PodIdentityAssociations = Many[PodIdentityAssociation]
AddonPodIdentityAssociations = Many[AddonPodIdentityAssociation]


class ClusterIam(Section):
    """``iam``: roles of the control plane and of service accounts."""

    with_oidc: bool = False
    vpc_resource_controller_policy: bool = True
    service_role_arn: str = ""
    service_role_permissions_boundary: str = ""
    service_accounts: ServiceAccounts = ()
    pod_identity_associations: PodIdentityAssociations = ()

    not_supported: ClassVar = dict.fromkeys(
        ("fargatePodExecutionRoleARN", "fargatePodExecutionRolePermissionsBoundary"), "no Fargate"
    )


class AccessScope(Section):
    """Where an access policy holds."""

    type: Literal["cluster", "namespace"]
    namespaces: Texts = ()


def _access_policy_arn(value: str) -> str:
    if not value.split(":", maxsplit=5)[-1].startswith("cluster-access-policy/"):
        raise wrong(f"{quoted(value)} is no cluster-access-policy")
    return value


class AccessPolicy(Section):
    """An EKS access policy and its scope."""

    policy_arn: Annotated[Arn, AfterValidator(_access_policy_arn)]
    access_scope: AccessScope


class AccessEntry(Section):
    """An IAM principal that may use the Kubernetes API."""

    principal_arn: Arn
    type: Literal[
        "STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "EC2"
    ] = "STANDARD"
    kubernetes_groups: Texts = ()
    kubernetes_username: str = ""
    access_policies: Many[AccessPolicy] = ()


class AccessConfig(Section):
    """``accessConfig``: how IAM principals reach the Kubernetes API."""

    authentication_mode: Literal["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"] = "API_AND_CONFIG_MAP"
    bootstrap_cluster_creator_admin_permissions: bool = True
    access_entries: Many[AccessEntry] = ()


def _configuration_values(text: str) -> str:
    # Late: few files have such values.
    from lowtide.model.errors import InputError  # noqa: PLC0415
    from lowtide.spec.document import parse  # noqa: PLC0415

    try:
        documents = parse(text, "configurationValues") if text.strip() else ()
    except InputError as error:
        raise wrong(f"is neither JSON nor YAML: {error.why}") from None
    if len(documents) > 1 or (documents and not isinstance(documents[0].data, dict)):
        raise wrong("must hold one JSON or YAML mapping")
    return text


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_CONFLICTS = ("none", "overwrite", "preserve")
#: Upper case in the published schema, lower case in eksctl's documentation and most files.
_ResolveConflicts = Annotated[
    Literal["NONE", "OVERWRITE", "PRESERVE"],
    BeforeValidator(_upper),
    WithJsonSchema({"enum": [*_CONFLICTS, *(one.upper() for one in _CONFLICTS)]}),
]


class AddonNamespace(Section):
    """The namespace an add-on is installed into."""

    namespace: str = Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")


class Addon(Section):
    """One EKS add-on."""

    name: str = Field(min_length=1)
    version: str = ""
    configuration_values: Annotated[str, AfterValidator(_configuration_values)] = ""
    resolve_conflicts: _ResolveConflicts | None = None
    service_account_role_arn: str = ""
    attach_policy_arns: Texts = Field(default=(), alias="attachPolicyARNs")
    attach_policy: FreeForm | None = None
    well_known_policies: WellKnownPolicies = omitted(WellKnownPolicies)
    permissions_boundary: str = ""
    pod_identity_associations: AddonPodIdentityAssociations = ()
    use_default_pod_identity_associations: bool = False
    namespace_config: AddonNamespace | None = None
    tags: Tags = Field(default_factory=dict)

    not_supported: ClassVar = unsupported("owners", "publishers", "types")

    @property
    def policy_sources(self) -> int:
        """How many ways of giving the add-on an IRSA role are used; at most one may be."""
        return sum(
            (
                bool(self.service_account_role_arn),
                bool(self.attach_policy_arns),
                self.attach_policy is not None,
                self.well_known_policies.any,
            )
        )


class AddonsConfig(Section):
    """``addonsConfig``: what holds for all add-ons."""

    disable_default_addons: bool = False
    auto_apply_pod_identity_associations: bool = False
