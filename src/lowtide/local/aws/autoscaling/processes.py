"""SuspendProcesses and ResumeProcesses, metrics, and lists of what there is or can be.

Why it exists: with several zones the autoscaler needs AZRebalance off; tools ask for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.cloud import autoscaling
from lowtide.local.aws.autoscaling import causes
from lowtide.local.aws.autoscaling.activities import stamp
from lowtide.local.aws.autoscaling.effects import carry_out, look_at_zones
from lowtide.local.aws.autoscaling.requests import TERMINATION_POLICIES, config_of, refuse
from lowtide.local.aws.autoscaling.state import Group, group_of, now_ms, state_of
from lowtide.local.aws.box import Box
from lowtide.local.aws.service import Call, Operation

PROCESSES = (
    "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh", "Launch",
    "ReplaceUnhealthy", "ScheduledActions", "Terminate",
)  # fmt: skip
METRICS = (
    "GroupAndWarmPoolDesiredCapacity", "GroupAndWarmPoolTotalCapacity", "GroupDesiredCapacity",
    "GroupInServiceCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize", "GroupPendingCapacity",
    "GroupPendingInstances", "GroupStandbyCapacity", "GroupStandbyInstances", "GroupTerminatingCapacity",
    "GroupTerminatingInstances", "GroupTotalCapacity", "GroupTotalInstances", "WarmPoolDesiredCapacity",
    "WarmPoolMinSize", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity", "WarmPoolTotalCapacity",
    "WarmPoolWarmedCapacity",
)  # fmt: skip
_GRANULARITY = "1Minute"


def suspend(box: Box, call: Call) -> Mapping[str, Any]:
    """SuspendProcesses: those that are named, or all."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    for name in _named(call):
        group.suspended.setdefault(name, f"User suspended at {stamp(box)}")
    _apply(box, group)
    return {}


def resume(box: Box, call: Call) -> Mapping[str, Any]:
    """ResumeProcesses; what waited for them happens now."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    for name in _named(call):
        group.suspended.pop(name, None)
    _apply(box, group)
    return {}


def enable_metrics(box: Box, call: Call) -> Mapping[str, Any]:
    """EnableMetricsCollection."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    if call.params["Granularity"] != _GRANULARITY:
        raise refuse(f"Granularity must be {_GRANULARITY}")
    for name in call.params.get("Metrics") or METRICS:
        if name not in METRICS:
            raise refuse(f"The metric {name} is not a metric of Auto Scaling groups.")
        group.metrics[name] = _GRANULARITY
    return {}


def disable_metrics(box: Box, call: Call) -> Mapping[str, Any]:
    """DisableMetricsCollection."""
    group = group_of(box, call.region, call.params["AutoScalingGroupName"])
    for name in call.params.get("Metrics") or METRICS:
        group.metrics.pop(name, None)
    return {}


def process_types(_box: Box, _call: Call) -> Mapping[str, Any]:
    """DescribeScalingProcessTypes."""
    return {"Processes": [{"ProcessName": name} for name in PROCESSES]}


def metric_types(_box: Box, _call: Call) -> Mapping[str, Any]:
    """DescribeMetricCollectionTypes."""
    return {
        "Metrics": [{"Metric": name} for name in METRICS],
        "Granularities": [{"Granularity": _GRANULARITY}],
    }


def termination_policies(_box: Box, _call: Call) -> Mapping[str, Any]:
    """DescribeTerminationPolicyTypes."""
    return {"TerminationPolicyTypes": list(TERMINATION_POLICIES)}


def adjustment_types(_box: Box, _call: Call) -> Mapping[str, Any]:
    """DescribeAdjustmentTypes."""
    names = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")
    return {"AdjustmentTypes": [{"AdjustmentType": name} for name in names]}


def empty(key: str) -> Operation:
    """Return the operation that lists what this box never has."""

    def listed(_box: Box, _call: Call) -> Mapping[str, Any]:
        return {key: []}

    return listed


def _named(call: Call) -> list[str]:
    names = list(call.params.get("ScalingProcesses") or PROCESSES)
    for name in names:
        if name not in PROCESSES:
            raise refuse(f"Invalid process name(s): [{name}]. Valid: [{', '.join(PROCESSES)}]")
    return names


def _apply(box: Box, group: Group) -> None:
    """Let the decisions know, which go on where they were held back."""
    state = state_of(box)
    decided = state.decided(group)
    config = config_of(
        box,
        group,
        smallest=decided.config.min_size,
        largest=decided.config.max_size,
        desired=decided.desired,
    )
    change = autoscaling.update_group(state.cloud(group.region), config, now_ms(box))
    carry_out(box, group, change, causes.BY_ITSELF)
    look_at_zones(box, group, box.settings.delays.launch_retry_s)
