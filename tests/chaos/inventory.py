"""Everything that an account holds, each thing by a name that is the same in every life: what is twice, and what is left, is seen.

Why it exists: the proof must not ask lowtide. It asks AWS's own listings, of which a life may leave nothing behind.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lowtide.aws.live.account import Account
from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster

#: Kind and name -> how many there are.
Inventory = Counter[tuple[str, str]]

#: Kind -> service, operation, where the list is in the answer (a dotted path), and what names a thing.
_LISTINGS: Mapping[str, tuple[str, str, str, str]] = {
    "stack": ("cloudformation", "describe_stacks", "Stacks", "StackName"),
    "export": ("cloudformation", "list_exports", "Exports", "Name"),
    "VPC": ("ec2", "describe_vpcs", "Vpcs", "Tags"),
    "subnet": ("ec2", "describe_subnets", "Subnets", "Tags"),
    "route table": ("ec2", "describe_route_tables", "RouteTables", "Tags"),
    "internet gateway": ("ec2", "describe_internet_gateways", "InternetGateways", "Tags"),
    "NAT gateway": ("ec2", "describe_nat_gateways", "NatGateways", "State"),
    "address": ("ec2", "describe_addresses", "Addresses", "Tags"),
    "security group": ("ec2", "describe_security_groups", "SecurityGroups", "GroupName"),
    "VPC endpoint": ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "ServiceName"),
    "network interface": (
        "ec2",
        "describe_network_interfaces",
        "NetworkInterfaces",
        "InterfaceType",
    ),
    "launch template": (
        "ec2",
        "describe_launch_templates",
        "LaunchTemplates",
        "LaunchTemplateName",
    ),
    "volume": ("ec2", "describe_volumes", "Volumes", "State"),
    "spot request": (
        "ec2",
        "describe_spot_instance_requests",
        "SpotInstanceRequests",
        "State",
    ),
    "Auto Scaling group": (
        "autoscaling",
        "describe_auto_scaling_groups",
        "AutoScalingGroups",
        "AutoScalingGroupName",
    ),
    "load balancer": ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
    "classic load balancer": (
        "elb",
        "describe_load_balancers",
        "LoadBalancerDescriptions",
        "LoadBalancerName",
    ),
    "EKS cluster": ("eks", "list_clusters", "clusters", ""),
    "role": ("iam", "list_roles", "Roles", "RoleName"),
    "instance profile": (
        "iam",
        "list_instance_profiles",
        "InstanceProfiles",
        "InstanceProfileName",
    ),
    "OIDC provider": (
        "iam",
        "list_open_id_connect_providers",
        "OpenIDConnectProviderList",
        "Arn",
    ),
    "queue": ("sqs", "list_queues", "QueueUrls", ""),
    "rule": ("events", "list_rules", "Rules", "Name"),
    "log group": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
}
#: AWS makes them once for an account and they stay (IAM user guide, "Service-linked roles").
_OF_AWS = "AWSServiceRole"
#: States that are history and cost nothing.
_OVER = frozenset({"deleted", "DELETE_COMPLETE", "cancelled", "closed"})
_DRAWN = re.compile(
    r"-?(?<![a-z])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|-[0-9A-Za-z]{8,13}\Z|/id/\w+"
)
#: What lowtide installs in a cluster, and what comes with it.
_KINDS = (
    kinds.DEPLOYMENT,
    kinds.DAEMON_SET,
    kinds.BUDGET,
)


def inventory(account: Account) -> Inventory:
    """Return what the account holds."""
    found: Inventory = Counter()
    for kind, (service, operation, place, name) in _LISTINGS.items():
        for one in _all(account.client(service), operation, place):
            if not (isinstance(one, Mapping) and one.get("State") in _OVER):
                found[kind, _name(one, name)] += 1
    found.update(_instances(account))
    found.update(_of_clusters(account))
    found.update(_of_stacks(account))
    found.update(_parameters(account))
    return Counter({key: count for key, count in found.items() if not key[1].startswith(_OF_AWS)})


def objects(kubeconfig: Path) -> Inventory:
    """Return the workloads and nodes of a cluster, by its administrator's kubeconfig."""
    found: Inventory = Counter()
    with Cluster.connect(kubeconfig) as cluster:
        for kind in _KINDS:
            for one in cluster.list(kind).items:
                metadata = one["metadata"]
                found[kind.name, f"{metadata['namespace']}/{metadata['name']}"] += 1
        found["node", ""] = len(cluster.list(kinds.NODE).items)
    return found


def difference(wanted: Inventory, found: Inventory) -> tuple[str, ...]:
    """Return what is there too often (+) and what is missing (-), one line each."""
    more, less = found - wanted, wanted - found
    return (
        *(f"+ {count} {kind} {name}".rstrip() for (kind, name), count in sorted(more.items())),
        *(f"- {count} {kind} {name}".rstrip() for (kind, name), count in sorted(less.items())),
    )


def _all(client: Any, operation: str, place: str) -> Iterable[Any]:
    if not client.can_paginate(operation):
        return list(getattr(client, operation)().get(place, ()))
    return [
        one for page in client.get_paginator(operation).paginate() for one in page.get(place) or ()
    ]


def _name(one: Any, field: str) -> str:
    if not field:
        text = str(one)
    elif field == "Tags":
        text = next((tag["Value"] for tag in one.get("Tags", ()) if tag["Key"] == "Name"), "")
    else:
        text = str(one.get(field, ""))
    return _DRAWN.sub("", text)


def _instances(account: Account) -> Inventory:
    found: Inventory = Counter()
    for one in _all(account.client("ec2"), "describe_instances", "Reservations"):
        for instance in one["Instances"]:
            if instance["State"]["Name"] not in {"terminated", "shutting-down"}:
                found["instance", instance["InstanceType"]] += 1
    return found


def _of_clusters(account: Account) -> Inventory:
    found: Inventory = Counter()
    eks = account.client("eks")
    parts: tuple[tuple[str, str, str, Callable[[Any], str]], ...] = (
        ("add-on", "list_addons", "addons", str),
        ("node group", "list_nodegroups", "nodegroups", str),
        ("access entry", "list_access_entries", "accessEntries", str),
        (
            "pod identity",
            "list_pod_identity_associations",
            "associations",
            lambda one: f"{one['namespace']}/{one['serviceAccount']}",
        ),
    )
    for name in eks.list_clusters()["clusters"]:
        for kind, operation, place, named in parts:
            for one in getattr(eks, operation)(clusterName=name)[place]:
                found[kind, _DRAWN.sub("", named(one))] += 1
    return found


def _of_stacks(account: Account) -> Inventory:
    """Return the state of each stack, its resources, and change sets that nobody used."""
    found: Inventory = Counter()
    api = account.client("cloudformation")
    for stack in _all(api, "describe_stacks", "Stacks"):
        name, status = stack["StackName"], stack["StackStatus"]
        steady = "COMPLETE" if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"} else status
        found["stack in state", f"{name} {steady}"] += 1
        found["stack protected", f"{name} {stack.get('EnableTerminationProtection')}"] += 1
        listed = api.list_change_sets(StackName=name)["Summaries"]
        for one in listed:
            if one["ExecutionStatus"] != "EXECUTE_COMPLETE":  # which is history
                found["change set", f"{name}/{one['ChangeSetName']}"] += 1
        for one in api.describe_stack_resources(StackName=name)["StackResources"]:
            found["resource", f"{name}/{one['LogicalResourceId']}"] += 1
    return found


def _parameters(account: Account) -> Inventory:
    """Return the parameters that lowtide may have made; the box's own are AWS's public ones."""
    api = account.client("ssm")
    listed = api.get_parameters_by_path(Path="/lowtide", Recursive=True)["Parameters"]
    return Counter(("parameter", one["Name"].rpartition("/")[0]) for one in listed)
