"""A cluster file resolved: full and asFile, compared value by value, and what cannot be resolved."""

from __future__ import annotations

import pytest

from lowtide.model.asg import InstanceShape
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError
from lowtide.model.findings import Severity
from lowtide.model.kube import Taint
from lowtide.model.policy import AutoscalerPolicy, Policy
from lowtide.resolve import resolve_cluster
from lowtide.spec.clusterfile import read_cluster

AS_FILE = Policy(autoscaler=AutoscalerPolicy(tags="asFile"))
TEMPLATE = "k8s.io/cluster-autoscaler/node-template/"

HEAD = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: tide, region: REGION, version: "1.36"}
availabilityZones: [REGIONa, REGIONb, REGIONc]
nodeGroups:
- {name: general, instanceType: m5.large, minSize: 1, maxSize: 3}
"""
GPU_GROUP = """\
- name: gpu-ZONE
  instancesDistribution:
    instanceTypes: [g4dn.xlarge]
    onDemandPercentageAboveBaseCapacity: 0
    spotAllocationStrategy: price-capacity-optimized
  availabilityZones: [REGIONZONE]
  minSize: 0
  maxSize: 10
  taints: {nvidia.com/gpu: "true:NoSchedule"}
  labels: {team: vision}
"""


def _text(*more: str, region: str = "us-east-1", zones: str = "abc") -> str:
    groups = "".join(GPU_GROUP.replace("ZONE", zone) for zone in zones)
    return (HEAD + groups + "".join(more)).replace("REGION", region)


def _resolve(text: str, policy: Policy | None = None) -> ResolvedCluster:
    return resolve_cluster(read_cluster(text, "cluster.yaml"), policy or Policy())


def _group(name: str, text: str, policy: Policy | None = None) -> NodeGroup:
    return _resolve(text, policy).group(name)


def _findings(text: str, policy: Policy | None = None) -> list[tuple[str, str, int]]:
    with pytest.raises(InputError) as caught:
        _resolve(text, policy)
    return [(one.name, one.path, one.mark.line) for one in caught.value.findings]


def test_full_gives_a_gpu_group_every_label() -> None:
    assert _group("gpu-a", _text()).labels == {
        "team": "vision",
        "alpha.eksctl.io/cluster-name": "tide",
        "alpha.eksctl.io/nodegroup-name": "gpu-a",
        "k8s.amazonaws.com/accelerator": "nvidia-tesla-t4",
        "lowtide.dev/pool": "g4dn.xlarge-spot",
    }


def test_full_gives_a_gpu_group_every_tag() -> None:
    # memory: 16384 x 0.925 = 15155; less 255 + 11 x 29 of kube-reserved and 100 of eviction.
    # disk: (80 GiB - 128 MiB) x 0.9 - 1 GiB.
    assert _group("gpu-a", _text()).asg_tags == {
        "k8s.io/cluster-autoscaler/enabled": "true",
        "k8s.io/cluster-autoscaler/tide": "owned",
        TEMPLATE + "label/team": "vision",
        TEMPLATE + "label/alpha.eksctl.io/cluster-name": "tide",
        TEMPLATE + "label/alpha.eksctl.io/nodegroup-name": "gpu-a",
        TEMPLATE + "label/k8s.amazonaws.com/accelerator": "nvidia-tesla-t4",
        TEMPLATE + "label/lowtide.dev/pool": "g4dn.xlarge-spot",
        TEMPLATE + "taint/nvidia.com/gpu": "true:NoSchedule",
        TEMPLATE + "resources/memory": "14481Mi",
        TEMPLATE + "resources/pods": "29",
        TEMPLATE + "resources/ephemeral-storage": "72588Mi",
        TEMPLATE + "autoscaling-options/scaledownunneededtime": "2m",
    }


def test_full_tags_the_general_group_without_gpu_rows() -> None:
    general = _group("general", _text())
    assert "lowtide.dev/pool" not in general.labels
    assert general.pool == ""
    assert TEMPLATE + "resources/memory" in general.asg_tags
    assert TEMPLATE + "autoscaling-options/scaledownunneededtime" not in general.asg_tags


def test_as_file_gives_what_eksctl_gives_and_nothing_else() -> None:
    group = _group("gpu-a", _text(), AS_FILE)
    assert group.labels == {
        "team": "vision",
        "alpha.eksctl.io/cluster-name": "tide",
        "alpha.eksctl.io/nodegroup-name": "gpu-a",
    }
    assert group.asg_tags == {}
    assert group.pool == ""


def test_as_file_keeps_the_files_tags_and_a_written_pool() -> None:
    extra = "  tags: {k8s.io/cluster-autoscaler/enabled: 'true', owner: me}\n"
    text = _text(extra, zones="a").replace("team: vision", "lowtide.dev/pool: mine")
    group = _group("gpu-a", text, AS_FILE)
    assert group.asg_tags == {"k8s.io/cluster-autoscaler/enabled": "true", "owner": "me"}
    assert group.pool == "mine"


def test_as_file_propagation_writes_eksctls_taint_without_effect() -> None:
    extra = "  propagateASGTags: true\n  iam: {withAddonPolicies: {autoScaler: true}}\n"
    assert _group("gpu-a", _text(extra, zones="a"), AS_FILE).asg_tags == {
        "k8s.io/cluster-autoscaler/enabled": "true",
        "k8s.io/cluster-autoscaler/tide": "owned",
        TEMPLATE + "label/team": "vision",
        TEMPLATE + "label/alpha.eksctl.io/cluster-name": "tide",
        TEMPLATE + "label/alpha.eksctl.io/nodegroup-name": "gpu-a",
        TEMPLATE + "taint/nvidia.com/gpu": "true",
    }


def test_tags_of_the_cluster_reach_every_group() -> None:
    text = _text().replace('version: "1.36"', 'version: "1.36", tags: {bill: "7"}')
    assert {group.asg_tags["bill"] for group in _resolve(text, AS_FILE).node_groups} == {"7"}


def test_a_tag_of_the_file_that_contradicts_its_group_is_replaced_and_said() -> None:
    key = TEMPLATE + "taint/nvidia.com/gpu"
    resolved = _resolve(_text(f"  tags: {{{key}: 'true'}}\n", zones="a"))
    assert resolved.group("gpu-a").asg_tags[key] == "true:NoSchedule"
    (warning,) = resolved.warnings
    assert (warning.name, warning.severity) == ("replaced-tag", Severity.WARNING)
    assert warning.mark.line > 0


def test_a_label_that_other_groups_spell_as_the_tag_does_is_met_with_their_value() -> None:
    key = TEMPLATE + "label/team"
    text = _text(f"  tags: {{{key}: vision}}\n", zones="ba")
    head, _, last = text.rpartition("labels: {team: vision}")
    (typo,) = _resolve(f"{head}labels: {{team: vison}}{last}").warnings
    assert typo.fix == "write 'vison', or remove the tag; or did you mean vision, as in gpu-b?"
    (other,) = _resolve(_text(f"  tags: {{{key}: sight}}\n", zones="ba")).warnings
    assert other.fix == "write 'vision', or remove the tag"


def test_a_resource_tag_of_the_file_wins_over_the_lower_bound() -> None:
    key = TEMPLATE + "resources/memory"
    group = _group("gpu-a", _text(f"  tags: {{{key}: 15000Mi}}\n", zones="a"))
    assert group.asg_tags[key] == "15000Mi"


def test_the_mix_and_the_sizes_stay_as_the_file_has_them() -> None:
    group = _group("gpu-b", _text())
    assert (group.min_size, group.desired, group.max_size) == (0, 0, 10)
    assert (group.on_demand_base, group.on_demand_percent) == (0, 0)
    assert group.allocation_strategy == "price-capacity-optimized"
    assert group.capacity_type == "spot"
    assert not group.capacity_rebalance
    assert not group.private_networking
    assert group.taints == (Taint(key="nvidia.com/gpu", value="true"),)
    assert group.zones == ("us-east-1b",)
    assert group.mark.line == 7 + 10


def test_eksctls_traps_are_kept() -> None:
    text = _text(
        "- {name: trap, instancesDistribution: {instanceTypes: [g4dn.xlarge]}, minSize: 0}\n"
    )
    trap = _group("trap", text)
    assert (trap.min_size, trap.max_size, trap.on_demand_percent) == (0, 0, 100)
    assert trap.allocation_strategy == "lowest-price"


def test_groups_that_differ_only_in_name_zone_and_size_share_a_pool() -> None:
    text = _text().replace("maxSize: 10", "maxSize: 4", 1)
    pools = {group.name: group.pool for group in _resolve(text).node_groups}
    assert pools == {
        "general": "",
        "gpu-a": "g4dn.xlarge-spot",
        "gpu-b": "g4dn.xlarge-spot",
        "gpu-c": "g4dn.xlarge-spot",
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[g4dn.xlarge]", "[g4dn.2xlarge]"),
        ("team: vision", "team: speech"),
        ('"true:NoSchedule"', '"true:NoExecute"'),
        ("AboveBaseCapacity: 0", "AboveBaseCapacity: 50"),
        ("minSize: 0", "minSize: 0\n  volumeSize: 100"),
        ("minSize: 0", "minSize: 0\n  amiFamily: Bottlerocket"),
        ("minSize: 0", "minSize: 0\n  maxPodsPerNode: 20"),
    ],
)
def test_groups_that_differ_in_anything_else_share_no_pool(old: str, new: str) -> None:
    resolved = _resolve(_text(zones="ab").replace(old, new, 1))
    first, second = resolved.group("gpu-a").pool, resolved.group("gpu-b").pool
    assert first
    assert second
    assert first != second


def test_general_groups_of_a_kind_share_a_pool_because_nothing_else_balances_them() -> None:
    more = "- {name: general-2, instanceType: m5.large, minSize: 1, maxSize: 3}\n"
    resolved = _resolve(_text(more))
    assert (
        resolved.group("general").pool == resolved.group("general-2").pool == "m5.large-on-demand"
    )


def test_tags_hold_the_least_of_all_types_of_a_group() -> None:
    text = _text(zones="a").replace("[g4dn.xlarge]", "[g4dn.2xlarge, g4dn.xlarge]")
    group = _group("gpu-a", text)
    assert group.asg_tags[TEMPLATE + "resources/memory"] == "14481Mi"
    assert [one.offering.instance_type.name for one in group.candidates] == [
        "g4dn.2xlarge",
        "g4dn.xlarge",
    ]


@pytest.mark.parametrize(
    ("name", "gpus", "arch"),
    [
        ("g4dn.xlarge", 1, "amd64"),
        ("g5g.xlarge", 1, "arm64"),
        # DescribeInstanceTypes lists Neuron devices apart from GPUs, and a slice as none.
        ("inf2.xlarge", 0, "amd64"),
        ("g6f.xlarge", 0, "amd64"),
        # A GPU of any vendor counts for the autoscaler, though no node will offer it.
        ("g4ad.xlarge", 1, "amd64"),
    ],
)
def test_a_candidate_has_the_shape_that_the_autoscaler_knows(
    name: str, gpus: int, arch: str
) -> None:
    more = f"- {{name: one, instanceType: {name}, minSize: 0, maxSize: 1}}\n"
    (candidate,) = _group("one", _text(more)).candidates
    kind = candidate.offering.instance_type
    assert candidate.shape == InstanceShape(
        name=name, vcpu=kind.vcpu, memory_mib=kind.memory_mib, gpu=gpus, arch=arch
    )


def test_prices_and_volume_are_those_of_the_catalog() -> None:
    group = _group("gpu-a", _text())
    assert group.candidates[0].offering.spot_usd_per_hour == pytest.approx(0.526 * 0.36)
    assert (group.volume.gib, group.volume.type, group.volume.encrypted) == (80, "gp3", True)
    assert group.volume.usd_per_month == pytest.approx(80 * 0.08)


def test_additional_volumes_are_in_the_price() -> None:
    extra = "  additionalVolumes: [{volumeName: /dev/xvdb, volumeSize: 100, volumeType: gp3}]\n"
    assert _group("gpu-a", _text(extra, zones="a")).volume.usd_per_month == pytest.approx(
        180 * 0.08
    )


def test_encryption_that_the_file_switches_off_stays_off() -> None:
    extra = "  volumeSize: 80\n  volumeEncrypted: false\n"
    assert not _group("gpu-a", _text(extra, zones="a")).volume.encrypted


def test_hardening_names_what_differs_and_why() -> None:
    rows = {row.key: row for row in _resolve(_text()).hardening}
    assert rows["upgradePolicy.supportType"].our_value == "STANDARD"
    assert rows["accessConfig.authenticationMode"].our_value == "API"
    assert rows["volumeEncrypted of general, gpu-a, gpu-b, gpu-c"].our_value == "true"
    assert rows["label k8s.amazonaws.com/accelerator"].eksctl_value == "none"
    assert rows["--scale-down-delay-after-add"].our_value == "30s"
    assert "metadata.version" not in rows
    assert all(row.why and row.our_value != row.eksctl_value for row in rows.values())


def test_one_role_for_nodes_of_a_kind_is_said_with_both_counts() -> None:
    (row,) = [row for row in _resolve(_text()).hardening if row.key == "roles of nodes"]
    assert (row.eksctl_value[0], row.our_value[0]) == ("4", "1")
    each = "  iam: {withAddonPolicies: {ebs: true}}\n"
    assert "roles of nodes" not in {row.key for row in _resolve(_text(each, zones="a")).hardening}


@pytest.mark.parametrize(
    ("ssh", "said"),
    [
        ("ssh: {publicKeyName: k}", True),
        ("ssh: {allow: true}", True),
        ("ssh: {allow: false, publicKeyName: k}", False),
        ("ssh: {publicKeyName: k, sourceSecurityGroupIds: [sg-1]}", False),
        ("ssh: {publicKeyName: k}\n  privateNetworking: true", False),
    ],
)
def test_ssh_from_the_vpc_alone_is_said_where_eksctl_opens_it_to_the_world(
    ssh: str, said: bool
) -> None:
    keys = {row.key for row in _resolve(_text(f"  {ssh}\n", zones="a")).hardening}
    assert ("ssh of gpu-a" in keys) is said


def test_what_the_file_writes_itself_is_no_hardening() -> None:
    own = "upgradePolicy: {supportType: EXTENDED}\naccessConfig: {authenticationMode: API}\n"
    label = "team: vision, k8s.amazonaws.com/accelerator: nvidia-tesla-t4"
    rows = {row.key for row in _resolve(_text(own).replace("team: vision", label)).hardening}
    assert "upgradePolicy.supportType" not in rows
    assert "accessConfig.authenticationMode" not in rows
    assert "label k8s.amazonaws.com/accelerator" not in rows


def test_as_file_hardens_neither_labels_nor_tags_nor_flags() -> None:
    keys = [row.key for row in _resolve(_text(), AS_FILE).hardening]
    assert not [key for key in keys if key.startswith(("label", "tag", "--", "Auto Scaling"))]


def test_full_flags_are_ours() -> None:
    assert _resolve(_text()).autoscaler_flags == {
        "cloud-provider": "aws",
        "node-group-auto-discovery": (
            "asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/tide"
        ),
        "balance-similar-node-groups": "true",
        "balancing-label": "lowtide.dev/pool",
        "expander": "least-waste",
        "scale-down-delay-type-local": "true",
        "scale-down-delay-after-add": "30s",
        "node-info-cache-expire-time": "1m",
    }


def test_as_file_flags_are_those_of_a_plain_installation() -> None:
    assert set(_resolve(_text(), AS_FILE).autoscaler_flags) == {
        "cloud-provider",
        "node-group-auto-discovery",
        "balance-similar-node-groups",
    }


def test_flags_of_the_policy_win_and_take_their_tag_and_row_with_them() -> None:
    given = {"scale-down-unneeded-time": "7m", "scale-down-delay-after-add": "1m"}
    resolved = _resolve(_text(), Policy(autoscaler=AutoscalerPolicy(flags=given)))
    assert resolved.autoscaler_flags["scale-down-unneeded-time"] == "7m"
    assert resolved.autoscaler_flags["scale-down-delay-after-add"] == "1m"
    tags = resolved.group("gpu-a").asg_tags
    assert TEMPLATE + "autoscaling-options/scaledownunneededtime" not in tags
    assert "--scale-down-delay-after-add" not in {row.key for row in resolved.hardening}


@pytest.mark.parametrize(
    ("version", "minor", "image"),
    [
        ('"1.34"', "1.34", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.5"),
        ("auto", "1.36", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1"),
        ("latest", "1.36", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1"),
    ],
)
def test_the_version_decides_the_autoscaler(version: str, minor: str, image: str) -> None:
    resolved = _resolve(_text().replace('"1.36"', version))
    assert (resolved.version, resolved.addons.autoscaler_image) == (minor, image)
    assert resolved.addons.device_plugin_image == "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"
    assert f"/{minor}/" in resolved.group("gpu-a").ami.ssm_parameter


def test_a_version_left_open_is_hardened_and_an_old_one_is_said() -> None:
    left_open = _resolve(_text().replace(', version: "1.36"', ""))
    (row,) = [row for row in left_open.hardening if row.key == "metadata.version"]
    assert (row.eksctl_value, row.our_value) == ("1.34", "1.36")
    old = _resolve(_text().replace('"1.36"', '"1.34"'))
    assert any("2026-12-02" in notice for notice in old.notices)


@pytest.mark.parametrize(
    ("minor", "support_type", "usd", "words"),
    [
        ("1.33", "", 0.10, "ended on 2026-07-29: AWS upgrades"),
        ("1.33", "STANDARD", 0.10, "ended on 2026-07-29: AWS upgrades"),
        ("1.33", "EXTENDED", 0.60, "ended on 2026-07-29: supportType EXTENDED"),
        ("1.34", "STANDARD", 0.10, "ends on 2026-12-02: then AWS upgrades"),
        ("1.34", "EXTENDED", 0.10, "ends on 2026-12-02: from then on supportType EXTENDED"),
    ],
)
def test_an_old_version_costs_and_says_what_its_support_type_leads_to(
    minor: str, support_type: str, usd: float, words: str
) -> None:
    own = f"upgradePolicy: {{supportType: {support_type}}}\n" if support_type else ""
    resolved = _resolve(_text(own).replace('"1.36"', f'"{minor}"'))
    assert resolved.control_plane_usd_per_hour == usd
    (notice,) = resolved.notices
    assert words in notice


def test_images_of_the_policy_win() -> None:
    policy = Policy(
        autoscaler=AutoscalerPolicy(image="mine/ca:1"), device_plugin_image="mine/plugin:2"
    )
    addons = _resolve(_text(), policy).addons
    assert (addons.autoscaler_image, addons.device_plugin_image) == ("mine/ca:1", "mine/plugin:2")


def test_another_region_says_loudly_whose_prices_it_shows() -> None:
    resolved = _resolve(_text(region="eu-west-1"))
    assert any("us-east-1" in notice for notice in resolved.notices)
    assert {one.priced_as for one in resolved.regional_offerings} == {"us-east-1"}
    assert not _resolve(_text()).notices


def test_regional_offerings_are_nvidia_types_on_sale() -> None:
    offerings = _resolve(_text()).regional_offerings
    assert len(offerings) > 50
    assert all(
        one.instance_type.nvidia_gpus and not one.instance_type.retired_on for one in offerings
    )


@pytest.mark.parametrize(
    ("vpc", "gateways"),
    [
        ("", 1),
        ("vpc: {nat: {gateway: HighlyAvailable}}\n", 3),
        ("vpc: {nat: {gateway: Disable}}\n", 0),
    ],
)
def test_nat_gateways_are_counted_as_the_file_says(vpc: str, gateways: int) -> None:
    private = "  privateNetworking: true\n"
    network = _resolve(_text(private, vpc, zones="a")).network
    assert network.nat_gateways == gateways
    assert network.s3_gateway_endpoint


@pytest.mark.parametrize("mode", ["Single", "HighlyAvailable"])
def test_no_nat_gateway_is_made_where_every_node_is_public_and_that_is_said(mode: str) -> None:
    resolved = _resolve(_text(f"vpc: {{nat: {{gateway: {mode}}}}}\n"))
    assert resolved.network.nat_gateways == 0
    (row,) = [row for row in resolved.hardening if row.key == "vpc.nat.gateway"]
    assert row.eksctl_value.startswith(mode)
    assert row.our_value == "none"
    disabled = _resolve(_text("vpc: {nat: {gateway: Disable}}\n"))
    assert "vpc.nat.gateway" not in {row.key for row in disabled.hardening}


@pytest.mark.parametrize(
    "said",
    ["iam: {withOIDC: true}", "addonsConfig: {autoApplyPodIdentityAssociations: true}"],
)
def test_roles_and_encryption_that_eksctl_would_not_give_are_said(said: str) -> None:
    extra = "  additionalVolumes: [{volumeName: /dev/sdf}]\n"
    rows = {row.key: row.our_value for row in _resolve(_text(extra, zones="a")).hardening}
    assert rows["addons eks-pod-identity-agent"] == "installed"
    assert rows["role of vpc-cni"] == "one of its own, by pod identity"
    assert rows["additionalVolumes.volumeEncrypted of gpu-a"] == "true"
    own = f"{said}\naddons: [{{name: eks-pod-identity-agent}}]\n"
    written = extra.replace("sdf", "sdf, volumeEncrypted: true")
    left = {row.key for row in _resolve(_text(written, own, zones="a")).hardening}
    assert (
        not left
        & rows.keys()
        & {
            "addons eks-pod-identity-agent",
            "role of vpc-cni",
            "additionalVolumes.volumeEncrypted of gpu-a",
        }
    )


def test_zones_left_open_are_chosen_and_shown() -> None:
    text = _text(zones="").replace("availabilityZones: [us-east-1a, us-east-1b, us-east-1c]\n", "")
    resolved = _resolve(text)
    assert resolved.zones == resolved.group("general").zones == ("us-east-1a", "us-east-1b")
    assert "availabilityZones" in {row.key for row in resolved.hardening}


def test_a_group_in_subnets_is_in_their_zones() -> None:
    own = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: tide, region: us-east-1, version: "1.36"}
vpc:
  id: vpc-1
  subnets:
    private:
      us-east-1a: {id: subnet-1}
      inner: {id: subnet-2, az: us-east-1b}
nodeGroups:
- {name: general, instanceType: m5.large, subnets: [subnet-2], privateNetworking: true}
"""
    resolved = _resolve(own)
    assert resolved.group("general").zones == ("us-east-1b",)
    assert resolved.network.nat_gateways == 0


@pytest.mark.parametrize(
    ("private", "zones"),
    [("true", ("us-east-1a", "us-east-1c")), ("false", ("us-east-1b",))],
)
def test_a_group_that_names_no_zone_is_where_an_existing_vpc_has_a_subnet_for_it(
    private: str, zones: tuple[str, ...]
) -> None:
    own = f"""\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {{name: tide, region: us-east-1, version: "1.36"}}
vpc:
  id: vpc-1
  subnets:
    private:
      us-east-1a: {{id: subnet-1}}
      inner: {{id: subnet-2, az: us-east-1c}}
    public:
      us-east-1b: {{id: subnet-3}}
      second: {{id: subnet-4, az: us-east-1b}}
nodeGroups:
- {{name: general, instanceType: m5.large, privateNetworking: {private}}}
"""
    resolved = _resolve(own)
    assert resolved.zones == ("us-east-1a", "us-east-1b", "us-east-1c")
    assert resolved.group("general").zones == zones


def test_a_managed_group_has_what_eks_gives_it() -> None:
    managed = """\
managedNodeGroups:
- name: managed
  instanceTypes: [g5.xlarge, g5.2xlarge]
  spot: true
  minSize: 0
  maxSize: 4
  taints: [{key: nvidia.com/gpu, value: "true", effect: NoSchedule}]
"""
    group = _group("managed", _text(managed), AS_FILE)
    assert group.managed
    assert group.capacity_type == "spot"
    assert group.labels["eks.amazonaws.com/capacityType"] == "SPOT"
    assert group.asg_tags["k8s.io/cluster-autoscaler/tide"] == "owned"
    assert group.asg_tags[TEMPLATE + "taint/nvidia.com/gpu"] == "true:NoSchedule"
    assert _group("managed", _text(managed)).pool == "g5.xlarge-spot"


def test_a_spot_discount_of_the_policy_prices_a_general_group() -> None:
    text = _text(zones="a").replace("[g4dn.xlarge]", "[m5.large]")
    policy = Policy(spot_discount={"m5.large": 0.5})
    assert _group("gpu-a", text, policy).candidates[0].offering.spot_usd_per_hour == 0.048
    assert _findings(text) == [
        ("no-price", "nodeGroups[1].instancesDistribution.instanceTypes[0]", 9)
    ]


def test_all_errors_come_at_once_each_at_its_place() -> None:
    more = (
        "- {name: wrong-image, instanceType: g4dn.xlarge, amiFamily: Ubuntu2404}\n"
        "- {name: retired, instanceType: p2.xlarge}\n"
        "- {name: local, instanceType: m5.large, availabilityZones: [us-east-1-bos-1a]}\n"
    )
    text = _text(more, zones="a").replace("[g4dn.xlarge]", "[g4dn.xlarge, g4dn.xlrge]")
    text = text.replace("availabilityZones: [us-east-1a, us-east-1b, us-east-1c]\n", "")
    assert _findings(text) == [
        ("unknown-instance-type", "nodeGroups[1].instancesDistribution.instanceTypes[1]", 8),
        ("no-image", "nodeGroups[2].amiFamily", 16),
        ("unknown-instance-type", "nodeGroups[3].instanceType", 17),
        ("wrong-zone", "nodeGroups[4].availabilityZones[0]", 18),
    ]


def test_an_unserved_version_is_refused_at_its_place() -> None:
    assert _findings(_text().replace('"1.36"', '"1.31"')) == [
        ("unsupported-version", "metadata.version", 3)
    ]


def test_a_type_without_price_is_refused() -> None:
    more = "- {name: h200, instanceType: p5e.48xlarge, minSize: 0, maxSize: 1}\n"
    assert [name for name, *_ in _findings(_text(more))] == ["no-price"]


def test_types_that_only_the_policy_misspells_are_refused() -> None:
    policy = Policy(spot_discount={"g4dn.xl": 0.5}, measured_allocatable_mib={"nope": 1})
    assert [(name, path) for name, path, _ in _findings(_text(), policy)] == [
        ("unknown-instance-type", "nodes.measuredAllocatableMiB.nope"),
        ("unknown-instance-type", "spot.discount.g4dn.xl"),
    ]


def test_more_tags_than_a_group_may_have_are_refused() -> None:
    labels = ", ".join(f"l{n}: v" for n in range(45))
    text = _text(zones="a").replace("team: vision", labels)
    assert _findings(text) == [("too-many-tags", "nodeGroups[1].labels", 16)]


def test_a_measured_value_above_the_types_memory_is_refused() -> None:
    policy = Policy(measured_allocatable_mib={"g4dn.xlarge": 20000})
    names = {name for name, *_ in _findings(_text(), policy)}
    assert names == {"impossible-measurement"}


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("- {name: amd, instanceType: g4ad.xlarge}\n", "idle-accelerator"),
        ("- {name: slice, instanceType: g6f.xlarge}\n", "idle-accelerator"),
        ("- {name: volta, instanceType: p3.2xlarge}\n", "retired-type"),
        (
            "- {name: kept, instanceType: m5.large, kubeletExtraConfig: {kubeReserved: {memory: 2Gi}}}\n",
            "unknown-reservation",
        ),
    ],
)
def test_what_hardly_works_as_meant_is_a_warning(group: str, name: str) -> None:
    (warning,) = _resolve(_text(group)).warnings
    assert (warning.name, warning.severity) == (name, Severity.WARNING)


@pytest.mark.parametrize(
    ("addons", "path"),
    [
        ("addons: [{name: vpc-cni}, {name: adot}]", "addons[1]"),
        ("addons: [{name: coredns}, {name: aws-efs-csi-driver}]", ""),
        ("addons: [{name: adot, serviceAccountRoleARN: r}]", ""),
    ],
)
def test_an_addon_whose_recommended_permissions_only_eks_knows_is_a_warning(
    addons: str, path: str
) -> None:
    asked = "addonsConfig: {autoApplyPodIdentityAssociations: true}\n"
    found = _resolve(_text(f"{addons}\n{asked}")).warnings
    assert [(one.name, one.path) for one in found] == (
        [("unknown-permissions", path)] if path else []
    )
    assert not _resolve(_text(f"{addons}\n")).warnings


def test_accelerators_of_other_vendors_and_slices_are_no_gpu_groups() -> None:
    more = "- {name: amd, instanceType: g4ad.xlarge}\n- {name: slice, instanceType: g6f.xlarge}\n"
    resolved = _resolve(_text(more))
    for name in ("amd", "slice"):
        group = resolved.group(name)
        assert not group.is_gpu
        assert "k8s.amazonaws.com/accelerator" not in group.labels
        assert "nvidia.com/gpu" not in group.candidates[0].capacity
