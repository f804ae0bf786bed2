"""Options of the two deciders, with upstream's defaults (Cluster Autoscaler 1.36.1, config/flags).

Durations are whole milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerOptions:
    """Flags of the Cluster Autoscaler that change a decision. Names are the flags' own."""

    discovery_tags: tuple[tuple[str, str], ...] = ()
    """(key, value) pairs of --node-group-auto-discovery, ANDed; an empty value matches any."""
    expander: tuple[str, ...] = ("least-waste",)
    balance_similar_node_groups: bool = False
    balancing_labels: tuple[str, ...] = ()
    balancing_ignore_labels: tuple[str, ...] = ()
    memory_difference_ratio: float = 0.015
    max_free_difference_ratio: float = 0.05
    max_allocatable_difference_ratio: float = 0.05
    scan_interval_ms: int = 10 * SECOND
    frequent_loops_enabled: bool = True
    new_pod_scale_up_delay_ms: int = 0
    max_nodes_total: int = 0
    max_nodes_per_scaleup: int = 1000
    expendable_pods_priority_cutoff: int = -10
    ok_total_unready_count: int = 3
    max_total_unready_percentage: float = 45.0
    max_node_provision_time_ms: int = 15 * MINUTE
    max_node_startup_time_ms: int = 15 * MINUTE
    initial_backoff_ms: int = 5 * MINUTE
    max_backoff_ms: int = 30 * MINUTE
    backoff_reset_ms: int = 3 * HOUR
    node_info_cache_expire_ms: int = 87600 * HOUR
    scale_down_enabled: bool = True
    scale_down_unneeded_ms: int = 10 * MINUTE
    scale_down_unready_ms: int = 20 * MINUTE
    scale_down_unready_enabled: bool = True
    scale_down_delay_after_add_ms: int = 10 * MINUTE
    scale_down_delay_after_delete_ms: int = 0
    scale_down_delay_after_failure_ms: int = 3 * MINUTE
    scale_down_delay_type_local: bool = False
    scale_down_utilization_threshold: float = 0.5
    scale_down_gpu_utilization_threshold: float = 0.5
    max_scale_down_parallelism: int = 10
    max_drain_parallelism: int = 1
    max_bulk_soft_taint_count: int = 10
    unremovable_node_recheck_ms: int = 5 * MINUTE
    ignore_daemonsets_utilization: bool = False
    ignore_mirror_pods_utilization: bool = False
    skip_nodes_with_system_pods: bool = True
    skip_nodes_with_local_storage: bool = True
    skip_nodes_with_custom_controller_pods: bool = True
    min_replica_count: int = 0
    blocking_system_pod_disruption_ms: int = HOUR
    node_delete_delay_after_taint_ms: int = 5 * SECOND
    cordon_node_before_terminating: bool = True
    max_pod_eviction_time_ms: int = 2 * MINUTE
    force_daemonsets: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerProfile:
    """The default kube-scheduler profile; ``seed`` picks among equally scored nodes."""

    seed: int = 0
