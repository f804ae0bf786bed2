"""The words of CloudFormation: references, tags, exports, a template, a stack.

Why it exists: stacks speak of each other by exports and of themselves by logical ids; both are formed here and nowhere else.
Intrinsic functions are written in their long form, which is plain JSON and plain YAML alike.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.model import names

#: A resource, an output or any other part of a template.
Resource = dict[str, Any]

FORMAT_VERSION = "2010-09-09"
#: The policy language, not a date of ours (IAM user guide, "Version").
POLICY_VERSION = "2012-10-17"
#: CreateStack's limit for a template given in the call itself (CloudFormation user guide, "Quotas").
BODY_LIMIT_BYTES = 51_200
#: Resources in one template (same place).
RESOURCE_LIMIT = 500
#: The template parameter of stacks whose nodes must trust the Kubernetes API.
CLUSTER_CA = "ClusterCa"
CAPABILITY_IAM = "CAPABILITY_IAM"
CAPABILITY_NAMED_IAM = "CAPABILITY_NAMED_IAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFinish:
    """What an Auto Scaling group needs and CloudFormation has no property for.

    ``group`` is its name, empty for that of the managed node group ``nodegroup``, which EKS names. ``processes`` are suspended;
    ``tags`` are for the group alone and not for its instances.
    """

    group: str = ""
    nodegroup: str = ""
    processes: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One CloudFormation stack: its name, the file it is rendered to, and what creating it needs.

    ``parameters`` are values that the caller must give; parameters with a default are left out.
    ``why`` says in one sentence what the stack is for. ``after`` are commands to run once the stack is there, and ``finish`` says the same
    as a value.
    """

    name: str
    file: str
    template: dict[str, Any]
    parameters: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    why: str = ""
    after: tuple[str, ...] = ()
    finish: GroupFinish | None = None


def ref(name: str) -> Resource:
    """Refer to a resource or parameter of the same template, or to a pseudo parameter."""
    return {"Ref": name}


def get_att(name: str, attribute: str) -> Resource:
    """Refer to an attribute of a resource of the same template."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str, variables: Mapping[str, Any] | None = None) -> Resource:
    """Put values into a text at its ``${...}`` places."""
    return {"Fn::Sub": [text, dict(variables)] if variables else text}


def arn(service: str, resource: str) -> Resource:
    """Form an ARN of this region and account, in whatever partition the stack is created."""
    place = "${AWS::Region}:${AWS::AccountId}"
    return sub(f"arn:${{AWS::Partition}}:{service}:{place}:{resource}")


def aws_policy(path: str) -> Resource:
    """Name an AWS managed policy, ``AmazonEKSClusterPolicy`` or ``service-role/...``, in any partition."""
    return sub(f"arn:${{AWS::Partition}}:iam::aws:policy/{path}")


def trust(
    principal: Resource, *actions: str, condition: Mapping[str, Any] | None = None
) -> Resource:
    """Form a trust policy: who may take a role, how, and when."""
    statement: Resource = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": actions[0] if len(actions) == 1 else list(actions),
    }
    if condition:
        statement["Condition"] = dict(condition)
    return {"Version": POLICY_VERSION, "Statement": [statement]}


def tags(mapping: Mapping[str, str]) -> list[Resource]:
    """Write tags as CloudFormation's list of keys and values, in order of their keys."""
    return [{"Key": key, "Value": mapping[key]} for key in sorted(mapping)]


def cluster_tags(cluster: str, *more: Mapping[str, str]) -> dict[str, str]:
    """Join tags, later ones winning, and add the one by which everything of a cluster is found again."""
    joined: dict[str, str] = {}
    for mapping in more:
        joined.update(mapping)
    return {**joined, names.CLUSTER_TAG: cluster}


def logical(text: str) -> str:
    """Make a logical id of any text: ``us-east-1a`` becomes ``UsEast1a``."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    return "".join(word[0].upper() + word[1:] for word in words)


def logical_ids(texts: Iterable[str]) -> dict[str, str]:
    """Make a logical id of each text; texts whose ids would be the same get a digest behind it."""
    distinct = tuple(dict.fromkeys(texts))
    taken = Counter(logical(text).lower() for text in distinct)
    return {
        text: logical(text) if taken[logical(text).lower()] == 1 else logical(text) + digest(text)
        for text in distinct
    }


def digest(text: str) -> str:
    """Return eight characters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def stack_name(cluster: str, part: str) -> str:
    """Name the stack of a part of a cluster."""
    return f"lowtide-{cluster}-{part}"


def export_name(cluster: str, key: str) -> str:
    """Name the export under which other stacks find a value of the cluster's stacks."""
    return f"lowtide-{cluster}-{key}"


def imported(cluster: str, key: str) -> Resource:
    """Use a value that another stack of the cluster exports.

    Raises:
        ValueError: the certificate authority was asked for, which is too long for an export.
    """
    if key == CLUSTER_CA:
        raise ValueError("ClusterCa cannot be exported: use cfn.cluster_ca_parameter() and ref()")
    return {"Fn::ImportValue": export_name(cluster, key)}


def cluster_ca_path(cluster: str) -> str:
    """Name the SSM parameter that holds the certificate authority of the cluster's Kubernetes API."""
    return f"/lowtide/{cluster}/cluster-ca"


def cluster_ca_parameter(cluster: str) -> dict[str, Resource]:
    """Return the template parameter by which a stack reads the certificate authority: ``ref(CLUSTER_CA)``.

    It has about 1,500 characters and CloudFormation refuses exports over 1,024 ("Cannot export output ... Max length of 1024
    exceeded"), so the cluster's stack keeps it in the Parameter Store, which costs nothing.
    """
    return {
        CLUSTER_CA: {
            "Type": "AWS::SSM::Parameter::Value<String>",
            "Default": cluster_ca_path(cluster),
            "Description": "Where the cluster's stack keeps the certificate authority of the API",
        }
    }


def output(value: Any, description: str, export: str | None = None) -> Resource:
    """Form an output, exported under the given name where there is one."""
    one: Resource = {"Description": description, "Value": value}
    return one if export is None else {**one, "Export": {"Name": export}}


def template(
    description: str,
    *,
    parameters: Mapping[str, Any],
    resources: Mapping[str, Resource],
    outputs: Mapping[str, Any],
) -> dict[str, Any]:
    """Form a template; empty sections are left out."""
    sections = {"Parameters": parameters, "Resources": resources, "Outputs": outputs}
    return {
        "AWSTemplateFormatVersion": FORMAT_VERSION,
        "Description": description,
        **{name: _tree(section) for name, section in sections.items() if section},
    }


def _tree(part: Any) -> Any:
    """Copy every part, so that no two places are one object, which YAML would write as an anchor and its alias."""
    if isinstance(part, Mapping):
        return {key: _tree(one) for key, one in part.items()}
    if isinstance(part, list | tuple):
        return [_tree(one) for one in part]
    return part


def joined(*parts: Mapping[str, Resource]) -> dict[str, Resource]:
    """Put parts of a template together.

    Raises:
        ValueError: two parts have the same logical id, a mistake of ours.
    """
    whole: dict[str, Resource] = {}
    for part in parts:
        both = whole.keys() & part.keys()
        if both:
            raise ValueError(f"logical ids used twice: {', '.join(sorted(both))}")
        whole.update(part)
    return whole
