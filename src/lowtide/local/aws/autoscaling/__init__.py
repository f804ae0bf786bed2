"""Auto Scaling of our own: what a group asks, decided by the functions of `cloud/` that the twin uses.

Why it exists: moto's groups ignore spot, overrides and capacity; the autoscaler, `why` and `down` are only right against
groups that launch, wait, fail and end as AWS's do. What is not served here (launch configurations, scaling policies,
warm pools, instance refresh) is refused: no other service of the box knows these groups.
"""

from __future__ import annotations

from lowtide.local.aws.autoscaling import (
    describing,
    groups,
    hooks,
    members,
    processes,
    steps,
    tags,
)
from lowtide.local.aws.autoscaling.state import NAME, AutoScalingState
from lowtide.local.aws.service import Service

SERVICE = Service(
    name=NAME,
    operations={
        "AttachInstances": members.attach,
        "CompleteLifecycleAction": hooks.complete_action,
        "CreateAutoScalingGroup": groups.create,
        "CreateOrUpdateTags": tags.create_or_update,
        "DeleteAutoScalingGroup": groups.delete,
        "DeleteLifecycleHook": hooks.delete_hook,
        "DeleteTags": tags.delete,
        "DescribeAccountLimits": describing.account_limits,
        "DescribeAdjustmentTypes": processes.adjustment_types,
        "DescribeAutoScalingGroups": describing.groups,
        "DescribeAutoScalingInstances": describing.instances,
        "DescribeInstanceRefreshes": processes.empty("InstanceRefreshes"),
        "DescribeLaunchConfigurations": processes.empty("LaunchConfigurations"),
        "DescribeLifecycleHookTypes": hooks.hook_types,
        "DescribeLifecycleHooks": hooks.describe_hooks,
        "DescribeLoadBalancerTargetGroups": processes.empty("LoadBalancerTargetGroups"),
        "DescribeLoadBalancers": processes.empty("LoadBalancers"),
        "DescribeMetricCollectionTypes": processes.metric_types,
        "DescribeNotificationConfigurations": processes.empty("NotificationConfigurations"),
        "DescribePolicies": processes.empty("ScalingPolicies"),
        "DescribeScalingActivities": describing.activities,
        "DescribeScalingProcessTypes": processes.process_types,
        "DescribeScheduledActions": processes.empty("ScheduledUpdateGroupActions"),
        "DescribeTags": tags.describe,
        "DescribeTerminationPolicyTypes": processes.termination_policies,
        "DescribeTrafficSources": processes.empty("TrafficSources"),
        "DetachInstances": members.detach,
        "DisableMetricsCollection": processes.disable_metrics,
        "EnableMetricsCollection": processes.enable_metrics,
        "PutLifecycleHook": hooks.put_hook,
        "RecordLifecycleActionHeartbeat": hooks.beat,
        "ResumeProcesses": processes.resume,
        "SetDesiredCapacity": groups.set_desired,
        "SetInstanceHealth": members.set_health,
        "SetInstanceProtection": members.protect,
        "SuspendProcesses": processes.suspend,
        "TerminateInstanceInAutoScalingGroup": members.terminate,
        "UpdateAutoScalingGroup": groups.update,
    },
    timers={
        "balance": steps.on_balance,
        "end": steps.on_end,
        "instance_ended": steps.on_instance_ended,
        "interrupt": steps.interrupt,
        "launched": steps.on_launched,
        "reclaim": steps.on_reclaim,
        "retry": steps.on_retry,
        "terminated": steps.on_terminated,
        "unhealthy": steps.on_unhealthy,
        "wait_over": steps.on_wait_over,
    },
    state=AutoScalingState,
    whole=True,
)
