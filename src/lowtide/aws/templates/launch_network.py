"""Where a group's nodes are in the network: subnets, security groups, and whether they have a public address.

Why it exists: nodes share one security group, whose rules stand in the cluster's stack. A group gets one of its own only for
what others must not have: SSH, EFA, or no part in the shared one. eksctl makes one for each group with rules that are all there
already (pkg/cfn/builder/nodegroup.go).
"""

from __future__ import annotations

from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.aws.templates.network import subnet_key
from lowtide.model.blueprint import Blueprint, Launch
from lowtide.model.cluster import NodeGroup, ResolvedCluster
from lowtide.model.errors import InputError

SECURITY_GROUP = "NodeSecurityGroup"
_CLUSTER_GROUP = "ClusterSecurityGroupId"
_SHARED_GROUP = "SharedNodeSecurityGroupId"
_SSH_PORT = 22
#: One EFA device carries as much; types with more have several network cards (EC2 user guide, "Network cards").
_ONE_CARD_GIGABIT = 100


def subnets(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> list[Any]:
    """Return the subnets of a group: the file's, those of an existing VPC, or ours in its zones.

    Raises:
        InputError: an existing VPC has no such subnet in any of the group's zones.
    """
    public = not group.private_networking
    given = blueprint.launch(group.name).subnet_ids
    if given:
        return list(given)
    known = [
        one for one in blueprint.network.subnets if one.zone in group.zones and one.public == public
    ]
    if not known:
        raise _no_subnet(group)
    existing = [one.id for one in known if one.id]
    if existing:
        return list(existing)
    return [cfn.imported(cluster.name, subnet_key(one.zone, public=public)) for one in known]


def network_interface(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> Resource:
    """Return the one network interface of a node.

    Raises:
        InputError: the node would have no security group, or EFA needs more than one interface.
    """
    launch = blueprint.launch(group.name)
    found: Resource = {
        # Said outright, whatever the subnet's own setting is.
        "AssociatePublicIpAddress": not group.private_networking,
        "DeleteOnTermination": True,
        "DeviceIndex": 0,
        "Groups": _security_groups(cluster, blueprint, group),
    }
    if launch.efa:
        _refuse_several_cards(group)
        _refuse_plain_image(group)
        found["InterfaceType"] = "efa"
    return found


def security_group(
    cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup
) -> dict[str, Resource]:
    """Return the security group of a node group's own with its rules, where it needs one.

    Raises:
        InputError: SSH without sources in a VPC whose addresses are not known.
    """
    launch = blueprint.launch(group.name)
    if not _has_own(group, launch):
        return {}
    resources = {SECURITY_GROUP: _own_group(cluster, blueprint, group)}
    if not (launch.with_shared_group or group.managed):
        resources |= _cluster_rules(cluster)
    if launch.efa:
        resources |= _efa_rules()
    if launch.ssh_allowed:
        resources |= _ssh_rules(blueprint, group)
    return resources


def _own_group(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> Resource:
    properties: Resource = {
        "GroupDescription": f"Nodes of {group.name} alone",
        "Tags": cfn.tags(cfn.cluster_tags(cluster.name, blueprint.control_plane.tags)),
        "VpcId": blueprint.network.vpc_id or cfn.imported(cluster.name, "VpcId"),
    }
    if blueprint.launch(group.name).efa:
        # A separate egress rule takes the default one away; here it is said outright.
        everywhere = {"CidrIp": "0.0.0.0/0", "Description": "All", "IpProtocol": "-1"}
        properties["SecurityGroupEgress"] = [everywhere]
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}


def _has_own(group: NodeGroup, launch: Launch) -> bool:
    apart = launch.with_local_group and not (launch.with_shared_group or group.managed)
    return launch.ssh_allowed or launch.efa or apart


def _security_groups(cluster: ResolvedCluster, blueprint: Blueprint, group: NodeGroup) -> list[Any]:
    launch = blueprint.launch(group.name)
    found: list[Any] = list(launch.security_groups)
    if group.managed:
        # EKS adds the cluster's group only where the launch template names none.
        found.append(cfn.imported(cluster.name, _CLUSTER_GROUP))
    elif launch.with_shared_group:
        given = blueprint.network.shared_node_security_group
        found.append(given or cfn.imported(cluster.name, _SHARED_GROUP))
    if _has_own(group, launch):
        found.append(_own())
    if not found:
        raise InputError(
            f"node group {group.name} has no security group",
            where=str(group.mark),
            why="withShared and withLocal are both false and attachIDs is empty, so its nodes could not reach the cluster",
            fix="name groups in securityGroups.attachIDs, or leave withShared out",
        )
    return found


def _own() -> Resource:
    return cfn.get_att(SECURITY_GROUP, "GroupId")


def _cluster_rules(cluster: ResolvedCluster) -> dict[str, Resource]:
    """Without the shared group, control plane and nodes reach each other by these."""
    control = cfn.imported(cluster.name, _CLUSTER_GROUP)
    return {
        "ClusterToNodes": _rule("Ingress", _own(), control, "Control plane and managed nodes"),
        "NodesToCluster": _rule("Ingress", dict(control), _own(), f"Nodes of {cluster.name}"),
        "NodesToNodes": _rule("Ingress", _own(), _own(), "Nodes of this group"),
    }


def _efa_rules() -> dict[str, Resource]:
    """EFA traffic is no IP traffic: only rules that name the group itself let it through (EC2 user guide, "EFA")."""
    return {
        "EfaIngress": _rule("Ingress", _own(), _own(), "EFA within the group"),
        "EfaEgress": _rule("Egress", _own(), _own(), "EFA within the group"),
    }


def _rule(direction: str, group: Any, peer: Any, text: str) -> Resource:
    side = "SourceSecurityGroupId" if direction == "Ingress" else "DestinationSecurityGroupId"
    return {
        "Type": f"AWS::EC2::SecurityGroup{direction}",
        "Properties": {"Description": text, "GroupId": group, "IpProtocol": "-1", side: peer},
    }


def _ssh_rules(blueprint: Blueprint, group: NodeGroup) -> dict[str, Resource]:
    """Open SSH to the file's sources, or else to the VPC and never to the world, as eksctl does for public nodes."""
    launch = blueprint.launch(group.name)
    sources: list[Resource] = [{"SourceSecurityGroupId": one} for one in launch.ssh_sources]
    if not sources:
        if not blueprint.network.cidr:
            raise _no_ssh_sources(group)
        sources = [{"CidrIp": blueprint.network.cidr}]
    return {
        f"SshIngress{number}": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "Description": "SSH",
                "FromPort": _SSH_PORT,
                "GroupId": _own(),
                "IpProtocol": "tcp",
                "ToPort": _SSH_PORT,
                **source,
            },
        }
        for number, source in enumerate(sources, start=1)
    }


def _no_subnet(group: NodeGroup) -> InputError:
    kind = "private" if group.private_networking else "public"
    return InputError(
        f"node group {group.name} has no {kind} subnet",
        where=str(group.mark),
        why=f"vpc.subnets.{kind} has none in {', '.join(group.zones)}",
        fix=f"add one to vpc.subnets.{kind}, or write other availabilityZones",
    )


def _no_ssh_sources(group: NodeGroup) -> InputError:
    return InputError(
        f"SSH to node group {group.name} has no sources",
        where=str(group.mark),
        why="the addresses of an existing VPC are not known, and SSH is not opened to the world",
        fix="name ssh.sourceSecurityGroupIds, or use `aws ssm start-session`, which needs no open port",
    )


def _refuse_several_cards(group: NodeGroup) -> None:
    for one in group.candidates:
        network = one.offering.instance_type.network or ""
        numbers = [int(word) for word in network.split() if word.isdigit()]
        if "x " in network or any(number > _ONE_CARD_GIGABIT for number in numbers):
            name = one.offering.instance_type.name
            raise InputError(
                f"efaEnabled of node group {group.name} is not supported for {name}",
                where=str(group.mark),
                why=f"its network ({network}) has several cards, each of which wants an interface of its own",
                fix="choose a type with up to 100 Gigabit, or remove efaEnabled",
            )


def _refuse_plain_image(group: NodeGroup) -> None:
    if group.ami.kind == "standard":
        raise InputError(
            f"efaEnabled of node group {group.name} is not supported for its image",
            where=str(group.mark),
            why="the EFA driver is in accelerated images only, and lowtide installs none at start-up",
            fix="choose an accelerated instance type, or remove efaEnabled",
        )
