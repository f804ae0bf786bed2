"""Which node comes of user data: of what lowtide renders for each image, and of what people write by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.aws.templates.userdata import user_data
from lowtide.aws.templates.userdata_text import toml_text
from lowtide.local.nodes.booted import NoNode
from lowtide.local.nodes.user_data import Reader, booted
from lowtide.model.blueprint import Launch
from lowtide.model.taints import Taint
from tests.aws.booted_node import VALUES, received
from tests.aws.example_cluster import make_cluster, make_group

READERS: dict[str, Reader] = {
    "AmazonLinux2023": "nodeadm",
    "Bottlerocket": "bottlerocket",
    "BottlerocketFips": "bottlerocket",
    "Ubuntu2204": "bootstrap",
    "Ubuntu2404": "bootstrap",
}
TAINTS = (
    Taint(key="nvidia.com/gpu", value="true"),
    Taint(key="team", effect="NoExecute"),
    Taint(key="team", value="vision", effect="PreferNoSchedule"),
)
CLUSTER = """\
apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  cluster: {name: tide, apiServerEndpoint: "https://x", certificateAuthority: QQ==, cidr: 10.100.0.0/16}
"""
SETTINGS = '[settings.kubernetes]\ncluster-name = "tide"\napi-server = "https://x"\ncluster-certificate = "QQ=="\n'


def rendered(family: str, **launch: Any) -> str:
    group = make_group("gpu-a", "us-east-1a", gpu=True)
    group = replace(group, ami=replace(group.ami, family=family), taints=TAINTS)
    return received(user_data(make_cluster(group), group, Launch(group=group.name, **launch)))


def mime(*configs: str) -> str:
    parts = "".join(f"--B\nContent-Type: application/node.eks.aws\n\n{one}\n" for one in configs)
    return (
        f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="B"\n\n{parts}'
        "--B\nContent-Type: text/x-shellscript\n\n#!/bin/bash\necho hello\n--B--\n"
    )


def kubelet(flags: str = "", config: str = "{}") -> str:
    return (
        "kind: NodeConfig\napiVersion: node.eks.aws/v1alpha1\nspec:\n"
        f"  kubelet: {{flags: [{flags}], config: {config}}}\n"
    )


@pytest.mark.parametrize("family", READERS)
@pytest.mark.parametrize("is_image_known", [True, False])
def test_what_is_rendered_for_an_image_starts_the_node_that_the_file_asks_for(
    family: str, is_image_known: bool
) -> None:
    node = booted(rendered(family), READERS[family] if is_image_known else None)
    group = make_group("gpu-a", "us-east-1a", gpu=True)
    assert node.labels == group.labels
    assert set(node.taints) == set(TAINTS)
    assert node.cluster == "example"
    assert node.endpoint == VALUES["ClusterEndpoint"]
    assert node.authority == VALUES["ClusterCa"]
    assert node.max_pods is None


@pytest.mark.parametrize("family", READERS)
def test_a_limit_of_pods_is_read(family: str) -> None:
    assert booted(rendered(family, max_pods=17), READERS[family]).max_pods == 17


def test_the_variables_of_an_overriding_command_are_put_in() -> None:
    command = (
        "/etc/eks/bootstrap.sh $CLUSTER_NAME --apiserver-endpoint ${API_SERVER_URL} \\\n"
        '  --kubelet-extra-args "--node-labels=$NODE_LABELS --register-with-taints=$NODE_TAINTS"'
    )
    node = booted(rendered("Ubuntu2404", override_bootstrap=command), "bootstrap")
    assert node.cluster == "example"
    assert node.endpoint == VALUES["ClusterEndpoint"]
    assert node.labels == make_group("gpu-a", "us-east-1a", gpu=True).labels
    assert set(node.taints) == set(TAINTS)


def test_several_node_configs_are_merged_and_flags_are_added_up() -> None:
    node = booted(
        mime(
            kubelet('"--node-labels=a=1,b=2"', "{maxPods: 10, clusterDNS: [10.0.0.1]}"),
            CLUSTER,
            kubelet('"--node-labels=b=3", "--register-with-taints=k:NoSchedule"', "{maxPods: 20}"),
        )
    )
    assert node.labels == {"a": "1", "b": "3"}
    assert node.taints == (Taint(key="k"),)
    assert node.max_pods == 20


def test_taints_of_the_kubelets_file_hold_where_no_flag_says_otherwise() -> None:
    config = "{registerWithTaints: [{key: k, value: v, effect: NoExecute}]}"
    assert booted(mime(CLUSTER, kubelet(config=config))).taints == (
        Taint(key="k", value="v", effect="NoExecute"),
    )
    flagged = mime(CLUSTER, kubelet('"--register-with-taints=x=y:NoSchedule"', config))
    assert booted(flagged).taints == (Taint(key="x", value="y"),)


def test_a_node_config_may_stand_alone() -> None:
    assert booted(CLUSTER).cluster == "tide"


def test_bottlerockets_taints_may_be_a_list_or_one_text() -> None:
    more = '[settings.kubernetes.node-taints]\na = ["x:NoSchedule", ":NoExecute"]\nb = "y:NoSchedule"\n'
    assert booted(SETTINGS + more).taints == (
        Taint(key="a", value="x"),
        Taint(key="a", effect="NoExecute"),
        Taint(key="b", value="y"),
    )


@pytest.mark.parametrize(
    ("text", "reader", "why"),
    [
        ("", None, "cluster-name is missing"),
        ("#!/bin/bash\necho hello\n", "bootstrap", "do not call /etc/eks/bootstrap.sh"),
        ("/etc/eks/bootstrap.sh --use-max-pods false", "bootstrap", "CLUSTER_NAME"),
        ("/etc/eks/bootstrap.sh 'tide", "bootstrap", "No closing quotation"),
        ("#!/bin/bash\n/etc/eks/bootstrap.sh tide\n", "nodeadm", "no NodeConfig"),
        (mime(), "nodeadm", "no NodeConfig"),
        (mime(kubelet()), "nodeadm", "name is missing in cluster configuration"),
        (mime(CLUSTER.replace("cidr", "cider")), "nodeadm", "cidr is missing"),
        (mime("kind: NodeConfig\nspec: [oops"), "nodeadm", "no YAML"),
        (mime("kind: NodeConfig\nspec: [oops]"), "nodeadm", "spec is no object"),
        (CLUSTER, "bottlerocket", "no TOML"),
        (SETTINGS.replace("api-server", "apiserver"), "bottlerocket", "api-server is missing"),
        (SETTINGS + 'max-pods = "many"\n', "bottlerocket", "'many' for max-pods"),
        (mime(CLUSTER, kubelet('"--node-labels=oops"')), None, "malformed pair"),
        (mime(CLUSTER, kubelet('"--register-with-taints=a=b:Never"')), None, "taint effect 'Never'"),
        (mime(CLUSTER, kubelet('"--node-labels=a=b c"')), None, "invalid value 'b c'"),
    ],
)  # fmt: skip
def test_user_data_of_which_no_kubelet_starts_say_why(
    text: str, reader: Reader | None, why: str
) -> None:
    with pytest.raises(NoNode, match=re.escape(why)):
        booted(text, reader)


@pytest.mark.parametrize(
    ("label", "starts"),
    [
        ("node-role.kubernetes.io/gpu", False),
        ("kubernetes.io/role", False),
        ("x.k8s.io/y", False),
        ("node.kubernetes.io/lifecycle", True),
        ("gpu.node.kubernetes.io/kind", True),
        ("topology.kubernetes.io/zone", True),
        ("k8s.amazonaws.com/accelerator", True),
        ("mykubernetes.io/x", True),
        ("plain", True),
    ],
)
def test_a_kubelet_that_would_label_its_node_with_a_reserved_key_does_not_start(
    label: str, starts: bool
) -> None:
    text = mime(CLUSTER, kubelet(f'"--node-labels={label}=v"'))
    if starts:
        assert booted(text).labels == {label: "v"}
    else:
        with pytest.raises(NoNode, match=r"unknown 'kubernetes\.io' or 'k8s\.io' labels"):
            booted(text)


def test_lines_of_a_script_that_are_no_commands_of_one_line_are_passed_over() -> None:
    text = (
        "#!/bin/bash\ncat > /etc/motd <<E\nDon't panic\nE\n/etc/eks/bootstrap.sh tide # it's ours\n"
    )
    assert booted(text).cluster == "tide"


_WORDS = st.sampled_from(
    ["spec", "cluster", "name", "apiServerEndpoint", "certificateAuthority", "cidr", "kubelet", "flags", "config",
     "registerWithTaints", "maxPods", "settings", "kubernetes", "cluster-name", "api-server", "cluster-certificate",
     "node-labels", "node-taints", "max-pods", "key", "effect", "--node-labels=a=b", "--register-with-taints=a:b", "x:y"]
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | _WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=6),
    max_leaves=20,
)
_WHOLE = {"name": "tide", "apiServerEndpoint": "x", "certificateAuthority": "y", "cidr": "z"}
_SET = {"cluster-name": "tide", "api-server": "x", "cluster-certificate": "y"}


@given(_VALUES, _VALUES, _VALUES)
def test_whatever_user_data_say_there_is_a_node_or_a_reason(one: Any, two: Any, three: Any) -> None:
    kubelets = {"flags": one, "config": {"registerWithTaints": two, "maxPods": three}}
    texts: list[tuple[Reader, str]] = [
        ("nodeadm", json.dumps({"kind": "NodeConfig", "spec": {"cluster": cluster, "kubelet": kubelet}}))
        for cluster in (_WHOLE, one)
        for kubelet in (kubelets, two)
    ]  # fmt: skip
    texts.append(("nodeadm", json.dumps({"kind": "NodeConfig", "spec": three})))
    texts += [
        ("bottlerocket", toml_text({"settings": settings}))
        for settings in (
            {"kubernetes": {**_SET, "node-labels": _plain(one), "node-taints": _plain(two), "max-pods": _plain(three)}},
            {"kubernetes": _plain(one)},
            _plain(two),
        )
    ]  # fmt: skip
    texts.append(("bootstrap", f"/etc/eks/bootstrap.sh {one} --kubelet-extra-args '{two}' {three}"))
    for reader, text in texts:
        assert outcome(text, reader)


def outcome(text: str, reader: Reader) -> str:
    """Return the cluster, or why there is no node."""
    try:
        return booted(text, reader).cluster
    except NoNode as error:
        return str(error)


def _plain(value: Any) -> Any:
    """Return a value that TOML has: it knows no null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_plain(one) for one in value if one is not None]
    return "" if value is None else value
