"""Cluster files that several tests start from."""

from __future__ import annotations

import random

from lowtide.model.errors import InputError
from lowtide.spec.clusterfile import ClusterFile, read_cluster

HEAD = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata:
  name: tide
  region: us-west-2
"""

#: Something of everything, and nothing wrong: accepted by eksctl and by its published schema.
FULL = """\
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata:
  name: tide
  region: us-west-2
  version: "1.34"
  tags: {team: ml}
availabilityZones: [us-west-2a, us-west-2b, us-west-2c]
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: cluster-autoscaler, namespace: kube-system}
      wellKnownPolicies: {autoScaler: true}
  podIdentityAssociations:
    - namespace: kube-system
      serviceAccountName: ebs
      wellKnownPolicies: {ebsCSIController: true}
accessConfig:
  authenticationMode: API
  accessEntries:
    - principalARN: arn:aws:iam::123456789012:role/ops
      accessPolicies:
        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy
          accessScope: {type: namespace, namespaces: [default]}
addons:
  - name: vpc-cni
  - name: eks-pod-identity-agent
    configurationValues: |
      resources: {limits: {cpu: 100m}}
    resolveConflicts: OVERWRITE
addonsConfig: {disableDefaultAddons: false}
vpc:
  cidr: 10.0.0.0/16
  nat: {gateway: HighlyAvailable}
  clusterEndpoints: {publicAccess: true, privateAccess: true}
  publicAccessCIDRs: [203.0.113.0/24]
cloudWatch:
  clusterLogging: {enableTypes: [audit, api], logRetentionInDays: 7}
upgradePolicy: {supportType: STANDARD}
secretsEncryption: {keyARN: "arn:aws:kms:us-west-2:123456789012:key/1"}
kubernetesNetworkConfig: {ipFamily: IPv4, serviceIPv4CIDR: 172.20.0.0/16}
autoModeConfig: {enabled: false}
privateCluster: {enabled: false}
nodeGroups:
  - name: general
    instanceType: m5.large
    minSize: 1
    maxSize: 3
    privateNetworking: true
    volumeSize: 100
    volumeEncrypted: true
    iam:
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]
      withAddonPolicies: {autoScaler: true, ebs: true}
  - name: gpu-spot-a
    instancesDistribution:
      instanceTypes: [g4dn.xlarge, g5.xlarge]
      onDemandBaseCapacity: 0
      onDemandPercentageAboveBaseCapacity: 0
      spotAllocationStrategy: price-capacity-optimized
      capacityRebalance: true
      maxPrice: 0.4
    minSize: 0
    maxSize: 10
    availabilityZones: [us-west-2a]
    labels: {k8s.amazonaws.com/accelerator: nvidia-tesla-t4, lowtide.dev/pool: gpu}
    taints:
      - {key: nvidia.com/gpu, value: "true", effect: NoSchedule}
    tags: {k8s.io/cluster-autoscaler/enabled: "true"}
    propagateASGTags: true
    ami: auto-ssm
    amiFamily: AmazonLinux2023
    asgSuspendProcesses: [AZRebalance]
    asgMetricsCollection: [{granularity: 1Minute}]
    maxPodsPerNode: 29
    kubeletExtraConfig: {kubeReserved: {cpu: 100m}}
    capacityReservation: {capacityReservationPreference: open}
    overrideBootstrapCommand: |
      apiVersion: node.eks.aws/v1alpha1
      kind: NodeConfig
managedNodeGroups:
  - name: managed-spot
    instanceTypes: [m5.large, m5a.large]
    spot: true
    minSize: 0
    maxSize: 4
    desiredCapacity: 1
    labels: {role: batch}
    taints: [{key: batch, effect: PreferNoSchedule}]
    updateConfig: {maxUnavailable: 1}
"""


def with_group(body: str, *, managed: bool = False) -> str:
    """Return a file with one node group, given as ``key: value`` lines (name is added)."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    kind = "managedNodeGroups" if managed else "nodeGroups"
    return f"{HEAD}{kind}:\n  - name: one\n{lines}"


def read_or_refuse(text: str, file: str = "c.yaml") -> ClusterFile | InputError:
    """Return what reading the text ends in; any other exception is a fault of the reader."""
    try:
        return read_cluster(text, file)
    except InputError as error:
        return error


def seeded(seed: int | str) -> random.Random:
    """Return a generator that draws the same on every machine."""
    return random.Random(seed)  # noqa: S311 - it draws test files, not secrets
