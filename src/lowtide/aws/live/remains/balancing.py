"""What is left in Elastic Load Balancing: balancers that Kubernetes made for Services and Ingresses, and their target groups.

Why it exists: they are no part of any stack, cost money by the hour, and hold the network that the cluster's stack would delete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lowtide.aws.live.remains.asking import Asking, plain
from lowtide.model.remains import Remain

BALANCER, CLASSIC, TARGETS = "load balancer", "classic load balancer", "target group"
#: DescribeTags takes that many at once (Elastic Load Balancing API references, both versions).
_AT_ONCE = 20


def find_balancers(asking: Asking) -> Iterator[Remain]:
    """Yield balancers of all kinds and target groups that carry a tag of the cluster."""
    found = list(asking.every("elbv2", "describe_load_balancers", "LoadBalancers"))
    arns = {one["LoadBalancerArn"]: one for one in found}
    for arn, found_by in _owned(asking, list(arns)):
        yield _new(asking, arns[arn], found_by)
    groups = list(asking.every("elbv2", "describe_target_groups", "TargetGroups"))
    by_arn = {one["TargetGroupArn"]: one for one in groups}
    for arn, found_by in _owned(asking, list(by_arn)):
        yield Remain(
            kind=TARGETS,
            id=arn,
            found_by=found_by,
            name=by_arn[arn]["TargetGroupName"],
            network=by_arn[arn].get("VpcId", ""),
            command=asking.command(f"elbv2 delete-target-group --target-group-arn {arn}"),
        )
    yield from _classic(asking)


def _new(asking: Asking, raw: Mapping[str, Any], found_by: str) -> Remain:
    arn = str(raw["LoadBalancerArn"])
    return Remain(
        kind=BALANCER,
        id=arn,
        found_by=found_by,
        name=raw["LoadBalancerName"],
        type=raw["Type"],
        network=raw.get("VpcId", ""),
        command=asking.command(f"elbv2 delete-load-balancer --load-balancer-arn {arn}"),
    )


def _owned(asking: Asking, arns: Sequence[str]) -> Iterator[tuple[str, str]]:
    for start in range(0, len(arns), _AT_ONCE):
        answer = asking.ask("elbv2", "describe_tags", ResourceArns=arns[start : start + _AT_ONCE])
        for one in answer["TagDescriptions"]:
            found_by = asking.owner_tag(plain(one["Tags"]))
            if found_by:
                yield one["ResourceArn"], found_by


def _classic(asking: Asking) -> Iterator[Remain]:
    found = asking.every("elb", "describe_load_balancers", "LoadBalancerDescriptions")
    networks = {one["LoadBalancerName"]: one.get("VPCId", "") for one in found}
    names = list(networks)
    for start in range(0, len(names), _AT_ONCE):
        answer = asking.ask(
            "elb", "describe_tags", LoadBalancerNames=names[start : start + _AT_ONCE]
        )
        for one in answer["TagDescriptions"]:
            name, found_by = one["LoadBalancerName"], asking.owner_tag(plain(one["Tags"]))
            if found_by:
                yield Remain(
                    kind=CLASSIC,
                    id=name,
                    found_by=found_by,
                    name=name,
                    type="classic",
                    network=networks[name],
                    command=asking.command(f"elb delete-load-balancer --load-balancer-name {name}"),
                )
