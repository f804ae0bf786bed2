"""What roles may do: the ready-made policies that the file names by key, and the parts of a role that carry them.

Why it exists: eksctl gives most of these on every resource (pkg/cfn/builder/statement.go). Here write actions name what they
may touch, AWS's own managed policies are used where AWS keeps one, and a key without either is refused in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lowtide.aws.templates import cfn
from lowtide.aws.templates.cfn import Resource
from lowtide.model import names
from lowtide.model.blueprint import Permissions
from lowtide.model.errors import InputError

#: Keys of our own, beside eksctl's.
TERMINATION_HANDLER_POLICY = "nodeTerminationHandler"
VPC_CNI_POLICY = "vpcCNI"

#: AWS managed policies by key.
_MANAGED = {
    VPC_CNI_POLICY: "AmazonEKS_CNI_Policy",
    "imageBuilder": "AmazonEC2ContainerRegistryPowerUser",
    "ebsCSIController": "service-role/AmazonEBSCSIDriverPolicy",
    "efsCSIController": "service-role/AmazonEFSCSIDriverPolicy",
    "fsxCSIController": "AmazonFSxFullAccess",
    "cloudWatchAgent": "CloudWatchAgentServerPolicy",
}
_HOSTED_ZONES = "arn:${AWS::Partition}:route53:::hostedzone/*"
#: SQS allows 80 characters.
_QUEUE_NAME_LIMIT = 80


def role_permissions(cluster: str, permissions: Permissions) -> Resource:
    """Return the properties of an AWS::IAM::Role that grant permissions; what is not asked for is left out.

    Raises:
        InputError: a well-known policy that lowtide does not have.
    """
    managed: list[Any] = list(permissions.policy_arns)
    inline: list[Resource] = []
    for key in permissions.well_known:
        if key in _MANAGED:
            managed.append(cfn.aws_policy(_MANAGED[key]))
        else:
            inline.append(_inline(key, well_known(cluster, key)))
    if permissions.document is not None:
        inline.append(_inline(permissions.document_name or "attached", permissions.document))
    properties: Resource = {}
    if managed:
        properties["ManagedPolicyArns"] = managed
    if inline:
        properties["Policies"] = inline
    if permissions.boundary_arn:
        properties["PermissionsBoundary"] = permissions.boundary_arn
    return properties


def well_known(cluster: str, key: str) -> Resource:
    """Return the policy document of a well-known policy that is not one of AWS's managed ones.

    Raises:
        InputError: there is none of that key.
    """
    if key not in _DOCUMENTS:
        raise InputError(
            f"The well-known policy {key} is not available.",
            where=f"wellKnownPolicies.{key}",
            why="AWS keeps no managed policy for it, and lowtide has none of its own yet.",
            fix="Attach the policy that the component's documentation gives, by attachPolicyARNs or attachPolicy.",
        )
    return {"Version": cfn.POLICY_VERSION, "Statement": _DOCUMENTS[key](cluster)}


def queue_name(cluster: str) -> str:
    """Name the queue of interruption events."""
    name = cfn.stack_name(cluster, "interruption")
    return name if len(name) <= _QUEUE_NAME_LIMIT else f"lowtide-{cfn.digest(cluster)}-interruption"


def _inline(name: str, document: Mapping[str, Any]) -> Resource:
    return {"PolicyName": name, "PolicyDocument": dict(document)}


def _allow(actions: list[str], resource: Any, condition: Resource | None = None) -> Resource:
    statement: Resource = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def _auto_scaler(cluster: str) -> list[Resource]:
    """What Cluster Autoscaler needs (cloudprovider/aws/README.md at 1.36.1, "Full Cluster Autoscaler Features Policy").

    The two write actions work on groups with this cluster's discovery tag alone; EC2 Auto Scaling knows the tags of a group
    by ``autoscaling:ResourceTag`` (Service Authorization Reference, Amazon EC2 Auto Scaling).
    """
    tag = f"autoscaling:ResourceTag/{names.TAG_CLUSTER_PREFIX}{cluster}"
    reads = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    return [
        _allow(reads, "*"),
        _allow(["eks:DescribeNodegroup"], cfn.arn("eks", f"nodegroup/{cluster}/*/*")),
        _allow(
            [
                "autoscaling:SetDesiredCapacity",
                "autoscaling:TerminateInstanceInAutoScalingGroup",
            ],
            cfn.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*"),
            {"StringEquals": {tag: "owned"}},
        ),
    ]


def _node_termination_handler(cluster: str) -> list[Resource]:
    """What the handler needs in queue mode; no lifecycle hook is used, so none is completed."""
    return [
        _allow(
            [
                "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeTags",
                "ec2:DescribeInstances",
            ],
            "*",
        ),
        _allow(
            ["sqs:DeleteMessage", "sqs:ReceiveMessage"],
            cfn.arn("sqs", queue_name(cluster)),
        ),
    ]


def _external_dns(_cluster: str) -> list[Resource]:
    """As in external-dns's AWS tutorial."""
    return [
        _allow(["route53:ChangeResourceRecordSets"], cfn.sub(_HOSTED_ZONES)),
        _allow(
            [
                "route53:ListHostedZones",
                "route53:ListResourceRecordSets",
                "route53:ListTagsForResources",
            ],
            "*",
        ),
    ]


def _cert_manager(_cluster: str) -> list[Resource]:
    """As in cert-manager's Route 53 guide: it answers challenges by TXT records alone."""
    only_txt = {
        "ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsRecordTypes": ["TXT"]}
    }
    return [
        _allow(["route53:GetChange"], cfn.sub("arn:${AWS::Partition}:route53:::change/*")),
        _allow(["route53:ChangeResourceRecordSets"], cfn.sub(_HOSTED_ZONES), only_txt),
        _allow(["route53:ListResourceRecordSets"], cfn.sub(_HOSTED_ZONES)),
        _allow(["route53:ListHostedZonesByName"], "*"),
    ]


_DOCUMENTS: dict[str, Callable[[str], list[Resource]]] = {
    "autoScaler": _auto_scaler,
    "certManager": _cert_manager,
    "externalDNS": _external_dns,
    TERMINATION_HANDLER_POLICY: _node_termination_handler,
}
