"""All stacks of a cluster together: what cfn-lint, CloudFormation's limits and least privilege ask of every one of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Stack
from lowtide.aws.templates.stacks import cluster_stack, stacks
from lowtide.model.blueprint import AccessEntry, Addon, Blueprint, Identity, Permissions
from lowtide.model.cluster import ResolvedCluster
from tests.aws.example_cluster import (
    ZONES,
    existing_network,
    make_blueprint,
    make_cluster,
    make_group,
    make_network,
    with_control_plane,
)

Example = tuple[ResolvedCluster, Blueprint]

READS = ("Describe", "Get", "List")


def example(zones: tuple[str, ...] = ZONES, nat: str = "Single") -> Example:
    gpus = [make_group(f"gpu-spot-{zone[-1]}", zone, gpu=True) for zone in zones]
    cluster = make_cluster(make_group("general", *zones, gpu=False), *gpus, zones=zones)
    return cluster, make_blueprint(cluster, make_network(zones, nat=nat))


def changed(**changes: Any) -> Example:
    cluster, blueprint = example()
    return cluster, with_control_plane(blueprint, **changes)


def in_an_existing_vpc() -> Example:
    cluster, _blueprint = example(ZONES[:2])
    plan = replace(existing_network(), security_group="sg-0123456789abcdef0")
    return cluster, make_blueprint(cluster, plan)


def with_every_identity(kind: str) -> Example:
    """Service accounts with each ready-made policy, one with a policy of its own, and one with a name of its own."""
    cluster, blueprint = example()
    keys = ("autoScaler", "certManager", "externalDNS", "imageBuilder", "efsCSIController")
    bucket = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::data/*"}
        ],
    }
    accounts = [
        Identity(kind=kind, namespace="tools", name=key.lower(), permissions=permissions)
        for key in keys
        if (permissions := Permissions(well_known=(key,)))
    ]
    own = Identity(
        kind=kind,
        namespace="team",
        name="trainer",
        permissions=Permissions(document=bucket, document_name="read-data"),
        role_name="trainer",
        tags={"owner": "ml"},
    )
    ebs = replace(accounts[0], namespace="kube-system", name="ebs-csi-controller-sa")
    late = Addon(name="aws-ebs-csi-driver", needs_nodes=True, identities=(ebs,))
    return cluster, replace(
        blueprint,
        identities=(*blueprint.identities, *accounts, own),
        addons=(*blueprint.addons, late),
    )


ENTRY = AccessEntry(principal_arn="arn:aws:iam::123456789012:role/ops", groups=("ops",))
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
VARIANTS: dict[str, Callable[[], Example]] = {
    "the example": example,
    "one zone": lambda: example(ZONES[:1]),
    "six zones": lambda: example(tuple(f"us-east-1{letter}" for letter in "abcdef")),
    "a NAT gateway in each zone": lambda: example(nat="HighlyAvailable"),
    "no NAT gateway": lambda: example(nat="Disable"),
    "an existing VPC": in_an_existing_vpc,
    "a private API with keys, logs and entries": lambda: changed(
        public_access=False,
        secrets_key_arn=KEY,
        log_types=("api", "audit"),
        log_retention_days=30,
        access_entries=(ENTRY,),
    ),
    "a narrow public API, a given role and no tags": lambda: changed(
        public_cidrs=("203.0.113.0/24",),
        role_arn="arn:aws:iam::123456789012:role/eks",
        tags={},
    ),
    "service accounts by IRSA": lambda: with_every_identity("irsa"),
    "service accounts by pod identity": lambda: with_every_identity("pod-identity"),
}


@pytest.fixture(params=list(VARIANTS), name="made")
def made_stacks(request: pytest.FixtureRequest) -> tuple[Stack, ...]:
    """The stacks of each variant."""
    return stacks(*VARIANTS[request.param]())


def statements(stack: Stack) -> Iterator[dict[str, Any]]:
    """Every statement of every policy in a template, whatever holds it."""
    for one in stack.template["Resources"].values():
        yield from _statements(one["Properties"])


def _statements(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for one in part:
            yield from _statements(one)
    elif isinstance(part, dict):
        yield from part.get("Statement", ())
        for one in part.values():
            yield from _statements(one)


def exports(stack: Stack) -> dict[str, Any]:
    outputs = stack.template.get("Outputs", {})
    return {one["Export"]["Name"]: one["Value"] for one in outputs.values() if "Export" in one}


def imports(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "Fn::ImportValue" in part:
            yield part["Fn::ImportValue"]
        for one in part.values():
            yield from imports(one)
    elif isinstance(part, list):
        for one in part:
            yield from imports(one)


@pytest.mark.parametrize("variant", VARIANTS)
def test_cfn_lint_finds_nothing_in_the_clusters_stack(
    variant: str, lint: Callable[..., list[str]]
) -> None:
    assert lint(cluster_stack(*VARIANTS[variant]()).template) == []


@pytest.mark.parametrize("variant", ["the example", "service accounts by IRSA"])
def test_cfn_lint_finds_nothing_in_the_stacks_after_the_clusters(
    variant: str, lint: Callable[..., list[str]]
) -> None:
    found = {one.name: lint(one.template) for one in stacks(*VARIANTS[variant]())[1:]}
    assert found == {name: [] for name in found}


def test_stacks_come_in_the_order_in_which_they_are_created() -> None:
    made = stacks(*example())
    assert [one.file for one in made] == [
        "1-cluster.yaml",
        "2-nodegroup-general.yaml",
        "2-nodegroup-gpu-spot-a.yaml",
        "2-nodegroup-gpu-spot-b.yaml",
        "2-nodegroup-gpu-spot-c.yaml",
        "3-addons.yaml",
        "4-interruption.yaml",
    ]
    assert [one.name for one in made if "nodegroup" not in one.name] == [
        "lowtide-example-cluster",
        "lowtide-example-addons",
        "lowtide-example-interruption",
    ]


def test_add_ons_that_need_nodes_wait_for_them() -> None:
    cluster, *_groups, late, _queue = stacks(*example())
    kinds = [
        {
            one["Properties"]["AddonName"]
            for one in stack.template["Resources"].values()
            if one["Type"] == "AWS::EKS::Addon"
        }
        for stack in (cluster, late)
    ]
    assert kinds == [
        {"vpc-cni", "kube-proxy", "eks-pod-identity-agent"},
        {"coredns", "metrics-server"},
    ]


def test_without_spot_there_is_no_interruption_stack() -> None:
    cluster, blueprint = example()
    general = replace(cluster, node_groups=cluster.node_groups[:1])
    names = [one.name for one in stacks(general, blueprint)]
    assert "lowtide-example-interruption" not in names


def test_a_stack_imports_only_what_an_earlier_one_exports(made: tuple[Stack, ...]) -> None:
    known: set[str] = set()
    for stack in made:
        wanted = set(imports(stack.template))
        assert (stack.name, wanted - known) == (stack.name, set())
        known |= exports(stack).keys()


def test_the_clusters_stack_exports_all_that_the_contract_names() -> None:
    found = exports(stacks(*example())[0])
    zones = ("UsEast1a", "UsEast1b", "UsEast1c")
    keys = {f"{kind}Subnet{zone}" for kind in ("Public", "Private") for zone in zones}
    keys |= {"VpcId", "ClusterSecurityGroupId", "SharedNodeSecurityGroupId"}
    keys |= {"OidcProviderArn", "ClusterName", "ClusterEndpoint", "ServiceCidr"}
    keys |= {"NodeRoleStandardArn", "NodeProfileStandardArn"}
    assert found.keys() == {f"lowtide-example-{key}" for key in keys}


def test_no_two_clusters_export_under_the_same_name() -> None:
    cluster, blueprint = example()
    other = replace(cluster, name="example-2")
    mine, theirs = (exports(stacks(one, blueprint)[0]).keys() for one in (cluster, other))
    assert not mine & theirs


def test_no_statement_that_allows_everything_writes(made: tuple[Stack, ...]) -> None:
    for stack in made:
        for one in statements(stack):
            if one["Effect"] == "Allow" and one.get("Resource") == "*":
                listed = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
                verbs = [action.partition(":")[2] for action in listed]
                assert [verb for verb in verbs if not verb.startswith(READS)] == []


def test_every_role_that_trusts_an_eks_service_says_for_which_cluster(
    made: tuple[Stack, ...],
) -> None:
    trusted = [
        one
        for stack in made
        for one in statements(stack)
        if str(one.get("Principal", "")).count("eks.amazonaws.com")
    ]
    assert trusted
    assert all("cluster/example" in json.dumps(one["Condition"]) for one in trusted)


def test_everything_that_has_tags_names_its_cluster(made: tuple[Stack, ...]) -> None:
    for stack in made:
        for name, one in stack.template["Resources"].items():
            tags = one["Properties"].get("Tags")
            if isinstance(tags, list):
                tags = {tag["Key"]: tag["Value"] for tag in tags}
            if tags is not None:
                assert (name, tags.get("lowtide.dev/cluster")) == (name, "example")


def test_templates_fit_into_the_call_that_creates_a_stack(made: tuple[Stack, ...]) -> None:
    for stack in made:
        size = len(json.dumps(stack.template, indent=2).encode())
        assert (stack.name, size <= cfn.BODY_LIMIT_BYTES) == (stack.name, True)
        assert len(stack.template["Resources"]) <= cfn.RESOURCE_LIMIT


def test_the_same_file_gives_the_same_bytes() -> None:
    first, second = ([json.dumps(one.template) for one in stacks(*example())] for _ in range(2))
    assert first == second


def test_a_stack_asks_for_the_right_to_make_what_it_makes() -> None:
    by_name = {one.name: one.capabilities for one in stacks(*example())}
    named = stacks(*with_every_identity("irsa"))[0]
    assert by_name["lowtide-example-cluster"] == (cfn.CAPABILITY_IAM,)
    assert by_name["lowtide-example-interruption"] == (cfn.CAPABILITY_IAM,)
    assert by_name["lowtide-example-addons"] == ()
    assert named.capabilities == (cfn.CAPABILITY_NAMED_IAM,)


def test_every_later_stack_keeps_the_clusters_stack_from_being_deleted(
    made: tuple[Stack, ...],
) -> None:
    first = exports(made[0]).keys()
    for stack in made[1:]:
        assert (stack.name, bool(first & set(imports(stack.template)))) == (stack.name, True)


def test_templates_are_written_without_anchors(made: tuple[Stack, ...]) -> None:
    for stack in made:
        assert "&id" not in yaml.safe_dump(stack.template)


def test_two_parts_of_a_template_cannot_take_the_same_logical_id() -> None:
    with pytest.raises(ValueError, match="Vpc"):
        cfn.joined({"Vpc": {}}, {"Vpc": {}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("us-east-1a", "UsEast1a"), ("kube-system/aws-node", "KubeSystemAwsNode"), ("1-a", "1A")],
)
def test_a_logical_id_is_alphanumeric_and_readable(text: str, expected: str) -> None:
    assert cfn.logical(text) == expected


def test_texts_that_look_alike_get_logical_ids_of_their_own() -> None:
    texts = ["a-b", "ab", "a/b", "aB", "c"]
    ids = cfn.logical_ids(texts)
    assert len(set(ids.values())) == len(texts)
    assert all(one.isalnum() for one in ids.values())
    assert ids["c"] == "C"
