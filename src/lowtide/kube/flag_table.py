"""Every flag of the Cluster Autoscaler with the kind of value it takes.

Why it exists: the real binary exits on a flag that it does not know, and a boolean flag takes no
separate argument, so reading a Deployment's arguments needs the whole list.

Sources: Cluster Autoscaler 1.36.1, config/flags/flags.go and main.go; klog, component-base and
cloud-provider-gce add theirs (FAQ.md, "What are the parameters to CA?"). First and last minors:
kubernetes/autoscaler release branches 1.32 to 1.36.
"""

from __future__ import annotations

import enum


class Kind(enum.StrEnum):
    """What a flag's value is; LIST flags may be given several times and keep every value."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    DURATION = "duration"
    TEXT = "text"
    LIST = "list"


_NAMES = {
    Kind.BOOL: """
        add-dir-header alsologtostderr async-node-groups aws-use-static-instance-list
        balance-similar-node-groups bulk-mig-instances-listing-enabled
        capacity-buffer-controller-enabled capacity-buffer-pod-dry-run-enabled
        capacity-buffer-pod-injection-enabled capacity-quotas-enabled
        check-capacity-batch-processing clusterapi-cloud-config-authoritative
        cordon-node-before-terminating daemonset-eviction-for-empty-nodes
        daemonset-eviction-for-occupied-nodes debugging-snapshot-enabled
        dynamic-node-delete-delay-after-taint-enabled emit-per-nodegroup-metrics
        enable-csi-node-aware-scheduling enable-dynamic-resource-allocation
        enable-proactive-scaleup enable-provisioning-requests enforce-node-group-min-size
        fastpath-binpacking-enabled force-delete-failed-nodes force-delete-unregistered-nodes
        force-ds frequent-loops-enabled ignore-daemonsets-utilization
        ignore-mirror-pods-utilization leader-elect legacy-stderr-threshold-behavior
        log-json-split-stream log-text-split-stream logtostderr
        max-node-skip-eval-time-tracker-enabled node-removal-latency-tracking-enabled one-output
        parallel-scale-up profiling record-duplicated-events regional salvo-scale-up
        scale-down-delay-type-local scale-down-enabled scale-down-unready-enabled
        scale-from-unschedulable scale-up-from-zero
        scaleup-simulation-for-skipped-node-groups-enabled skip-headers skip-log-headers
        skip-nodes-with-custom-controller-pods skip-nodes-with-local-storage
        skip-nodes-with-system-pods write-status-configmap
        """,
    Kind.INT: """
        check-capacity-provisioning-request-max-batch-size cluster-snapshot-parallelism
        expendable-pods-priority-cutoff gce-concurrent-refreshes kube-client-burst
        log-file-max-size max-bulk-soft-taint-count max-drain-parallelism max-empty-bulk-delete
        max-graceful-termination-sec max-nodes-per-scaleup max-nodes-total
        max-scale-down-parallelism min-replica-count ok-total-unready-count pod-injection-limit
        predicate-parallelism provisioning-request-max-backoff-cache-size
        scale-down-candidates-pool-min-count scale-down-non-empty-candidates-count v
        """,
    Kind.FLOAT: """
        kube-client-qps max-allocatable-difference-ratio max-free-difference-ratio
        max-total-unready-percentage memory-difference-ratio scale-down-candidates-pool-ratio
        scale-down-gpu-utilization-threshold scale-down-utilization-threshold
        """,
    Kind.DURATION: """
        blocking-system-pod-distruption-timeout check-capacity-provisioning-request-batch-timebox
        gce-mig-instances-min-refresh-wait-time initial-node-group-backoff-duration
        leader-elect-lease-duration leader-elect-renew-deadline leader-elect-retry-period
        log-flush-frequency max-binpacking-time max-bulk-soft-taint-time max-failing-time
        max-inactivity max-node-group-backoff-duration max-node-provision-time
        max-node-startup-time max-nodegroup-binpacking-duration max-pod-eviction-time
        max-startup-time new-pod-scale-up-delay node-delete-delay-after-taint
        node-deletion-batcher-interval node-deletion-candidate-ttl node-deletion-delay-timeout
        node-group-backoff-reset-timeout node-info-cache-expire-time
        provisioning-request-initial-backoff-time provisioning-request-max-backoff-time
        salvo-scale-up-budget scale-down-delay-after-add scale-down-delay-after-delete
        scale-down-delay-after-failure scale-down-simulation-timeout scale-down-unneeded-time
        scale-down-unready-time scan-interval unremovable-node-recheck-timeout
        """,
    Kind.TEXT: """
        address check-capacity-processor-instance cloud-config cloud-provider
        cloud-provider-gce-l7lb-src-cidrs cloud-provider-gce-lb-src-cidrs cluster-name cores-total
        drain-priority-config estimator expander feature-gates grpc-expander-cert
        grpc-expander-url kube-api-content-type kubeconfig kubernetes leader-elect-resource-lock
        leader-elect-resource-name leader-elect-resource-namespace log-backtrace-at log-dir
        log-file log-json-info-buffer-size log-text-info-buffer-size logging-format memory-total
        namespace scheduler-config-file status-config-map-name stderrthreshold user-agent vmodule
        """,
    Kind.LIST: """
        allowed-scheduler-names balancing-ignore-label balancing-label bypassed-scheduler-names
        gpu-total ignore-taint node-group-auto-discovery nodes startup-taint startup-taint-prefix
        status-taint
        """,
}

KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}

#: The newest minor that this table was read from.
NEWEST_MINOR = "1.36"

#: First minor that knows the flag, where that is later than 1.32.
SINCE = {
    "capacity-buffer-controller-enabled": "1.34",
    "capacity-buffer-pod-injection-enabled": "1.34",
    "max-node-startup-time": "1.35",
    "capacity-quotas-enabled": "1.36",
    "fastpath-binpacking-enabled": "1.36",
    "salvo-scale-up": "1.36",
    "salvo-scale-up-budget": "1.36",
}

#: Last minor that knows the flag.
UNTIL = {"max-empty-bulk-delete": "1.32"}


def version_key(minor: str) -> tuple[int, ...]:
    """Return ``1.36`` as (1, 36), for comparing minors."""
    return tuple(int(part) for part in minor.split("."))


def kind_of(name: str, minor: str = NEWEST_MINOR) -> Kind | None:
    """Return the kind of a flag, None where a binary of that minor does not know it."""
    here = version_key(minor)
    if name in SINCE and here < version_key(SINCE[name]):
        return None
    if name in UNTIL and here > version_key(UNTIL[name]):
        return None
    return KINDS.get(name)
