"""What is left of the cluster itself, and in services where names lead to things: Auto Scaling, logs, queues, rules, parameters, stacks."""

from __future__ import annotations

from collections.abc import Iterator

from lowtide.aws.live.eks import find_cluster
from lowtide.aws.live.lease import lease_path
from lowtide.aws.live.remains.asking import Asking, plain
from lowtide.aws.live.stacks import Stacks
from lowtide.model.names import CLUSTER_TAG
from lowtide.model.remains import Remain

CLUSTER, NODE_GROUP, SCALING_GROUP = "EKS cluster", "EKS node group", "Auto Scaling group"
STACK, LOGS, QUEUE, RULE, PARAMETER = "stack", "log group", "queue", "event rule", "parameter"
_BYTES_PER_GIB = 2**30


def find_cluster_itself(asking: Asking) -> Iterator[Remain]:
    """Yield the EKS cluster that lowtide made, and its managed node groups."""
    asking.calls += 1
    found = find_cluster(asking.account, asking.cluster)
    if found is None or not found.is_ours:
        return
    name, tag = found.name, f"{CLUSTER_TAG}={asking.cluster}"
    for group in asking.every("eks", "list_nodegroups", "nodegroups", clusterName=name):
        words = f"eks delete-nodegroup --cluster-name {name} --nodegroup-name {group}"
        yield Remain(kind=NODE_GROUP, id=group, found_by=tag, command=asking.command(words))
    yield Remain(
        kind=CLUSTER,
        id=name,
        found_by=tag,
        type=found.version,
        is_going=found.status == "DELETING",
        command=asking.command(f"eks delete-cluster --name {name}"),
    )


def find_scaling_groups(asking: Asking) -> Iterator[Remain]:
    """Yield Auto Scaling groups that carry a tag of the cluster; those of managed node groups go with these."""
    by_tag = [{"Name": "tag-key", "Values": list(asking.tags)}]
    operation = "describe_auto_scaling_groups"
    for one in asking.every("autoscaling", operation, "AutoScalingGroups", Filters=by_tag):
        found_by, name = asking.owner_tag(plain(one.get("Tags", ()))), one["AutoScalingGroupName"]
        if found_by:
            words = f"delete-auto-scaling-group --force-delete --auto-scaling-group-name {name}"
            yield Remain(
                kind=SCALING_GROUP,
                id=name,
                found_by=found_by,
                is_going=bool(one.get("Status")),  # set only while it is being deleted
                command=asking.command(f"autoscaling {words}"),
            )


def find_log_groups(asking: Asking) -> Iterator[Remain]:
    """Yield the logs of the control plane and of Container Insights, which EKS and agents make without a tag."""
    for service in ("eks", "containerinsights"):
        prefix = f"/aws/{service}/{asking.cluster}/"
        for one in asking.every(
            "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix
        ):
            name = one["logGroupName"]
            yield Remain(
                kind=LOGS,
                id=name,
                found_by=f"name {prefix}*",
                gib=one.get("storedBytes", 0) / _BYTES_PER_GIB,
                command=asking.command(f"logs delete-log-group --log-group-name {name}"),
            )


def find_queues(asking: Asking) -> Iterator[Remain]:
    """Yield queues that carry our tag."""
    for url in asking.every("sqs", "list_queues", "QueueUrls", QueueNamePrefix="lowtide-"):
        tags = asking.ask("sqs", "list_queue_tags", QueueUrl=url).get("Tags", {})
        if tags.get(CLUSTER_TAG) == asking.cluster:
            yield Remain(
                kind=QUEUE,
                id=url,
                found_by=asking.owner_tag(tags),
                name=url.rpartition("/")[2],
                command=asking.command(f"sqs delete-queue --queue-url {url}"),
            )


def find_rules(asking: Asking) -> Iterator[Remain]:
    """Yield rules of EventBridge that carry our tag."""
    for one in asking.every("events", "list_rules", "Rules", NamePrefix=asking.name_prefix):
        answer = asking.ask("events", "list_tags_for_resource", ResourceARN=one["Arn"])
        tags, name = plain(answer.get("Tags", ())), one["Name"]
        if tags.get(CLUSTER_TAG) == asking.cluster:
            yield Remain(
                kind=RULE,
                id=name,
                found_by=asking.owner_tag(tags),
                command=asking.command(f"events delete-rule --name {name}"),
            )


def find_parameters(asking: Asking) -> Iterator[Remain]:
    """Yield what lies below our path in the Parameter Store; the lease of this run is none of it."""
    path = f"/lowtide/{asking.cluster}"
    for one in asking.every(
        "ssm", "get_parameters_by_path", "Parameters", Path=path, Recursive=True
    ):
        name = one["Name"]
        if not name.startswith(f"{lease_path(asking.cluster)}/"):
            yield Remain(
                kind=PARAMETER,
                id=name,
                found_by=f"name {path}/*",
                command=asking.command(f"ssm delete-parameter --name {name}"),
            )


def find_stacks(asking: Asking) -> Iterator[Remain]:
    """Yield stacks of ours that are still there."""
    asking.calls += 1
    for one in Stacks(asking.account).all():
        if one.owner == asking.cluster and one.name.startswith(f"lowtide-{asking.cluster}-"):
            yield Remain(
                kind=STACK,
                id=one.name,
                found_by=f"{CLUSTER_TAG}={asking.cluster}",
                type=one.status,
                is_going=one.status == "DELETE_IN_PROGRESS",
                command=asking.command(f"cloudformation delete-stack --stack-name {one.name}"),
            )
