"""The ClusterConfig itself, with eksctl's value for every omitted key."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, Field

from lowtide.spec.clusterconfig import facts
from lowtide.spec.clusterconfig.identity import AccessConfig, Addon, AddonsConfig, ClusterIam
from lowtide.spec.clusterconfig.network import (
    AutoModeConfig,
    KubernetesNetworkConfig,
    PrivateCluster,
    Vpc,
)
from lowtide.spec.clusterconfig.nodegroups import AnyGroup, ManagedNodeGroup, NodeGroup
from lowtide.spec.clusterconfig.section import (
    Arn,
    Many,
    ResourceName,
    Section,
    Tags,
    Texts,
    Whole,
    omitted,
    unsupported,
    wrong,
)
from lowtide.spec.words import quoted

_MINOR = re.compile(r"1\.[1-9]\d\Z")
_NAMED_VERSIONS = ("", "auto", "latest")


def _region(value: str) -> str:
    if value not in facts.REGIONS:
        # Late: it is needed for wrong files only.
        from lowtide.spec.document import did_you_mean  # noqa: PLC0415

        raise wrong(f"{quoted(value)} is no AWS region", did_you_mean(value, facts.REGIONS))
    return value


def _version(value: str) -> str:
    if value not in _NAMED_VERSIONS and not _MINOR.match(value):
        raise wrong(f"{quoted(value)} is no Kubernetes minor", 'write "1.NN", "latest" or "auto"')
    return value


class Metadata(Section):
    """``metadata``: name, region, Kubernetes version."""

    name: ResourceName
    region: Annotated[str, AfterValidator(_region)]
    version: Annotated[str, AfterValidator(_version)] = ""
    tags: Tags = Field(default_factory=dict)
    annotations: Tags = Field(default_factory=dict)

    not_supported: ClassVar = unsupported("forceUpdateVersion", "rollbackConfig")


def _retention(days: int) -> int:
    if days and days not in facts.LOG_RETENTION_DAYS:
        raise wrong(f"{days} is not one of {', '.join(map(str, facts.LOG_RETENTION_DAYS))}")
    return days


class ClusterLogging(Section):
    """Control-plane logs that go to CloudWatch."""

    given_types: Many[
        Literal["api", "audit", "authenticator", "controllerManager", "scheduler", "all", "*"]
    ] = Field(default=(), alias="enableTypes")
    log_retention_in_days: Annotated[Whole, AfterValidator(_retention)] = 0

    @property
    def types(self) -> tuple[str, ...]:
        """Log types with ``all`` and ``*`` written out."""
        wanted = set(self.given_types)
        return facts.LOG_TYPES if wanted & {"all", "*"} else tuple(self.given_types)


class CloudWatch(Section):
    """``cloudWatch``."""

    cluster_logging: ClusterLogging = omitted(ClusterLogging)


class UpgradePolicy(Section):
    """``upgradePolicy``: None leaves it to EKS, which means EXTENDED and its surcharge later."""

    support_type: Literal["STANDARD", "EXTENDED"] | None = None


class SecretsEncryption(Section):
    """``secretsEncryption``: the KMS key for Kubernetes secrets."""

    key_arn: Arn


class GroupAt(NamedTuple):
    """A node group with its path in the document, such as ``("nodeGroups", 0)``."""

    path: tuple[str | int, ...]
    group: AnyGroup


class ClusterConfig(Section):
    """A whole cluster file."""

    api_version: Literal["eksctl.io/v1alpha5"]
    kind: Literal["ClusterConfig"]
    metadata: Metadata
    availability_zones: Texts = ()
    iam: ClusterIam = omitted(ClusterIam)
    access_config: AccessConfig = omitted(AccessConfig)
    addons: Many[Addon] = ()
    addons_config: AddonsConfig = omitted(AddonsConfig)
    vpc: Vpc = omitted(Vpc)
    cloud_watch: CloudWatch = omitted(CloudWatch)
    upgrade_policy: UpgradePolicy = omitted(UpgradePolicy)
    secrets_encryption: SecretsEncryption | None = None
    kubernetes_network_config: KubernetesNetworkConfig = omitted(KubernetesNetworkConfig)
    auto_mode_config: AutoModeConfig | None = None
    private_cluster: PrivateCluster = omitted(PrivateCluster)
    node_groups: Many[NodeGroup] = ()
    managed_node_groups: Many[ManagedNodeGroup] = ()

    not_supported: ClassVar = {
        **unsupported(
            "capabilities",
            "controlPlaneScalingConfig",
            "gitops",
            "identityProviders",
            "kubeAPIServerConfig",
            "kubeControllerManagerConfig",
            "kubeSchedulerConfig",
            "zonalShiftConfig",
        ),
        "fargateProfiles": "no Fargate",
        "iamIdentityMappings": "use accessConfig.accessEntries",
        "karpenter": "lowtide runs the Cluster Autoscaler",
        "localZones": "no Local Zones",
        "outpost": "no Outposts",
        "remoteNetworkConfig": "no hybrid nodes",
    }

    @property
    def name(self) -> str:
        """Name of the cluster."""
        return self.metadata.name

    @property
    def region(self) -> str:
        """AWS region."""
        return self.metadata.region

    @property
    def version(self) -> str:
        """Kubernetes minor, eksctl's default when omitted or ``auto``; ``latest`` stays as it is."""
        given = self.metadata.version
        return facts.DEFAULT_VERSION if given in {"", "auto"} else given

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones the file names, by itself or by its subnets; empty lets eksctl choose."""
        named = tuple(dict.fromkeys(self.availability_zones))
        return named or self.vpc.subnets.zones

    @property
    def all_groups(self) -> tuple[GroupAt, ...]:
        """Self-managed groups, then managed ones, in the file's order."""
        own = (GroupAt(("nodeGroups", i), one) for i, one in enumerate(self.node_groups))
        managed = enumerate(self.managed_node_groups)
        return (*own, *(GroupAt(("managedNodeGroups", i), one) for i, one in managed))
