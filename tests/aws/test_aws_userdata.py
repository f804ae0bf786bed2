"""User data: what each image is told at its first start, read back as the image reads it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from lowtide.aws.templates.userdata import user_data, user_data_text
from lowtide.model import names
from lowtide.model.blueprint import Launch
from lowtide.model.cluster import NodeGroup
from lowtide.model.errors import InputError
from lowtide.model.kube import Taint
from tests.aws.booted_node import (
    VALUES,
    al2023_node,
    bottlerocket_node,
    node_configs,
    parts,
    received,
    ubuntu_node,
)
from tests.aws.example_cluster import make_cluster, make_group

_READERS = {
    "AmazonLinux2023": al2023_node,
    "Bottlerocket": bottlerocket_node,
    "BottlerocketFips": bottlerocket_node,
    "Ubuntu2404": ubuntu_node,
}


def _group(family: str, **changes: Any) -> NodeGroup:
    group = make_group("gpu-a", "us-east-1a", gpu=True)
    return replace(group, ami=replace(group.ami, family=family), **changes)


def _received(group: NodeGroup, **launch: Any) -> str:
    return received(user_data(make_cluster(group), group, Launch(group=group.name, **launch)))


@pytest.mark.parametrize("family", _READERS)
def test_labels_and_taints_are_there_from_kubelet_start(family: str) -> None:
    taints = (
        Taint(key="nvidia.com/gpu", value="true"),
        Taint(key="team", effect="NoExecute"),
        Taint(key="team", value="vision", effect="PreferNoSchedule"),
    )
    group = _group(family, taints=taints)
    node = _READERS[family](_received(group))
    assert node.labels == group.labels
    assert node.labels[names.ACCELERATOR] == "nvidia-tesla-t4"
    assert node.taints == frozenset(taints)
    assert node.max_pods is None


@pytest.mark.parametrize("family", _READERS)
def test_the_file_may_limit_pods(family: str) -> None:
    assert _READERS[family](_received(_group(family), max_pods=17)).max_pods == 17


@pytest.mark.parametrize("family", _READERS)
def test_a_node_is_told_where_its_cluster_is(family: str) -> None:
    text = _received(_group(family))
    for key in ("ClusterEndpoint", "ClusterCa"):
        assert VALUES[key] in text
    assert "example" in text


def test_al2023_gets_one_node_config_with_the_cluster() -> None:
    (document,) = node_configs(_received(_group("AmazonLinux2023")))
    assert document["apiVersion"] == "node.eks.aws/v1alpha1"
    assert document["kind"] == "NodeConfig"
    assert document["spec"]["cluster"] == {
        "name": "example",
        "apiServerEndpoint": VALUES["ClusterEndpoint"],
        "certificateAuthority": VALUES["ClusterCa"],
        "cidr": VALUES["ServiceCidr"],
    }


def test_al2023_leaves_local_disks_as_the_image_has_them() -> None:
    (document,) = node_configs(_received(_group("AmazonLinux2023")))
    assert set(document["spec"]) == {"cluster", "kubelet"}


def test_al2023_gets_kubelet_extra_config_with_the_files_own_keys_on_top() -> None:
    kubelet = {
        "evictionHard": {"memory.available": "5%"},
        "reservedMemory": [{"numaNode": 0, "limits": {"memory": "1Gi"}}],
        "featureGates": {"SomeGate": True},
        "containerLogMaxSize": "on",
        "maxPods": 3,
    }
    text = _received(
        _group("AmazonLinux2023"), kubelet=kubelet, max_pods=20, cluster_dns="10.1.0.10"
    )
    (document,) = node_configs(text)
    assert document["spec"]["kubelet"]["config"] == {
        **kubelet,
        "maxPods": 20,
        "clusterDNS": ["10.1.0.10"],
    }


def test_al2023_runs_the_files_commands_before_the_node_starts() -> None:
    commands = ('echo "${HOME} ${!x}"', "#!/usr/bin/python3\nprint(1)")
    found = parts(_received(_group("AmazonLinux2023"), pre_bootstrap=commands))
    kinds = [kind for kind, _ in found]
    assert kinds == ["text/x-shellscript", "text/x-shellscript", "application/node.eks.aws"]
    assert found[0][1].strip() == f"#!/bin/bash\n{commands[0]}"
    assert found[1][1].strip() == commands[1]


def test_al2023_merges_the_files_node_config_last() -> None:
    override = (
        "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\n"
        "spec: {instance: {localStorage: {strategy: RAID0}}}\n"
    )
    documents = node_configs(_received(_group("AmazonLinux2023"), override_bootstrap=override))
    assert len(documents) == 2
    assert documents[1]["spec"] == {"instance": {"localStorage": {"strategy": "RAID0"}}}


def test_al2023_refuses_a_script_in_place_of_a_node_config() -> None:
    with pytest.raises(InputError, match="no NodeConfig"):
        _received(_group("AmazonLinux2023"), override_bootstrap="/etc/eks/bootstrap.sh example")


def test_eks_writes_the_user_data_of_managed_groups() -> None:
    for family in ("AmazonLinux2023", "Bottlerocket"):
        group = _group(family, managed=True)
        assert user_data(make_cluster(group), group, Launch(group=group.name)) is None


def test_managed_groups_keep_the_files_wishes_and_leave_the_rest_to_eks() -> None:
    text = _received(
        _group("AmazonLinux2023", managed=True), max_pods=17, pre_bootstrap=("echo ${HOME}",)
    )
    (document,) = node_configs(text)
    assert document["spec"] == {"kubelet": {"config": {"maxPods": 17}}}
    assert "echo ${HOME}\n" in text
    settings = tomllib.loads(_received(_group("Bottlerocket", managed=True), max_pods=17))
    assert settings == {"settings": {"kubernetes": {"max-pods": 17}}}


def test_managed_groups_with_an_image_of_the_files_start_by_themselves() -> None:
    group = _group("AmazonLinux2023", managed=True)
    group = replace(group, ami=replace(group.ami, image_id="ami-0123456789abcdef0"))
    (document,) = node_configs(_received(group))
    assert document["spec"]["cluster"]["name"] == "example"
    assert al2023_node(_received(group)).labels == group.labels


def test_bottlerockets_admin_container_is_off_unless_the_file_asks() -> None:
    plain = tomllib.loads(_received(_group("Bottlerocket")))["settings"]
    assert set(plain) == {"kubernetes"}
    asked = {"enableAdminContainer": True}
    settings = tomllib.loads(_received(_group("Bottlerocket"), bottlerocket=asked))["settings"]
    assert settings["host-containers"] == {"admin": {"enabled": True}}


def test_bottlerocket_gets_the_files_settings_beside_ours() -> None:
    section = {
        "settings": {
            "motd": 'say "${hello}"',
            "kubernetes": {"registry-qps": 10, "eviction-hard": {"memory.available": "5%"}},
            "ntp": {"time-servers": ["169.254.169.123"]},
        }
    }
    settings = tomllib.loads(_received(_group("Bottlerocket"), bottlerocket=section))["settings"]
    assert settings["motd"] == 'say "${hello}"'
    assert settings["ntp"] == {"time-servers": ["169.254.169.123"]}
    kubernetes = settings["kubernetes"]
    assert kubernetes["registry-qps"] == 10
    assert kubernetes["eviction-hard"] == {"memory.available": "5%"}
    assert kubernetes["cluster-name"] == "example"
    assert kubernetes["cluster-certificate"] == VALUES["ClusterCa"]


@pytest.mark.parametrize(
    "launch",
    [{"pre_bootstrap": ("x",)}, {"override_bootstrap": "x"}, {"kubelet": {"maxPods": 1}}],
)
def test_bottlerocket_refuses_scripts(launch: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot have"):
        _received(_group("Bottlerocket"), **launch)


def test_ubuntu_calls_the_bootstrap_script_of_its_image() -> None:
    text = _received(_group("Ubuntu2404"), pre_bootstrap=("echo ${HOME}",))
    assert text.startswith(
        "#!/bin/bash\nset -o errexit\necho ${HOME}\n/etc/eks/bootstrap.sh example "
    )
    assert f"--dns-cluster-ip '{VALUES['ClusterDns']}'" in text


def test_ubuntus_dns_address_is_the_tenth_of_the_service_cidr() -> None:
    group = _group("Ubuntu2404")
    value: Any = user_data(make_cluster(group), group, Launch(group=group.name))
    assert value is not None
    join = value["Fn::Base64"]["Fn::Sub"][1]["ClusterDns"]["Fn::Join"]
    octets = VALUES["ServiceCidr"].split(".")
    read = [octets[one["Fn::Select"][0]] if isinstance(one, dict) else one for one in join[1]]
    assert join[0].join(read) == VALUES["ClusterDns"]


def test_ubuntu_runs_the_files_own_command_with_all_it_needs() -> None:
    command = (
        '/etc/eks/bootstrap.sh "$CLUSTER_NAME" --kubelet-extra-args "--node-labels=$NODE_LABELS"'
    )
    group = _group("Ubuntu2404")
    text = _received(group, override_bootstrap=command)
    assert text.rstrip().endswith(command)
    assert f"export API_SERVER_URL='{VALUES['ClusterEndpoint']}'" in text
    for key, value in group.labels.items():
        assert f"{key}={value}" in text
    assert "export NODE_TAINTS=nvidia.com/gpu=true:NoSchedule" in text


@pytest.mark.parametrize(
    "launch",
    [
        {"kubelet": {"maxPods": 1}},
        {"override_bootstrap": "source /var/lib/cloud/scripts/eksctl/bootstrap.helper.sh"},
    ],
)
def test_ubuntu_refuses_what_it_has_no_place_for(launch: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        _received(_group("Ubuntu2404"), **launch)
    assert caught.value.fix


def test_a_family_without_user_data_is_refused() -> None:
    with pytest.raises(InputError, match="AmazonLinux2 cannot be started"):
        _received(_group("AmazonLinux2"))


def test_text_too_long_for_ec2_is_refused() -> None:
    with pytest.raises(InputError, match="user data of node group gpu-a"):
        _received(_group("AmazonLinux2023"), pre_bootstrap=("x" * 15_000,))


def test_user_data_is_a_plain_text_where_nothing_is_put_in() -> None:
    group = _group("AmazonLinux2023", managed=True)
    launch = Launch(group=group.name, pre_bootstrap=("echo ${HOME}",))
    value: Any = user_data(make_cluster(group), group, launch)
    assert value is not None
    assert isinstance(value["Fn::Base64"], str)


def test_the_order_of_labels_changes_no_text() -> None:
    group = _group("AmazonLinux2023")
    turned = replace(group, labels=dict(reversed(list(group.labels.items()))))
    launch = Launch(group=group.name)
    assert user_data_text("example", group, launch) == user_data_text("example", turned, launch)
