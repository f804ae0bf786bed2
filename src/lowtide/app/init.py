"""Writes the first cluster.yaml of a user: commented, secure, one GPU group per zone, from zero.

Every value that matters is written out, so that nobody depends on a default: eksctl's own defaults are public
nodes, extended support at six times the price, and 100 % on-demand (pkg/apis/eksctl.io/v1alpha5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lowtide.app.files import refuse_unresolvable
from lowtide.app.regions import checked_region
from lowtide.catalog.types import instance_type
from lowtide.catalog.versions import default_version
from lowtide.catalog.zones import chosen_zones, is_zone_of
from lowtide.model.catalog import InstanceType
from lowtide.model.errors import InputError
from lowtide.model.findings import Severity

# EKS CreateCluster: starts with a letter or digit, then letters, digits and dashes; CloudFormation stack names
# must start with a letter and eksctl prefixes its own, so a letter is asked for.
_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,99}")

#: Words that YAML 1.1 reads as booleans and null (yaml.org/type/bool.html, yaml.org/type/null.html).
_NO_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

#: EKS puts its control plane into subnets of that many zones (EKS user guide, "VPC and subnet requirements").
_FEWEST_ZONES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a user wants of a new cluster file.

    ``zones`` are full names or the last letter alone, and get a GPU group each; ``max_size`` is per GPU group, that is
    per zone.
    """

    name: str
    region: str
    zones: tuple[str, ...]
    gpu_types: tuple[str, ...]
    spot: bool
    max_size: int


def cluster_file(wish: Wish, *, file: str = "cluster.yaml") -> str:
    """Return the text of a cluster.yaml that passes ``lowtide check`` and eksctl's published schema.

    Args:
        wish: what the file shall hold.
        file: where it will stand; a lowtide.yaml beside it counts, for it may hold the price that is missing.

    Raises:
        InputError: a name, region, zone, size or instance type is not possible, or has no price.
    """
    text = _text(wish)
    try:
        refuse_unresolvable(text, file)
    except InputError as error:
        raise _refused(error) from error
    return text


def _refused(error: InputError) -> InputError:
    """Return the refusal of a file that ``check`` would refuse, in terms of what was asked for."""
    first = next((one for one in error.findings if one.severity is Severity.ERROR), None)
    if first is None:
        return error
    return InputError(
        "Nothing was written: lowtide check would refuse the file",
        where="lowtide init",
        why=first.message,
        fix=first.fix,
        findings=error.findings,
    )


def _text(wish: Wish) -> str:
    zones = _checked_zones(wish)
    types = _checked_types(wish.gpu_types)
    if not _NAME.fullmatch(wish.name):
        raise InputError(
            f"A cluster cannot be called {wish.name!r}",
            where="--name",
            why="EKS takes up to 100 letters, digits and dashes, and CloudFormation wants a letter first",
            fix="lowtide init --name gpu-cluster",
        )
    if wish.max_size < 1:
        raise InputError(
            f"A maximum of {wish.max_size} nodes can never run a pod",
            where="--max",
            why="the autoscaler never goes above a group's maxSize",
            fix="lowtide init --max 10",
        )
    first, *others = (_gpu_group(wish, zone, types) for zone in zones)
    groups = "\n".join([first, *map(_without_comments, others)])
    return (
        _HEAD.format(
            name=wish.name,
            quoted_name=_quoted(wish.name),
            region=wish.region,
            version=_version(),
            zones=_availability_zones(wish.region, zones),
        )
        + groups
    )


def _quoted(name: str) -> str:
    """Return a name so that YAML 1.1 reads it as text."""
    return f'"{name}"' if name.lower() in _NO_TEXT else name


def _version() -> str:
    return default_version().minor


def _checked_zones(wish: Wish) -> tuple[str, ...]:
    checked_region(wish.region, where="--region", command="lowtide init --region")
    zones = tuple(wish.region + zone if len(zone) == 1 else zone for zone in wish.zones)
    for zone in zones:
        if not is_zone_of(zone, wish.region):
            raise InputError(
                f"{zone!r} is not a zone of {wish.region}",
                where="--zones",
                why=f"zones are written like {wish.region}a, or by their letter alone",
                fix=f"aws ec2 describe-availability-zones --region {wish.region} lists yours",
            )
    if not zones or len(set(zones)) != len(zones):
        raise InputError(
            "Each zone gets one GPU group",
            where="--zones",
            why="a zone was named twice" if zones else "no zone was named",
            fix="lowtide init --zones a,b,c",
        )
    return zones


def _availability_zones(region: str, zones: tuple[str, ...]) -> str:
    """Return the value of availabilityZones, with a second zone for the control plane where one was named."""
    if len(zones) >= _FEWEST_ZONES:
        return f"[{', '.join(zones)}]"
    other = next(one for one in chosen_zones(region) if one not in zones)
    return f"[{zones[0]}, {other}] # EKS wants two zones; GPU nodes stay in {zones[0]}"


def _checked_types(names: tuple[str, ...]) -> tuple[InstanceType, ...]:
    types = tuple(instance_type(name) for name in dict.fromkeys(names))
    if not types:
        raise InputError(
            "A GPU group needs a GPU type",
            where="--gpu-type",
            why="none was named",
            fix="lowtide init --gpu-type g4dn.xlarge",
        )
    for one in types:
        if not one.nvidia_gpus:
            raise InputError(
                f"{one.name} has no GPU that Kubernetes can hand out",
                where="--gpu-type",
                why="the NVIDIA device plugin offers whole NVIDIA GPUs only",
                fix="lowtide prices --gpu T4 lists types by GPU",
            )
        if one.retired_on:
            raise InputError(
                f"{one.name} is retired",
                where="--gpu-type",
                why=f"since {one.retired_on}: {one.retired_why}",
                fix="lowtide init --gpu-type g4dn.xlarge",
            )
    if len({(one.nvidia_gpus, one.arch) for one in types}) > 1:
        raise InputError(
            "The GPU types differ in number of GPUs or architecture",
            where="--gpu-type",
            why="the autoscaler sees only the first type of a group and would count the others wrongly; "
            "one image serves one architecture",
            fix="lowtide init with types of one shape, then copy a group in the file for the other shape",
        )
    return types


def _gpu_group(wish: Wish, zone: str, types: tuple[InstanceType, ...]) -> str:
    kind = "spot" if wish.spot else "on-demand"
    distribution = _SPOT if wish.spot else _ON_DEMAND
    return _GROUP.format(
        group=f"gpu-{kind}-{zone.removeprefix(wish.region).lstrip('-')}",
        types=", ".join(one.name for one in types),
        distribution=distribution,
        zone=zone,
        max_size=wish.max_size,
        accelerator=types[0].accelerator,
        pool=f"gpu-{kind}",
        name=wish.name,
    )


def _without_comments(text: str) -> str:
    """Return a group without remarks: said once is enough, and what differs between the zones stands out."""
    return re.sub(r" +# .*", "", text)


_HEAD = """\
# A GPU cluster that costs nothing for GPUs while nobody uses them.
# The format is eksctl's ClusterConfig: eksctl accepts this file, and lowtide reads nothing else.
#   lowtide check       finds what is wrong with it
#   lowtide simulate    shows how it behaves under a workload, and what that costs
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig

metadata:
  name: {quoted_name}
  region: {region}
  version: "{version}"

# STANDARD support costs $0.10 an hour; the default, EXTENDED, costs $0.60 once the version is old.
upgradePolicy:
  supportType: STANDARD

# eksctl warns that Auto Mode will be its default one day; it would replace the groups below.
autoModeConfig:
  enabled: false

availabilityZones: {zones}

vpc:
  nat:
    gateway: Single # one for all zones: cheaper; HighlyAvailable survives the loss of its zone
  clusterEndpoints:
    publicAccess: true # kubectl from your desk; narrow it with vpc.publicAccessCIDRs
    privateAccess: true # nodes reach the control plane without leaving the VPC

# Who may use the cluster is decided by EKS access entries, not by a ConfigMap inside it.
accessConfig:
  authenticationMode: API

iam:
  withOIDC: true # lets addons have roles of their own, so that the role of the nodes stays small
  # The Cluster Autoscaler gets its permissions by Pod Identity, so that no other pod of its node has them.
  podIdentityAssociations:
    - namespace: kube-system
      serviceAccountName: cluster-autoscaler
      wellKnownPolicies:
        autoScaler: true

addons:
  - name: vpc-cni
  - name: kube-proxy
  - name: coredns
  - name: metrics-server
  - name: eks-pod-identity-agent

# Self-managed groups (nodeGroups): one zone each without rebalancing, spot mixes as written, and every tag that
# the autoscaler needs to scale a GPU group from zero.
nodeGroups:
  # Runs the cluster's own pods (DNS, autoscaler). Never spot, never zero.
  - name: general
    instanceType: m5.large
    amiFamily: AmazonLinux2023
    minSize: 1
    maxSize: 3
    desiredCapacity: 1
    privateNetworking: true # eksctl's default is public addresses
    volumeSize: 40
    volumeType: gp3
    volumeEncrypted: true
    disableIMDSv1: true # metadata only by IMDSv2
    tags:
      k8s.io/cluster-autoscaler/enabled: "true"
      k8s.io/cluster-autoscaler/{name}: owned

  # One GPU group per zone: when a zone has no capacity the others still grow, and no rebalancing kills a job.
"""

_SPOT = """\
      onDemandBaseCapacity: 0
      onDemandPercentageAboveBaseCapacity: 0 # leaving this out means 100 % on-demand
      spotAllocationStrategy: price-capacity-optimized"""

_ON_DEMAND = """\
      onDemandPercentageAboveBaseCapacity: 100 # never interrupted, at the full price"""

_GROUP = """\
  - name: {group}
    amiFamily: AmazonLinux2023 # with a GPU type: the accelerated image, with driver and container toolkit
    instancesDistribution:
      instanceTypes: [{types}] # the autoscaler plans with the first one
{distribution}
    availabilityZones: [{zone}]
    minSize: 0
    maxSize: {max_size} # minSize 0 without maxSize would mean maxSize 0
    desiredCapacity: 0
    privateNetworking: true
    volumeSize: 100 # CUDA images are large
    volumeType: gp3
    volumeEncrypted: true
    disableIMDSv1: true
    labels:
      k8s.amazonaws.com/accelerator: {accelerator} # its presence tells the autoscaler that a GPU is on its way
      lowtide.dev/pool: {pool} # the same in every zone: the autoscaler balances groups that share it
    taints:
      - key: nvidia.com/gpu # keeps pods that want no GPU off these nodes
        value: "true"
        effect: NoSchedule
    tags: # all that the autoscaler knows of the group while it has no node
      k8s.io/cluster-autoscaler/enabled: "true"
      k8s.io/cluster-autoscaler/{name}: owned
      k8s.io/cluster-autoscaler/node-template/label/k8s.amazonaws.com/accelerator: {accelerator}
      k8s.io/cluster-autoscaler/node-template/label/lowtide.dev/pool: {pool}
      k8s.io/cluster-autoscaler/node-template/taint/nvidia.com/gpu: "true:NoSchedule"
      k8s.io/cluster-autoscaler/node-template/autoscaling-options/scaledownunneededtime: "2m" # idle GPUs go soon, not after 10m
"""
