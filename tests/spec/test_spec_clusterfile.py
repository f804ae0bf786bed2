"""Every mistake of a cluster file has its code, its place and its fix; every default is eksctl's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lowtide.model.errors import InputError
from lowtide.model.kube import Taint
from lowtide.model.rules import fix_of
from lowtide.spec.cluster_documents import load_documents
from lowtide.spec.clusterfile import ManagedNodeGroup, NodeGroup, cluster_of, read_cluster
from tests.spec.cluster_texts import FULL, HEAD, read_or_refuse, seeded, with_group


def group_of(body: str = "", *, managed: bool = False) -> NodeGroup | ManagedNodeGroup:
    return read_cluster(with_group(body, managed=managed), "c.yaml").config.all_groups[0].group


def error_of(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_cluster(text, "c.yaml")
    error = caught.value
    assert error.exit_code == 2
    assert error.where.startswith("c.yaml")
    assert all(one.mark.file == "c.yaml" for one in error.findings)
    assert all(one.mark.line for one in error.findings)
    return error


def only(text: str) -> tuple[str, str, str]:
    """Return code, path and message of the only finding."""
    (finding,) = error_of(text).findings
    return finding.code, finding.path, finding.message


class TestDefaults:
    def test_a_group_with_a_name_alone_has_eksctls_values(self) -> None:
        group = group_of()
        assert group.sizes == (2, 2, 2)
        assert group.instance_types == ("m5.large",)
        assert group.ami_family == "AmazonLinux2023"
        assert (group.on_demand_base, group.on_demand_percent) == (0, 100)
        assert not group.private_networking
        assert not group.propagate_asg_tags
        assert not group.has_autoscaler_policy
        assert group.disable_imdsv1
        volume = group.volume
        assert (volume.gib, volume.type, volume.iops, volume.throughput_mib, volume.encrypted) == (
            80,
            "gp3",
            3000,
            125,
            None,
        )

    @pytest.mark.parametrize(
        ("body", "sizes"),
        [
            ("minSize: 0", (0, 0, 0)),
            ("minSize: 3", (3, 3, 3)),
            ("maxSize: 5", (2, 5, 2)),
            ("desiredCapacity: 4", (4, 4, 4)),
            ("desiredCapacity: 0", (0, 0, 0)),
            ("minSize: 1\nmaxSize: 9", (1, 9, 1)),
            ("minSize: 1\ndesiredCapacity: 3", (1, 3, 3)),
            ("minSize: 0\nmaxSize: 10\ndesiredCapacity: 2", (0, 10, 2)),
            ("minSize: 2.0\nmaxSize: 1e1", (2, 10, 2)),
        ],
    )
    def test_omitted_sizes_follow_the_given_ones(self, body: str, sizes: tuple[int, ...]) -> None:
        assert group_of(body).sizes == sizes

    @pytest.mark.parametrize(
        ("body", "sizes"),
        [("minSize: 0", (0, 1, 0)), ("desiredCapacity: 0", (0, 1, 0)), ("", (2, 2, 2))],
    )
    def test_a_managed_group_never_has_a_maximum_of_zero_by_omission(
        self, body: str, sizes: tuple[int, ...]
    ) -> None:
        assert group_of(body, managed=True).sizes == sizes

    def test_a_distribution_without_a_share_is_all_on_demand(self) -> None:
        group = group_of("instancesDistribution: {instanceTypes: [g4dn.xlarge, g5.xlarge]}")
        assert group.instance_types == ("g4dn.xlarge", "g5.xlarge")
        assert (group.on_demand_base, group.on_demand_percent) == (0, 100)
        assert group.allocation_strategy == "lowest-price"
        assert group.spot_instance_pools == 2
        assert group.max_price is None
        assert not group.capacity_rebalance

    def test_a_managed_spot_group_is_what_eks_makes_of_it(self) -> None:
        group = group_of("spot: true\ninstanceTypes: [m5.large, m5a.large]", managed=True)
        assert group.managed
        assert group.instance_types == ("m5.large", "m5a.large")
        assert (group.on_demand_percent, group.allocation_strategy) == (
            0,
            "price-capacity-optimized",
        )
        assert group.capacity_rebalance

    @pytest.mark.parametrize(
        ("body", "iops", "throughput"),
        [
            ("volumeType: io1", 100, None),
            ("volumeType: io2", 100, None),
            ("volumeType: gp2", None, None),
            ("volumeIOPS: 4000\nvolumeThroughput: 250", 4000, 250),
        ],
    )
    def test_volumes_get_the_rates_of_their_type(
        self, body: str, iops: int | None, throughput: int | None
    ) -> None:
        volume = group_of(body).volume
        assert (volume.iops, volume.throughput_mib) == (iops, throughput)

    def test_a_head_alone_is_a_cluster_with_eksctls_values(self) -> None:
        config = read_cluster(HEAD, "c.yaml").config
        assert (config.name, config.region, config.version) == ("tide", "us-west-2", "1.34")
        assert config.zones == ()
        assert config.all_groups == ()
        assert config.vpc.cidr == "192.168.0.0/16"
        assert config.vpc.nat.gateway == "Single"
        assert config.vpc.cluster_endpoints.public_access
        assert not config.vpc.cluster_endpoints.private_access
        assert config.access_config.authentication_mode == "API_AND_CONFIG_MAP"
        assert config.upgrade_policy.support_type is None
        assert not config.iam.with_oidc
        assert config.auto_mode_config is None
        assert config.cloud_watch.cluster_logging.types == ()

    @pytest.mark.parametrize(
        ("written", "version"),
        [('"1.33"', "1.33"), ('""', "1.34"), ("auto", "1.34"), ("latest", "latest")],
    )
    def test_versions_by_name_are_eksctls(self, written: str, version: str) -> None:
        assert read_cluster(f"{HEAD}  version: {written}\n", "c").config.version == version


class TestForms:
    @pytest.mark.parametrize(
        "body",
        [
            "taints:\n  - {key: nvidia.com/gpu, value: 'true', effect: NoSchedule}\n  - {key: a, effect: NoExecute}",
            "taints: {nvidia.com/gpu: 'true:NoSchedule', a: NoExecute}",
            "taints: {nvidia.com/gpu: 'true:NoSchedule', a: ':NoExecute'}",
        ],
    )
    def test_both_forms_of_taints_mean_the_same(self, body: str) -> None:
        assert group_of(body).taint_list == (
            Taint(key="nvidia.com/gpu", value="true", effect="NoSchedule"),
            Taint(key="a", value="", effect="NoExecute"),
        )

    def test_the_full_file_is_read_whole(self) -> None:
        file = read_cluster(FULL, "c.yaml")
        config = file.config
        assert config.zones == ("us-west-2a", "us-west-2b", "us-west-2c")
        general, gpu, managed = (entry.group for entry in config.all_groups)
        assert [entry.path for entry in config.all_groups] == [
            ("nodeGroups", 0),
            ("nodeGroups", 1),
            ("managedNodeGroups", 0),
        ]
        assert general.has_autoscaler_policy
        assert general.zones_or(config.zones) == config.zones
        assert gpu.zones_or(config.zones) == ("us-west-2a",)
        assert (gpu.sizes, gpu.on_demand_percent, gpu.max_price) == ((0, 10, 0), 0, 0.4)
        assert gpu.ami == "auto-ssm"
        assert gpu.asg_suspend_processes == ("AZRebalance",)
        assert managed.taint_list == (Taint(key="batch", effect="PreferNoSchedule"),)
        assert config.cloud_watch.cluster_logging.types == ("audit", "api")
        line = FULL[: FULL.index("minSize: 0")].count("\n") + 1
        assert str(file.mark(("nodeGroups", 1, "minSize"))) == f"c.yaml:{line}:14"

    def test_zones_come_from_existing_subnets_too(self) -> None:
        subnets = "{us-west-2a: {id: subnet-1}, other: {id: subnet-2, az: us-west-2c}}"
        config = read_cluster(f"{HEAD}vpc: {{subnets: {{private: {subnets}}}}}\n", "c").config
        assert config.zones == ("us-west-2a", "us-west-2c")

    def test_all_log_types_can_be_asked_for_at_once(self) -> None:
        text = f"{HEAD}cloudWatch: {{clusterLogging: {{enableTypes: ['*']}}}}\n"
        assert len(read_cluster(text, "c").config.cloud_watch.cluster_logging.types) == 5

    def test_an_ami_family_is_read_without_regard_to_case(self) -> None:
        assert group_of("amiFamily: amazonlinux2023").ami_family == "AmazonLinux2023"

    def test_a_file_is_read_from_disk_and_named_in_its_marks(self, tmp_path: Path) -> None:
        path = tmp_path / "cluster.yaml"
        path.write_text(FULL, encoding="utf-8")
        file = cluster_of(load_documents(str(path)).cluster)
        assert file.mark(("metadata",)).file == str(path)

    @pytest.mark.parametrize(
        "label",
        [
            "node.kubernetes.io/x",
            "sub.node.kubernetes.io/x",
            "topology.kubernetes.io/zone",
            "k8s.amazonaws.com/accelerator",
            "plain",
        ],
    )
    def test_labels_that_a_kubelet_may_set_are_taken(self, label: str) -> None:
        assert group_of(f"labels: {{{label}: v}}").labels == {label: "v"}


def test_all_mistakes_of_a_file_are_found_at_once() -> None:
    text = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata:
  name: my_cluster
  region: us-wst-2
  version: 1.30
availabilityZone: [us-west-2a]
karpenter: {version: v1.0.0}
nodeGroups:
  - name: general
    minsize: 1
    maxSize: "3"
  - name: gpu
    minSize: 5
    maxSize: 2
    taints: [{key: nvidia.com/gpu, value: true, effect: NoSchedul}]
  - name: sound
    minSize: 5
    maxSize: 2
  - nam: x
"""
    findings = error_of(text).findings
    assert [(one.code, one.mark.line, one.path) for one in findings] == [
        ("LT006", 4, "metadata.name"),
        ("LT006", 5, "metadata.region"),
        ("LT005", 6, "metadata.version"),
        ("LT003", 7, "availabilityZone"),
        ("LT004", 8, "karpenter"),
        ("LT003", 11, "nodeGroups[0].minsize"),
        ("LT005", 12, "nodeGroups[0].maxSize"),
        ("LT005", 16, "nodeGroups[1].taints[0].value"),
        ("LT006", 16, "nodeGroups[1].taints[0].effect"),
        ("LT011", 19, "nodeGroups[2].maxSize"),
        ("LT003", 20, "nodeGroups[3].nam"),
        ("LT007", 20, "nodeGroups[3].name"),
    ]
    assert [one.fix for one in findings[:4]] == [
        "write my-cluster",
        "did you mean us-west-2?",
        'quote it: "1.30"',
        "did you mean availabilityZones?",
    ]


def test_rules_between_sections_are_checked_beside_wrong_values_elsewhere() -> None:
    text = f"{HEAD}availabilityZones: [us-west-2a]\nnodeGroups:\n  - {{name: a, minSize: x}}\n"
    codes = [(one.code, one.path) for one in error_of(text).findings]
    assert codes == [("LT011", "availabilityZones"), ("LT005", "nodeGroups[0].minSize")]


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("[a]\n", "LT009", ""),
        ("just words\n", "LT009", ""),
        ("apiVersion: v1\nkind: Pod\n", "LT009", "apiVersion"),
        ("apiVersion: eksctl.io/v1alpha5\nkind: Policy\n", "LT009", "kind"),
        ("kind: ClusterConfig\n", "LT009", "apiVersion"),
        (f"{HEAD}---\n{HEAD}", "LT009", ""),
        ("apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n", "LT007", "metadata"),
        ("", "LT010", ""),
    ],
)
def test_what_is_no_cluster_config_is_said_to_be_none(text: str, code: str, path: str) -> None:
    first = error_of(text).findings[0]
    assert (first.code, first.path) == (code, path)


@pytest.mark.parametrize(
    ("line", "path", "words"),
    [
        ("fargateProfiles: [{name: x}]", "fargateProfiles", "no Fargate"),
        ("outpost: {}", "outpost", "no Outposts"),
        ("localZones: [us-west-2-lax-1a]", "localZones", "no Local Zones"),
        ("kubeSchedulerConfig: {}", "kubeSchedulerConfig", "at line 6"),
        ("autoModeConfig: {enabled: true}", "autoModeConfig.enabled", "at line 6: true"),
        ("privateCluster: {enabled: true}", "privateCluster.enabled", "at line 6: true"),
        ("kubernetesNetworkConfig: {ipFamily: ipv6}", "kubernetesNetworkConfig.ipFamily", "IPv6"),
        ("vpc: {autoAllocateIPv6: true}", "vpc.autoAllocateIPv6", "at line 6"),
        ("addons: [{name: a, owners: [aws]}]", "addons[0].owners", "at line 6"),
        ("nodeGroups:", "nodeGroups", "without a value"),
        ("iam: ~", "iam", "without a value"),
        ("upgradePolicy: {supportType: ''}", "upgradePolicy.supportType", "without a value"),
        ("availabilityZones: [~]", "availabilityZones[0]", "without a value"),
    ],
)
def test_what_eksctl_knows_and_lowtide_does_not_is_not_supported(
    line: str, path: str, words: str
) -> None:
    code, found, message = only(f"{HEAD}{line}\n")
    assert (code, found) == ("LT004", path)
    assert message.startswith(f"not supported: {path}")
    assert words in message


@pytest.mark.parametrize(
    ("body", "path", "managed"),
    [
        ("instanceSelector: {gpus: 1}", "instanceSelector", False),
        ("outpostARN: x", "outpostARN", False),
        ("localZones: [x]", "localZones", False),
        ("amiFamily: WindowsServer2022FullContainer", "amiFamily", False),
        ("placement: {groupName: g, spreadLevel: host}", "placement.spreadLevel", False),
        ("taints: {}", "taints", False),
        ("labels:", "labels", False),
        ("labels: {a: }", "labels.a", False),
        ("launchTemplate: {id: lt-1}", "launchTemplate", True),
        ("nodeRepairConfig: {enabled: true}", "nodeRepairConfig", True),
        (
            "instancesDistribution: {instanceTypes: [a], spotAllocationStrategy: diversified}",
            "instancesDistribution.spotAllocationStrategy",
            False,
        ),
    ],
)
def test_what_is_not_supported_in_a_group_names_its_key(
    body: str, path: str, managed: bool
) -> None:
    code, found, _ = only(with_group(body, managed=managed))
    kind = "managedNodeGroups" if managed else "nodeGroups"
    assert (code, found) == ("LT004", f"{kind}[0].{path}")


@pytest.mark.parametrize(
    ("body", "fix"),
    [
        ("minsize: 1", "did you mean minSize?"),
        ("max_size: 1", "did you mean maxSize?"),
        ("volumesize: 1", "did you mean volumeSize?"),
        ("spotAllocationStrategy: x", "known here:"),
        ("iam: {withAddonPolicies: {autoscaler: true}}", "did you mean autoScaler?"),
        (
            "instancesDistribution: {instanceTypes: [a], onDemandBase: 0}",
            "did you mean onDemandBaseCapacity?",
        ),
    ],
)
def test_an_unknown_key_gets_the_nearest_one(body: str, fix: str) -> None:
    (finding,) = error_of(with_group(body)).findings
    assert finding.code == "LT003"
    assert finding.fix.startswith(fix)


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ("labels: {gpu: true}", "LT005", "labels.gpu"),
        ("minSize: true", "LT005", "minSize"),
        ("minSize: 1.5", "LT005", "minSize"),
        ("instanceType: [m5.large]", "LT005", "instanceType"),
        ("availabilityZones: us-west-2a", "LT005", "availabilityZones"),
        ("labels: [a]", "LT005", "labels"),
        ("taints: x", "LT005", "taints"),
        ("taints: {a: true}", "LT005", "taints.a"),
        ("taints: {list: NoSchedule, mapping: x}", "LT006", "taints.mapping"),
        ("taints: {mapping: NoSchedule, b: x}", "LT006", "taints.b"),
        ("minSize: ''", "LT005", "minSize"),
        ("privateNetworking: 'yes'", "LT005", "privateNetworking"),
        ("minSize: -1", "LT006", "minSize"),
        ("taints: {a: 'b:c:NoSchedule'}", "LT006", "taints.a"),
        ("taints: {a: 'Sometimes'}", "LT006", "taints.a"),
        ("taints: [{key: a, effect: Never}]", "LT006", "taints[0].effect"),
        ("taints: [{effect: NoSchedule}]", "LT007", "taints[0].key"),
        ("taints: [{key: a, effect: NoSchedule, valu: x}]", "LT003", "taints[0].valu"),
        ("labels: {a/b/c: x}", "LT006", 'labels["a/b/c"]'),
        (
            "labels: {node-role.kubernetes.io/gpu: x}",
            "LT006",
            'labels["node-role.kubernetes.io/gpu"]',
        ),
        ("labels: {my.k8s.io/gpu: x}", "LT006", 'labels["my.k8s.io/gpu"]'),
        ("labels: {a: 'with space'}", "LT006", "labels.a"),
        ("volumeType: gp4", "LT006", "volumeType"),
        ("amiFamily: Debian", "LT006", "amiFamily"),
        ("asgSuspendProcesses: [AZRebalanc]", "LT006", "asgSuspendProcesses[0]"),
        (
            "instancesDistribution: {instanceTypes: []}",
            "LT006",
            "instancesDistribution.instanceTypes",
        ),
        ("instancesDistribution: {}", "LT007", "instancesDistribution.instanceTypes"),
        (
            "instancesDistribution: {instanceTypes: [a], onDemandPercentageAboveBaseCapacity: 101}",
            "LT006",
            "instancesDistribution.onDemandPercentageAboveBaseCapacity",
        ),
        (
            "instancesDistribution: {instanceTypes: [a], spotInstancePools: 21}",
            "LT006",
            "instancesDistribution.spotInstancePools",
        ),
        ("maxInstanceLifetime: 86399", "LT006", "maxInstanceLifetime"),
        ("containerRuntime: dockerd", "LT006", "containerRuntime"),
        ("spot: true", "LT003", "spot"),
        ("instanceTypes: [m5.large]", "LT003", "instanceTypes"),
    ],
)
def test_a_wrong_value_is_found_where_it_stands(body: str, code: str, path: str) -> None:
    (finding,) = error_of(with_group(body)).findings
    assert (finding.code, finding.path) == (code, f"nodeGroups[0].{path}")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("minSize: 3\nmaxSize: 2", "maxSize"),
        ("maxSize: 1", "maxSize"),
        ("minSize: 3\ndesiredCapacity: 2", "desiredCapacity"),
        ("minSize: 0\nmaxSize: 2\ndesiredCapacity: 3", "desiredCapacity"),
        ("instanceType: mixed", "instanceType"),
        ("instanceType: m5.large\ninstancesDistribution: {instanceTypes: [a]}", "instanceType"),
        (
            f"instancesDistribution: {{instanceTypes: [{', '.join(f't{i}' for i in range(21))}]}}",
            "instancesDistribution.instanceTypes",
        ),
        (
            "instancesDistribution: {instanceTypes: [a], spotInstancePools: 3, spotAllocationStrategy: capacity-optimized}",
            "instancesDistribution.spotInstancePools",
        ),
        ("ami: auto", "ami"),
        ("ami: latest\namiFamily: AmazonLinux2023", "ami"),
        ("ami: ami-1\namiFamily: Ubuntu2404", "ami"),
        ("amiFamily: AmazonLinux2", "amiFamily"),
        ("volumeType: gp2\nvolumeIOPS: 3000", "volumeIOPS"),
        ("volumeIOPS: 2999", "volumeIOPS"),
        ("volumeType: io1\nvolumeIOPS: 64001", "volumeIOPS"),
        ("volumeType: io1\nvolumeThroughput: 200", "volumeThroughput"),
        ("volumeThroughput: 1001", "volumeThroughput"),
        ("volumeEncrypted: true", "volumeEncrypted"),
        ("volumeSize: 80\nvolumeKmsKeyID: k", "volumeKmsKeyID"),
        ("additionalVolumes: [{volumeIOPS: 1}]", "additionalVolumes[0].volumeIOPS"),
        ("availabilityZones: [us-west-2a]\nsubnets: [s]", "subnets"),
        ("availabilityZones: [us-east-1a]", "availabilityZones[0]"),
        ("efaEnabled: true\navailabilityZones: [us-west-2a, us-west-2b]", "efaEnabled"),
        ("instanceMarketOptions: {marketType: capacity-block}", "instanceMarketOptions"),
        (
            "capacityReservation: {capacityReservationTarget: {capacityReservationID: a, capacityReservationResourceGroupARN: b}}",
            "capacityReservation.capacityReservationTarget",
        ),
        ("iam: {instanceRoleARN: r, attachPolicy: {a: 1}}", "iam.instanceRoleARN"),
        ("disablePodIMDS: true\niam: {withAddonPolicies: {ebs: true}}", "disablePodIMDS"),
        (
            "iam: {withAddonPolicies: {albIngress: true, awsLoadBalancerController: true}}",
            "iam.withAddonPolicies.albIngress",
        ),
        ("bottlerocket: {settings: {}}", "bottlerocket"),
        ("amiFamily: Bottlerocket\npreBootstrapCommands: [x]", "preBootstrapCommands"),
        (
            "amiFamily: Bottlerocket\nbottlerocket: {settings: {kubernetes: {node-labels: {}}}}",
            "bottlerocket.settings.kubernetes.node-labels",
        ),
        ("ssh: {publicKey: a, publicKeyName: b}", "ssh"),
        ("ssh: {enableSsm: false}", "ssh.enableSsm"),
        ("kubeletExtraConfig: {authentication: {}}", "kubeletExtraConfig.authentication"),
        ("cpuCredits: unlimited", "cpuCredits"),
        ("cpuCredits: many\ninstanceType: t3.large", "cpuCredits"),
        ("containerRuntime: containerd\noverrideBootstrapCommand: x", "containerRuntime"),
    ],
)
def test_values_that_do_not_go_together_are_found(body: str, path: str) -> None:
    code, found, message = only(with_group(body))
    assert (code, found) == ("LT011", f"nodeGroups[0].{path}")
    assert message.startswith(found)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("instanceType: a\ninstanceTypes: [b]", "instanceType"),
        ("securityGroups: {withLocal: true}", "securityGroups"),
        ("iam: {instanceProfileARN: p}", "iam.instanceProfileARN"),
        ("ami: auto\namiFamily: AmazonLinux2023", "ami"),
        ("ami: ami-1\namiFamily: AmazonLinux2023\nmaxPodsPerNode: 5", "maxPodsPerNode"),
        ("amiFamily: Ubuntu2404\noverrideBootstrapCommand: x", "overrideBootstrapCommand"),
        ("updateConfig: {}", "updateConfig"),
        ("maxSize: 3\nupdateConfig: {maxUnavailable: 4}", "updateConfig.maxUnavailable"),
    ],
)
def test_managed_groups_have_rules_of_their_own(body: str, path: str) -> None:
    code, found, _ = only(with_group(body, managed=True))
    assert (code, found) == ("LT011", f"managedNodeGroups[0].{path}")


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("availabilityZones: [us-west-2a]", "availabilityZones"),
        ("availabilityZones: [us-west-2a, us-east-1b]", "availabilityZones[1]"),
        ("vpc: {cidr: 10.0.0.0/8}", "vpc.cidr"),
        ("vpc: {clusterEndpoints: {publicAccess: false}}", "vpc.clusterEndpoints"),
        ("vpc: {securityGroup: a, controlPlaneSecurityGroupIDs: [b]}", "vpc.securityGroup"),
        (
            "vpc: {manageSharedNodeSecurityGroupRules: false}",
            "vpc.manageSharedNodeSecurityGroupRules",
        ),
        ("vpc: {subnets: {public: {us-west-2a: {id: s}}}}", "vpc.subnets.public"),
        (
            "availabilityZones: [us-west-2a, us-west-2a]\nvpc: {controlPlaneOnPrivateSubnets: true}",
            "vpc.controlPlaneOnPrivateSubnets",
        ),
        (
            "cloudWatch: {clusterLogging: {logRetentionInDays: 7}}",
            "cloudWatch.clusterLogging.logRetentionInDays",
        ),
        (
            "iam: {serviceAccounts: [{metadata: {name: a}, attachRoleARN: r}]}",
            "iam.serviceAccounts",
        ),
        (
            "iam: {withOIDC: true, serviceAccounts: [{metadata: {name: a}}]}",
            "iam.serviceAccounts[0]",
        ),
        (
            "iam: {podIdentityAssociations: [{namespace: ns, serviceAccountName: s, roleARN: r}]}",
            "iam.podIdentityAssociations",
        ),
        (
            "accessConfig: {authenticationMode: CONFIG_MAP, accessEntries: [{principalARN: 'arn:a:b:c:d:e'}]}",
            "accessConfig.authenticationMode",
        ),
        (
            "accessConfig: {accessEntries: [{principalARN: 'arn:a:b:c:d:e', type: EC2_LINUX, kubernetesGroups: [g]}]}",
            "accessConfig.accessEntries[0].kubernetesGroups",
        ),
        ("addons: [{name: a, serviceAccountRoleARN: r, attachPolicyARNs: [p]}]", "addons[0]"),
        (
            "addons: [{name: a, useDefaultPodIdentityAssociations: true, serviceAccountRoleARN: r}]",
            "addons[0].useDefaultPodIdentityAssociations",
        ),
        (
            "availabilityZones: [us-west-2a, us-west-2b]\nvpc: {subnets: {private: {us-west-2a: {id: s}, us-west-2b: {id: t}}}}",
            "availabilityZones",
        ),
        (
            "vpc: {controlPlaneOnPrivateSubnets: true, controlPlaneSubnetIDs: [s]}",
            "vpc.controlPlaneOnPrivateSubnets",
        ),
        (
            "vpc: {controlPlaneOnPrivateSubnets: true, subnets: {private: {a: {az: us-west-2a}, b: {az: us-west-2a}}}}",
            "vpc.controlPlaneOnPrivateSubnets",
        ),
        (
            "iam: {withOIDC: true, serviceAccounts: [{metadata: {name: a}, attachRoleARN: r}, {metadata: {name: a, namespace: default}, attachRoleARN: r}]}",
            "iam.serviceAccounts[1].metadata",
        ),
        (
            "addons: [{name: eks-pod-identity-agent}]\niam: {podIdentityAssociations: [{namespace: ns, serviceAccountName: sa}]}",
            "iam.podIdentityAssociations[0]",
        ),
        (
            "addons: [{name: eks-pod-identity-agent}]\niam: {podIdentityAssociations: [{namespace: ns, serviceAccountName: sa, roleARN: r, permissionPolicyARNs: [p]}]}",
            "iam.podIdentityAssociations[0].roleARN",
        ),
        (
            "addons: [{name: eks-pod-identity-agent}]\niam: {podIdentityAssociations: [{namespace: ns, serviceAccountName: sa, roleARN: r, permissionPolicyName: p}]}",
            "iam.podIdentityAssociations[0].permissionPolicyName",
        ),
        (
            "addons: [{name: eks-pod-identity-agent}]\niam: {podIdentityAssociations: [{namespace: ns, serviceAccountName: sa, permissionPolicy: {a: 1}, permissionPolicyName: '--'}]}",
            "iam.podIdentityAssociations[0].permissionPolicyName",
        ),
        (
            "accessConfig: {accessEntries: [{principalARN: 'arn:a:b:c:d:e'}, {principalARN: 'arn:a:b:c:d:e'}]}",
            "accessConfig.accessEntries[1].principalARN",
        ),
        (
            "accessConfig: {accessEntries: [{principalARN: 'arn:a:b:c:d:e', accessPolicies: [{policyARN: 'arn:aws:eks::aws:cluster-access-policy/View', accessScope: {type: cluster, namespaces: [ns]}}]}]}",
            "accessConfig.accessEntries[0].accessPolicies[0].accessScope",
        ),
        (
            "accessConfig: {accessEntries: [{principalARN: 'arn:a:b:c:d:e', accessPolicies: [{policyARN: 'arn:aws:eks::aws:cluster-access-policy/View', accessScope: {type: namespace}}]}]}",
            "accessConfig.accessEntries[0].accessPolicies[0].accessScope",
        ),
        (
            "addons: [{name: a, serviceAccountRoleARN: r, podIdentityAssociations: [{namespace: ns, serviceAccountName: sa, roleARN: r}]}]",
            "addons[0].podIdentityAssociations",
        ),
        (
            "addons: [{name: eks-pod-identity-agent, podIdentityAssociations: [{namespace: ns, serviceAccountName: sa, roleARN: r}]}]",
            "addons[0].podIdentityAssociations",
        ),
        (
            "addons: [{name: a, podIdentityAssociations: [{namespace: ns, serviceAccountName: sa, wellKnownPolicies: {autoScaler: true}}]}]",
            "addons[0].podIdentityAssociations[0].wellKnownPolicies",
        ),
        (
            "addons: [{name: a, podIdentityAssociations: [{namespace: ns, serviceAccountName: sa, roleARN: r, tags: {}}]}]",
            "addons[0].podIdentityAssociations[0].tags",
        ),
        (
            "addons: [{name: a, podIdentityAssociations: [{namespace: ns, serviceAccountName: sa}]}]",
            "addons[0].podIdentityAssociations[0]",
        ),
        (
            "nodeGroups: [{name: one}]\nmanagedNodeGroups: [{name: one}]",
            "managedNodeGroups[0].name",
        ),
        (
            "availabilityZones: [us-west-2a, us-west-2b]\nnodeGroups: [{name: one, availabilityZones: [us-west-2c]}]",
            "nodeGroups[0].availabilityZones[0]",
        ),
    ],
)
def test_rules_between_sections_are_eksctls(lines: str, path: str) -> None:
    code, found, _ = only(f"{HEAD}{lines}\n")
    assert (code, found) == ("LT011", path)


@pytest.mark.parametrize(
    ("version", "accepted"), [("1.32", True), ("1.33", False), ("latest", False)]
)
def test_amazon_linux_2_ends_with_kubernetes_1_32(version: str, accepted: bool) -> None:
    text = f'{HEAD}  version: "{version}"\nnodeGroups: [{{name: a, amiFamily: AmazonLinux2}}]\n'
    if accepted:
        assert read_cluster(text, "c").config.node_groups[0].ami_family == "AmazonLinux2"
    else:
        assert only(text)[:2] == ("LT011", "nodeGroups[0].amiFamily")


def eksctl_sizes(low: int | None, high: int | None, desired: int | None) -> tuple[int, ...] | None:
    """Repeat pkg/cfn/builder/nodegroup.go step by step; None where it returns an error."""
    if low is None:
        low = 2 if desired is None else desired
    elif desired is not None and desired < low:
        return None
    if high is None:
        high = low if desired is None else desired
    elif (desired is not None and desired > high) or high < low:
        return None
    return (low, high, low if desired is None else desired)


_SIZE = st.none() | st.integers(0, 4)


@given(low=_SIZE, high=_SIZE, desired=_SIZE)
def test_sizes_are_eksctls_whatever_is_omitted(
    low: int | None, high: int | None, desired: int | None
) -> None:
    given_sizes = {"minSize": low, "maxSize": high, "desiredCapacity": desired}
    body = "\n".join(f"{key}: {size}" for key, size in given_sizes.items() if size is not None)
    result = read_or_refuse(with_group(body))
    expected = eksctl_sizes(low, high, desired)
    if isinstance(result, InputError):
        assert expected is None
        assert {one.code for one in result.findings} == {"LT011"}
    else:
        assert result.config.all_groups[0].group.sizes == expected


@given(st.integers(0, 10**6))
def test_the_order_of_keys_means_nothing(seed: int) -> None:
    rng = seeded(seed)

    def shuffled(part: object) -> object:
        if isinstance(part, dict):
            keys = rng.sample(list(part), len(part))
            return {key: shuffled(part[key]) for key in keys}
        return [shuffled(one) for one in part] if isinstance(part, list) else part

    text = yaml.safe_dump(shuffled(yaml.safe_load(FULL)), sort_keys=False)
    assert read_cluster(text, "c").config == read_cluster(FULL, "c").config


@pytest.mark.parametrize(
    ("group", "fix"),
    [
        ("volumeSize: 100Gi", "write 100"),
        ("volumeSize: 100GB", "write 100"),
        ("volumeSize: 1Ti", "write 1024"),
        ("maxSize: many", fix_of("LT005")),
        ("privateNetworking: 'yes'", fix_of("LT005")),
        ("privateNetworking: 'true'", "write it without quotes"),
        ("minSize: 2\n    desiredCapacity: 1", "write desiredCapacity: 2, or a lower minSize"),
        (
            "taints: ['nvidia.com/gpu=true:NoSchedule']",
            'write {key: nvidia.com/gpu, value: "true", effect: NoSchedule}',
        ),
        ("taints: ['a:NoExecute']", "write {key: a, effect: NoExecute}"),
        ("taints: [a]", 'write {key: KEY, value: "VALUE", effect: EFFECT}'),
    ],
)
def test_the_fix_is_what_is_to_be_written(group: str, fix: str) -> None:
    text = f"{HEAD}nodeGroups:\n  - name: a\n    {group}\n"
    assert [one.fix for one in error_of(text).findings] == [fix]


def test_a_variable_in_a_name_is_recognised() -> None:
    (found,) = error_of(HEAD.replace("name: tide", "name: ${CLUSTER}")).findings
    assert "envsubst" in found.fix
