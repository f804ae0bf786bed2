"""All stacks of a cluster, in the order in which they are created.

Why it exists: one place says what goes into which stack and why that stack exists. Later stacks use values of the first one
by its exports, so CloudFormation refuses to delete them in the wrong order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.access import access_entries
from lowtide.aws.templates.addons import addons
from lowtide.aws.templates.cfn import Resource, Stack
from lowtide.aws.templates.control_plane import control_plane, control_plane_outputs
from lowtide.aws.templates.identity import (
    CLUSTER_STACK,
    identities,
    identity_outputs,
    oidc_outputs,
    oidc_provider,
    other_stack,
)
from lowtide.aws.templates.interruption import (
    interruption,
    interruption_outputs,
    is_handler,
)
from lowtide.aws.templates.network import network, network_outputs
from lowtide.aws.templates.node_roles import node_roles
from lowtide.aws.templates.nodes import node_stacks
from lowtide.model.blueprint import Blueprint
from lowtide.model.cluster import ResolvedCluster


def stacks(cluster: ResolvedCluster, blueprint: Blueprint) -> tuple[Stack, ...]:
    """Return every stack of the cluster, in order of creation.

    Raises:
        InputError: the file asks for something that the templates cannot say.
    """
    return (
        cluster_stack(cluster, blueprint),
        *node_stacks(cluster, blueprint),
        *addon_stack(cluster, blueprint),
        *interruption_stack(cluster, blueprint),
    )


def cluster_stack(cluster: ResolvedCluster, blueprint: Blueprint) -> Stack:
    """Return the stack of network, control plane, roles and the add-ons that need no node."""
    plane = blueprint.control_plane
    accounts = tuple(one for one in blueprint.identities if not is_handler(one))
    early = tuple(one for one in blueprint.addons if not one.needs_nodes)
    role_resources, role_outputs = node_roles(cluster, blueprint)
    resources = cfn.joined(
        network(cluster, blueprint),
        control_plane(cluster, blueprint),
        oidc_provider(cluster, plane),
        access_entries(cluster, blueprint),
        role_resources,
        identities(cluster, blueprint, accounts, CLUSTER_STACK),
        addons(cluster, blueprint, early, CLUSTER_STACK),
    )
    outputs = cfn.joined(
        network_outputs(cluster, blueprint),
        control_plane_outputs(cluster, blueprint),
        oidc_outputs(cluster, plane),
        role_outputs,
        identity_outputs(accounts),
    )
    return _stack(
        cluster,
        "cluster",
        file="1-cluster.yaml",
        why="network, control plane, roles, and the add-ons that need no node",
        sections={"Resources": resources, "Outputs": outputs},
    )


def addon_stack(cluster: ResolvedCluster, blueprint: Blueprint) -> tuple[Stack, ...]:
    """Return the stack of the add-ons that need nodes, where there are any."""
    late = tuple(one for one in blueprint.addons if one.needs_nodes)
    if not late:
        return ()
    stack = _stack(
        cluster,
        "addons",
        file="3-addons.yaml",
        why="add-ons whose pods need a node, after the first nodes",
        sections={"Resources": addons(cluster, blueprint, late, other_stack(cluster))},
    )
    return (stack,)


def interruption_stack(cluster: ResolvedCluster, blueprint: Blueprint) -> tuple[Stack, ...]:
    """Return the stack of the interruption queue, where spot is used."""
    if not cluster.uses_spot:
        return ()
    stack = _stack(
        cluster,
        "interruption",
        file="4-interruption.yaml",
        why="warnings of spot interruptions, in a queue for the node termination handler",
        sections={
            "Resources": interruption(cluster, blueprint),
            "Outputs": interruption_outputs(),
        },
    )
    return (stack,)


def _stack(
    cluster: ResolvedCluster,
    part: str,
    *,
    file: str,
    why: str,
    sections: Mapping[str, Mapping[str, Any]],
) -> Stack:
    resources = sections["Resources"]
    return Stack(
        name=cfn.stack_name(cluster.name, part),
        file=file,
        template=cfn.template(
            f"EKS cluster {cluster.name}: {why}",
            parameters=sections.get("Parameters", {}),
            resources=resources,
            outputs=sections.get("Outputs", {}),
        ),
        capabilities=capabilities(resources),
        why=why,
    )


def capabilities(resources: Mapping[str, Resource]) -> tuple[str, ...]:
    """Return what CreateStack must be told: whether a template makes IAM resources, and whether it names them."""
    iam = [one for one in resources.values() if one["Type"].startswith("AWS::IAM::")]
    named = {"RoleName", "InstanceProfileName", "ManagedPolicyName"}
    if any(named & one.get("Properties", {}).keys() for one in iam):
        return (cfn.CAPABILITY_NAMED_IAM,)
    return (cfn.CAPABILITY_IAM,) if iam else ()
