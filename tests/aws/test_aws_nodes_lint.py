"""cfn-lint, with every optional rule on, finds nothing in any kind of node group's stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from lowtide.aws.templates.nodes import node_stacks
from lowtide.aws.templates.stacks import stacks
from lowtide.model import names
from lowtide.model.blueprint import BlockDevice, Blueprint, Launch, Network, NodeRole, Permissions
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.kube import Taint
from tests.aws.example_cluster import (
    ZONES,
    existing_network,
    make_blueprint,
    make_candidate,
    make_cluster,
    make_group,
)

Lint = Callable[..., list[str]]
_RESERVATION = {"capacityReservationTarget": {"capacityReservationID": "cr-0123456789abcdef0"}}
_GIVEN = NodeRole(
    role_arn="arn:aws:iam::123456789012:role/nodes",
    profile_arn="arn:aws:iam::123456789012:instance-profile/nodes",
)


def _gpu(*, family: str = "AmazonLinux2023", **changes: Any) -> NodeGroup:
    group = make_group("gpu-a", "us-east-1a", gpu=True)
    tags = {
        **group.asg_tags,
        names.TAG_RESOURCE_PREFIX + "memory": "14Gi",
        names.TAG_OPTION_PREFIX + "scaledownunneededtime": "2m",
    }
    return replace(group, ami=replace(group.ami, family=family), asg_tags=tags, **changes)


def _with_ami(group: NodeGroup, **changes: str) -> NodeGroup:
    return replace(group, ami=replace(group.ami, **changes))


def _arm(*, managed: bool) -> NodeGroup:
    group = _gpu(managed=managed, candidates=(make_candidate("g5g.xlarge", 4, 8),))
    return _with_ami(group, arch="arm64")


def _mixed() -> NodeGroup:
    first, second = make_candidate("g4dn.xlarge", 4, 16), make_candidate("g5.xlarge", 4, 16)
    return _gpu(
        candidates=(first, second),
        zones=ZONES,
        on_demand_base=1,
        on_demand_percent=20,
        allocation_strategy="lowest-price",
        max_spot_usd_per_hour=0.4,
        capacity_rebalance=True,
    )


def _whole_launch() -> Launch:
    """Everything that a self-managed group of AL2023 may ask for at once."""
    return Launch(
        group="gpu-a",
        root_device="/dev/xvda",
        kms_key_id="arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
        volumes=(BlockDevice(device="/dev/sdf", gib=100, type="gp3", encrypted=True, iops=4000),),
        imds_hops=1,
        max_pods=20,
        kubelet={"evictionHard": {"memory.available": "5%"}},
        cluster_dns="10.100.0.10",
        pre_bootstrap=("echo ${HOME}",),
        override_bootstrap="kind: NodeConfig\napiVersion: node.eks.aws/v1alpha1\nspec: {}\n",
        public_key="ssh-ed25519 AAAA",
        ssh_allowed=True,
        security_groups=("sg-0123456789abcdef0",),
        with_shared_group=False,
        ebs_optimized=True,
        detailed_monitoring=True,
        efa=True,
        reservation={"capacityReservationPreference": "none"},
        max_lifetime_s=86_400,
        metrics=(("1Minute", ("GroupDesiredCapacity",)),),
        tags={"team": "vision"},
    )


def _cases() -> Iterator[tuple[str, NodeGroup, Launch]]:
    plain = Launch(group="gpu-a", tags={"team": "vision"})
    for family in ("AmazonLinux2023", "Bottlerocket", "BottlerocketFips", "Ubuntu2404"):
        yield f"{family} self-managed", _gpu(family=family), plain
        yield f"{family} managed", _gpu(family=family, managed=True, zones=ZONES), plain
    for managed in (False, True):
        word = "managed" if managed else "self-managed"
        yield f"g5g arm64 {word}", _arm(managed=managed), plain
        given = _with_ami(_gpu(managed=managed), image_id="ami-0123456789abcdef0")
        yield f"given image {word}", given, plain
        block = replace(plain, market_type="capacity-block", reservation=_RESERVATION)
        yield f"capacity block {word}", _gpu(managed=managed, on_demand_percent=100), block
        yield f"given role {word}", _gpu(managed=managed), replace(plain, role=_GIVEN)
        ssh = replace(plain, ssh_allowed=True, key_name="me")
        yield f"SSH {word}", _gpu(managed=managed), ssh
        efa = replace(plain, efa=True)
        yield f"EFA {word}", _gpu(managed=managed), efa
    searched = {"ssm_parameter": "", "name_pattern": "amazon-eks-node-*", "owner": "602401143452"}
    yield "auto", _with_ami(_gpu(), **searched), plain
    yield "general", replace(make_group("general", gpu=False), name="gpu-a"), plain
    yield "public", _gpu(private_networking=False), plain
    yield "mixed", _mixed(), replace(plain, spot_pools=3)
    yield "everything", _gpu(), _whole_launch()
    update = replace(plain, max_pods=17, max_unavailable_percent=50, pre_bootstrap=("true",))
    taints = (Taint(key="team", effect="PreferNoSchedule"),)
    yield "managed with user data", _gpu(managed=True, taints=taints), update
    burst = replace(make_group("general", gpu=False), name="gpu-a")
    burst = replace(burst, candidates=(make_candidate("t3.large", 2, 8),))
    yield "credits", burst, replace(plain, cpu_credits="unlimited")
    settings = {"enableAdminContainer": True, "settings": {"motd": "hello ${name}"}}
    yield "settings", _gpu(family="Bottlerocket"), replace(plain, bottlerocket=settings)


_CASES = [pytest.param(group, launch, id=name) for name, group, launch in _cases()]


def _plan(cluster: ResolvedCluster, launch: Launch, network: Network | None = None) -> Blueprint:
    return replace(make_blueprint(cluster, network), launches=(launch,))


@pytest.mark.parametrize(("group", "launch"), _CASES)
def test_cfn_lint_finds_nothing_in_a_node_group(
    lint: Lint, group: NodeGroup, launch: Launch
) -> None:
    cluster = make_cluster(group)
    (stack,) = node_stacks(cluster, _plan(cluster, launch))
    assert lint(stack.template) == []


def test_cfn_lint_finds_nothing_in_a_node_group_of_an_existing_vpc(lint: Lint) -> None:
    cluster = make_cluster(_gpu())
    launch = Launch(group="gpu-a", with_shared_group=False)
    (stack,) = node_stacks(cluster, _plan(cluster, launch, existing_network()))
    assert lint(stack.template) == []


def test_cfn_lint_finds_nothing_in_the_example(
    lint: Lint, cluster: ResolvedCluster, blueprint: Blueprint
) -> None:
    for stack in node_stacks(cluster, blueprint):
        assert lint(stack.template) == []


@pytest.mark.parametrize(
    "role",
    [
        _GIVEN,
        NodeRole(addon_policies=("autoScaler", "ebs", "externalDNS", "fsx")),
        NodeRole(
            role_name="nodes",
            permissions=Permissions(
                policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
                boundary_arn="arn:aws:iam::123456789012:policy/limit",
            ),
            replaces_defaults=True,
        ),
    ],
)
@pytest.mark.parametrize("managed", [False, True])
def test_cfn_lint_finds_nothing_in_the_roles_of_nodes(
    lint: Lint, role: NodeRole, *, managed: bool
) -> None:
    cluster = make_cluster(_gpu(managed=managed))
    launch = Launch(group="gpu-a", role=role)
    assert lint(stacks(cluster, _plan(cluster, launch))[0].template) == []
