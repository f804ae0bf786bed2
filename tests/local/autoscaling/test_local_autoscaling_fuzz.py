"""Whatever a request holds, the answer is a result or AWS's refusal, and the groups stay whole."""

from __future__ import annotations

import pickle
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.local.aws.autoscaling import SERVICE
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.models import operation_of
from lowtide.model.asg import Lifecycle
from tests.local.autoscaling.asg_box import Groups

#: Words that mean something somewhere, so that requests get beyond the first check.
WORDS = (
    "gpu", "node", "", "1", "0", "-1", "$Latest", "g4dn.xlarge", "g5.xlarge", "us-east-1a", "Launch", "AZRebalance",
    "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING", "CONTINUE", "ABANDON", "hook",
    "Healthy", "Unhealthy", "tag:k", "tag-key", "key", "auto-scaling-group", "lowest-price", "capacity-optimized",
    "prioritized", "price-capacity-optimized", "0.1", "i-0123456789abcdef0", "1Minute", "GroupMinSize", "x" * 300, "\N{SNOWMAN}",
)  # fmt: skip


def shaped(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values of a botocore shape."""
    if shape.type_name == "structure":
        required = {
            name: shaped(one, depth + 1)
            for name, one in shape.members.items()
            if name in shape.required_members
        }
        rest = {
            name: shaped(one, depth + 1)
            for name, one in shape.members.items()
            if name not in required and depth < 5
        }
        return st.fixed_dictionaries(required, optional=rest)
    if shape.type_name == "list":
        return st.lists(shaped(shape.member, depth + 1), max_size=3)
    if shape.type_name == "map":
        return st.dictionaries(st.sampled_from(WORDS), st.sampled_from(WORDS), max_size=2)
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name in ("integer", "long"):
        return st.sampled_from((0, 1, 2, 3, 30, 60, -1, 2**31 - 1))
    if shape.type_name in ("float", "double"):
        return st.floats(allow_nan=False, allow_infinity=False)
    if shape.type_name == "timestamp":
        return st.datetimes()
    return st.sampled_from(WORDS)


@st.composite
def requests(draw: Any) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(sorted(SERVICE.operations)))
    model = operation_of("autoscaling", name)
    assert model is not None
    params = draw(shaped(model.input_shape)) if model.input_shape else {}
    for key in ("AutoScalingGroupName", "ResourceId"):
        if key in params and draw(st.booleans()):
            params[key] = "gpu"
    return name, params


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batch=st.lists(requests(), min_size=1, max_size=6))
def test_any_request_is_answered_or_refused_and_groups_stay_whole(
    groups: Groups, batch: list[tuple[str, dict[str, Any]]]
) -> None:
    if not groups("DescribeAutoScalingGroups", AutoScalingGroupNames=["gpu"])["AutoScalingGroups"]:
        groups.create(DesiredCapacity=1)
    for name, params in batch:
        if "InstanceId" in params and groups.group()["Instances"]:
            params["InstanceId"] = groups.group()["Instances"][0]["InstanceId"]
        with suppress(AwsError):
            groups(name, **params)
        groups.wait(7)
        state = groups.box.state("autoscaling")
        if ("us-east-1", "gpu") not in state.groups:
            break
        group = state.groups["us-east-1", "gpu"]
        decided = state.decided(group)
        held = {one.id for one in decided.instances if one.lifecycle is not Lifecycle.TERMINATING}
        under_way = {one.id for one in decided.launches}
        assert {one.id for one in group.members.values() if one.phase == "InService"} == held
        assert {
            one.launch_id for one in group.members.values() if one.phase == "Pending"
        } == under_way
    pickle.dumps(groups.box.state("autoscaling"))
