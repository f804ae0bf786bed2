"""Label, taint, annotation and tag keys, each once, with the place that defines it."""

from __future__ import annotations

# Kubernetes well-known labels (kubernetes.io/docs/reference/labels-annotations-taints).
HOSTNAME = "kubernetes.io/hostname"
ARCH = "kubernetes.io/arch"
OS = "kubernetes.io/os"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
EBS_CSI_ZONE = "topology.ebs.csi.aws.com/zone"

TAINT_NOT_READY = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE = "node.kubernetes.io/unreachable"
TAINT_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

# Cluster Autoscaler (cloudprovider/aws, utils/taints, simulator/drainability at 1.36.1).
ACCELERATOR = "k8s.amazonaws.com/accelerator"
TAINT_TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"
TAINT_DELETION_CANDIDATE = "DeletionCandidateOfClusterAutoscaler"
TAG_ENABLED = "k8s.io/cluster-autoscaler/enabled"
TAG_CLUSTER_PREFIX = "k8s.io/cluster-autoscaler/"
TAG_TEMPLATE_PREFIX = "k8s.io/cluster-autoscaler/node-template/"
TAG_LABEL_PREFIX = TAG_TEMPLATE_PREFIX + "label/"
TAG_TAINT_PREFIX = TAG_TEMPLATE_PREFIX + "taint/"
TAG_RESOURCE_PREFIX = TAG_TEMPLATE_PREFIX + "resources/"
TAG_OPTION_PREFIX = TAG_TEMPLATE_PREFIX + "autoscaling-options/"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_TO_EVICT_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
SCALE_DOWN_DISABLED = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
POD_SCALE_UP_DELAY = "cluster-autoscaler.kubernetes.io/pod-scale-up-delay"
PRIORITY_EXPANDER_CONFIG_MAP = "cluster-autoscaler-priority-expander"  # expander/priority

# EKS puts these on every node of a managed node group (EKS user guide, "Managed node groups").
EKS_NODEGROUP = "eks.amazonaws.com/nodegroup"
EKS_CAPACITY_TYPE = "eks.amazonaws.com/capacityType"

# eksctl (pkg/apis/eksctl.io/v1alpha5).
EKSCTL_CLUSTER = "alpha.eksctl.io/cluster-name"
EKSCTL_NODEGROUP = "alpha.eksctl.io/nodegroup-name"

# Ours.
POOL = "lowtide.dev/pool"
CLUSTER_TAG = "lowtide.dev/cluster"
DOWN = "lowtide.dev/down"
RUN_SECONDS = "lowtide.dev/run-seconds"

SPOT = "spot"
ON_DEMAND = "on-demand"

SYSTEM_NAMESPACE = "kube-system"
#: By this name the API server knows what lowtide wrote (Kubernetes documentation, "Field management").
FIELD_MANAGER = "lowtide"
