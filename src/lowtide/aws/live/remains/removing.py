"""Removes one thing that is left of a cluster, with what has to go before it.

Why it exists: AWS refuses to remove what something still hangs on. Each remover takes away what belongs to the thing alone; what belongs
to others is removed in its turn, and the remover is called again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from lowtide.aws.live.eks import find_cluster, protect
from lowtide.aws.live.remains import balancing, identity, named
from lowtide.aws.live.remains.asking import Asking, plain
from lowtide.aws.live.remains.ec2 import EC2_KINDS
from lowtide.model.remains import SNAPSHOT, VOLUME, Remain

Remover = Callable[[Asking, str], None]
#: Kinds of stack are deleted by ``down`` itself, in their order.
_NEVER = frozenset({named.STACK})


def _call(service: str, operation: str, parameter: str, **more: Any) -> Remover:
    """Return a remover that is one call."""

    def remove(asking: Asking, thing: str) -> None:
        asking.ask(service, operation, **{parameter: thing}, **more)

    return remove


def _many(operation: str, parameter: str) -> Remover:
    """Return a remover that is one call of EC2 with a list."""

    def remove(asking: Asking, thing: str) -> None:
        asking.ask("ec2", operation, **{parameter: [thing]})

    return remove


def _cluster(asking: Asking, name: str) -> None:
    found = find_cluster(asking.account, name)
    if found is not None and found.is_protected:
        protect(asking.account, name, is_on=False)
    asking.ask("eks", "delete_cluster", name=name)


def _node_group(asking: Asking, name: str) -> None:
    asking.ask("eks", "delete_nodegroup", clusterName=asking.cluster, nodegroupName=name)


def _security_group(asking: Asking, group: str) -> None:
    """Take away its rules, and those of other groups of the cluster that name it, and then the group."""
    for one in asking.ask("ec2", "describe_security_groups", GroupIds=[group])["SecurityGroups"]:
        _revoke(asking, group, one.get("IpPermissions"), one.get("IpPermissionsEgress"))
    named_in = [{"Name": "ip-permission.group-id", "Values": [group]}]
    for other in asking.every(
        "ec2", "describe_security_groups", "SecurityGroups", Filters=named_in
    ):
        if asking.owner_tag(plain(other.get("Tags", ()))):
            _revoke(asking, other["GroupId"], _naming(other["IpPermissions"], group), None)
    asking.ask("ec2", "delete_security_group", GroupId=group)


def _naming(permissions: list[Mapping[str, Any]], group: str) -> list[dict[str, Any]]:
    """Return those parts of rules that name a group."""
    found = []
    for one in permissions:
        pairs = [pair for pair in one.get("UserIdGroupPairs", ()) if pair["GroupId"] == group]
        if pairs:
            ports = {key: one[key] for key in ("FromPort", "ToPort") if key in one}
            found.append({"IpProtocol": one["IpProtocol"], **ports, "UserIdGroupPairs": pairs})
    return found


def _revoke(asking: Asking, group: str, ingress: Any, egress: Any) -> None:
    if ingress:
        asking.ask("ec2", "revoke_security_group_ingress", GroupId=group, IpPermissions=ingress)
    if egress:
        asking.ask("ec2", "revoke_security_group_egress", GroupId=group, IpPermissions=egress)


def _route_table(asking: Asking, table: str) -> None:
    answer = asking.ask("ec2", "describe_route_tables", RouteTableIds=[table])
    for one in answer["RouteTables"]:
        for link in one.get("Associations", ()):
            if not link.get("Main"):
                asking.ask(
                    "ec2",
                    "disassociate_route_table",
                    AssociationId=link["RouteTableAssociationId"],
                )
    asking.ask("ec2", "delete_route_table", RouteTableId=table)


def _internet_gateway(asking: Asking, gateway: str) -> None:
    answer = asking.ask("ec2", "describe_internet_gateways", InternetGatewayIds=[gateway])
    for one in answer["InternetGateways"]:
        for link in one.get("Attachments", ()):
            asking.ask(
                "ec2", "detach_internet_gateway", InternetGatewayId=gateway, VpcId=link["VpcId"]
            )
    asking.ask("ec2", "delete_internet_gateway", InternetGatewayId=gateway)


def _rule(asking: Asking, name: str) -> None:
    targets = asking.ask("events", "list_targets_by_rule", Rule=name)["Targets"]
    if targets:
        asking.ask("events", "remove_targets", Rule=name, Ids=[one["Id"] for one in targets])
    asking.ask("events", "delete_rule", Name=name)


def _role(asking: Asking, name: str) -> None:
    ask, every = partial(asking.ask, "iam"), partial(asking.every, "iam")
    for one in every("list_attached_role_policies", "AttachedPolicies", RoleName=name):
        ask("detach_role_policy", RoleName=name, PolicyArn=one["PolicyArn"])
    for policy in every("list_role_policies", "PolicyNames", RoleName=name):
        ask("delete_role_policy", RoleName=name, PolicyName=policy)
    for one in every("list_instance_profiles_for_role", "InstanceProfiles", RoleName=name):
        profile = one["InstanceProfileName"]
        ask("remove_role_from_instance_profile", RoleName=name, InstanceProfileName=profile)
    ask("delete_role", RoleName=name)


def _profile(asking: Asking, name: str) -> None:
    ask = partial(asking.ask, "iam")
    answer = ask("get_instance_profile", InstanceProfileName=name)
    for role in answer["InstanceProfile"]["Roles"]:
        ask(
            "remove_role_from_instance_profile",
            RoleName=role["RoleName"],
            InstanceProfileName=name,
        )
    ask("delete_instance_profile", InstanceProfileName=name)


#: How each kind is removed, in the order of removal: what holds others comes first, and the network last.
REMOVERS: Mapping[str, Remover] = {
    named.NODE_GROUP: _node_group,
    named.CLUSTER: _cluster,
    named.SCALING_GROUP: _call(
        "autoscaling", "delete_auto_scaling_group", "AutoScalingGroupName", ForceDelete=True
    ),
    "instance": _many("terminate_instances", "InstanceIds"),
    balancing.BALANCER: _call("elbv2", "delete_load_balancer", "LoadBalancerArn"),
    balancing.CLASSIC: _call("elb", "delete_load_balancer", "LoadBalancerName"),
    balancing.TARGETS: _call("elbv2", "delete_target_group", "TargetGroupArn"),
    "NAT gateway": _call("ec2", "delete_nat_gateway", "NatGatewayId"),
    "elastic IP": _call("ec2", "release_address", "AllocationId"),
    "VPC endpoint": _many("delete_vpc_endpoints", "VpcEndpointIds"),
    "network interface": _call("ec2", "delete_network_interface", "NetworkInterfaceId"),
    "security group": _security_group,
    "launch template": _call("ec2", "delete_launch_template", "LaunchTemplateId"),
    "placement group": _call("ec2", "delete_placement_group", "GroupName"),
    "key pair": _call("ec2", "delete_key_pair", "KeyName"),
    "subnet": _call("ec2", "delete_subnet", "SubnetId"),
    "route table": _route_table,
    "internet gateway": _internet_gateway,
    "VPC": _call("ec2", "delete_vpc", "VpcId"),
    named.RULE: _rule,
    named.QUEUE: _call("sqs", "delete_queue", "QueueUrl"),
    named.PARAMETER: _call("ssm", "delete_parameter", "Name"),
    named.LOGS: _call("logs", "delete_log_group", "logGroupName"),
    identity.PROFILE: _profile,
    identity.ROLE: _role,
    identity.PROVIDER: _call("iam", "delete_open_id_connect_provider", "OpenIDConnectProviderArn"),
    VOLUME: _call("ec2", "delete_volume", "VolumeId"),
    SNAPSHOT: _call("ec2", "delete_snapshot", "SnapshotId"),
}

#: Every kind that is looked for, in the order of removal.
KINDS: tuple[str, ...] = (*REMOVERS, *sorted(_NEVER))
assert {one.name for one in EC2_KINDS} <= set(KINDS)


def can_remove(remain: Remain) -> bool:
    """Return whether a sweep removes that kind of thing."""
    return remain.kind in REMOVERS


def rank(remain: Remain) -> int:
    """Return the place of a thing in the order of removal."""
    return KINDS.index(remain.kind)


def remove(asking: Asking, remain: Remain) -> None:
    """Ask AWS to remove a thing; whether it went is seen by the next look.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    REMOVERS[remain.kind](asking, remain.id)
