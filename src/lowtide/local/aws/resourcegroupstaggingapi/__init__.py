"""Resource Groups Tagging API of the embedded AWS: which resources carry which tags.

Why it exists: it is how one asks AWS, in one call, what is left of a cluster. moto's knows nothing of our own services.

What it must not know: how any service keeps its resources; it asks them as a client would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lowtide.local.aws.box import Box
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.service import Call, Service
from lowtide.local.aws.tokens import start_of, token_of

Tagged = tuple[str, dict[str, str]]
#: Resources on a page, where the caller does not say.
_PER_PAGE, _MOST_PER_PAGE = 50, 100


def get_resources(box: Box, call: Call) -> Mapping[str, Any]:
    """Return the tagged resources of the region that pass all filters, a page at a time."""
    params = call.params
    _check(params)
    found = [one for one in _all(box, call) if _is_wanted(one, params)]
    start = _start(params.get("PaginationToken", ""), len(found))
    end = start + (params.get("ResourcesPerPage") or _PER_PAGE)
    return {
        "ResourceTagMappingList": [
            {"ResourceARN": arn, "Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}
            for arn, tags in found[start:end]
        ],
        "PaginationToken": token_of(end) if end < len(found) else "",
    }


def get_tag_keys(box: Box, call: Call) -> Mapping[str, Any]:
    """Return all keys in use in the region."""
    keys = {key for _, tags in _all(box, call) for key in tags}
    return {"TagKeys": sorted(keys), "PaginationToken": ""}


def get_tag_values(box: Box, call: Call) -> Mapping[str, Any]:
    """Return all values of a key in the region."""
    key = call.params["Key"]
    values = {tags[key] for _, tags in _all(box, call) if key in tags}
    return {"TagValues": sorted(values), "PaginationToken": ""}


SERVICE = Service(
    name="resourcegroupstaggingapi",
    operations={
        "GetResources": get_resources,
        "GetTagKeys": get_tag_keys,
        "GetTagValues": get_tag_values,
    },
    whole=True,
)


def _all(box: Box, call: Call) -> list[Tagged]:
    def ask(service: str, operation: str, **params: Any) -> Mapping[str, Any]:
        return box.call(service, operation, params, region=call.region)

    prefix = f"arn:aws:ec2:{call.region}:{box.settings.account}"
    found = [
        *_ec2(ask, prefix),
        *_eks(ask),
        *_stacks(ask),
        *_queues(ask),
        *_rules(ask),
        *_balancers(ask),
    ]
    return sorted((one for one in found if one[1]), key=lambda one: one[0])


Ask = Callable[..., Mapping[str, Any]]


def _pages(ask: Ask, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
    token: dict[str, str] = {}
    while True:
        answer = ask(service, operation, **params, **token)
        yield from answer.get(key, ())
        field = "nextToken" if answer.get("nextToken") else "NextToken"
        if not answer.get(field):
            return
        token = {field: answer[field]}


def _ec2(ask: Ask, prefix: str) -> list[Tagged]:
    found: dict[str, dict[str, str]] = {}
    for tag in _pages(ask, "ec2", "DescribeTags", "Tags"):
        arn = f"{prefix}:{tag['ResourceType']}/{tag['ResourceId']}"
        found.setdefault(arn, {})[tag["Key"]] = tag["Value"]
    return list(found.items())


def _eks(ask: Ask) -> Iterator[Tagged]:
    for name in _pages(ask, "eks", "ListClusters", "clusters"):
        cluster = ask("eks", "DescribeCluster", name=name)["cluster"]
        yield cluster["arn"], dict(cluster.get("tags", {}))
        for group in _pages(ask, "eks", "ListNodegroups", "nodegroups", clusterName=name):
            answer = ask("eks", "DescribeNodegroup", clusterName=name, nodegroupName=group)
            yield answer["nodegroup"]["nodegroupArn"], dict(answer["nodegroup"].get("tags", {}))
        for addon in _pages(ask, "eks", "ListAddons", "addons", clusterName=name):
            answer = ask("eks", "DescribeAddon", clusterName=name, addonName=addon)
            yield answer["addon"]["addonArn"], dict(answer["addon"].get("tags", {}))


def _stacks(ask: Ask) -> Iterator[Tagged]:
    for stack in _pages(ask, "cloudformation", "DescribeStacks", "Stacks"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield stack["StackId"], _plain(stack.get("Tags", ()))


def _queues(ask: Ask) -> Iterator[Tagged]:
    for url in ask("sqs", "ListQueues").get("QueueUrls", ()):
        answer = ask("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        yield (
            answer["Attributes"]["QueueArn"],
            dict(ask("sqs", "ListQueueTags", QueueUrl=url).get("Tags", {})),
        )


def _rules(ask: Ask) -> Iterator[Tagged]:
    for rule in _pages(ask, "events", "ListRules", "Rules"):
        answer = ask("events", "ListTagsForResource", ResourceARN=rule["Arn"])
        yield rule["Arn"], _plain(answer.get("Tags", ()))


def _balancers(ask: Ask) -> Iterator[Tagged]:
    balancers = ask("elbv2", "DescribeLoadBalancers").get("LoadBalancers", ())
    arns = [one["LoadBalancerArn"] for one in balancers]
    described = ask("elbv2", "DescribeTags", ResourceArns=arns)["TagDescriptions"] if arns else ()
    for one in described:
        yield one["ResourceArn"], _plain(one.get("Tags", ()))


def _plain(tags: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _check(params: Mapping[str, Any]) -> None:
    """Refuse filters and sizes out of the model's bounds, which say nothing (API reference, GetResources, TagFilter).

    Raises:
        AwsError: InvalidParameterException.
    """
    if not all(one.get("Key") for one in params.get("TagFilters", ())):
        raise AwsError("InvalidParameterException", "A tag filter must have a Key.")
    if not 1 <= (params.get("ResourcesPerPage") or _PER_PAGE) <= _MOST_PER_PAGE:
        raise AwsError(
            "InvalidParameterException",
            f"ResourcesPerPage must be between 1 and {_MOST_PER_PAGE}.",
        )


def _is_wanted(one: Tagged, params: Mapping[str, Any]) -> bool:
    arn, tags = one
    for wanted in params.get("TagFilters", ()):
        value = tags.get(wanted["Key"])
        if value is None or (wanted.get("Values") and value not in wanted["Values"]):
            return False
    types = params.get("ResourceTypeFilters")
    if types and not any(_is_of_type(arn, kind) for kind in types):
        return False
    arns = params.get("ResourceARNList")
    return not arns or arn in arns


def _is_of_type(arn: str, kind: str) -> bool:
    service, _, resource = kind.partition(":")
    parts = arn.split(":", 5)
    return parts[2] == service and (not resource or parts[5].split("/")[0] == resource)


def _start(token: str, size: int) -> int:
    start = start_of(token)
    if start is None or start > size:
        raise AwsError(
            "PaginationTokenExpiredException", "The pagination token is invalid or expired."
        )
    return start
