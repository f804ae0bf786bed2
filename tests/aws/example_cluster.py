"""Small clusters made by hand, so that templates are tested without files, catalog and resolve.

Why it exists: fixtures give the ordinary one, tests of variants build theirs from the same parts.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

from lowtide.model import names
from lowtide.model.blueprint import (
    IRSA,
    POD_IDENTITY,
    Addon,
    Blueprint,
    ControlPlane,
    Identity,
    Launch,
    Network,
    Permissions,
    Subnet,
)
from lowtide.model.catalog import Ami, Gpu, InstanceType, Offering
from lowtide.model.cluster import (
    AddonVersions,
    Candidate,
    NetworkPrices,
    NodeGroup,
    ResolvedCluster,
    Volume,
)
from lowtide.model.kube import Taint
from lowtide.model.quantity import CPU, EPHEMERAL_STORAGE, GIB, MEMORY, NVIDIA_GPU, PODS

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
_T4 = Gpu(manufacturer="NVIDIA", model="T4", count=1, memory_mib=16384)


def make_candidate(name: str, vcpu: int, gib: int, gpu: Gpu | None = None) -> Candidate:
    """An instance type with the node it becomes."""
    node = {CPU: vcpu * 1000, MEMORY: gib * GIB, PODS: 29, EPHEMERAL_STORAGE: 70 * GIB}
    if gpu:
        node[NVIDIA_GPU] = gpu.count
    return Candidate(
        offering=Offering(
            instance_type=InstanceType(
                name=name,
                vcpu=vcpu,
                memory_mib=gib * 1024,
                arch="x86_64",
                gpu=gpu,
                max_pods=29,
                accelerator="nvidia-tesla-t4" if gpu else "",
            ),
            region="us-east-1",
            on_demand_usd_per_hour=1.0,
            spot_usd_per_hour=0.3,
            interruption_band=0,
            priced_as="us-east-1",
        ),
        capacity=node,
        allocatable=node,
    )


def make_group(name: str, *zones: str, gpu: bool) -> NodeGroup:
    """A spot group of g4dn.xlarge from zero, or an on-demand one of m5.large where ``gpu`` is False."""
    labels = {names.ACCELERATOR: "nvidia-tesla-t4", names.POOL: "gpu-spot"} if gpu else {}
    kind = "nvidia" if gpu else "standard"
    taints = (Taint(key=NVIDIA_GPU, value="true"),) if gpu else ()
    asg_tags = {
        names.TAG_ENABLED: "true",
        names.TAG_CLUSTER_PREFIX + "example": "owned",
        **{names.TAG_LABEL_PREFIX + key: value for key, value in labels.items()},
        **{names.TAG_TAINT_PREFIX + one.key: f"{one.value}:{one.effect}" for one in taints},
    }
    return NodeGroup(
        name=name,
        managed=False,
        candidates=(make_candidate(*(("g4dn.xlarge", 4, 16, _T4) if gpu else ("m5.large", 2, 8))),),
        zones=zones or ZONES,
        min_size=0 if gpu else 1,
        max_size=10 if gpu else 3,
        desired=0 if gpu else 1,
        on_demand_base=0,
        on_demand_percent=0 if gpu else 100,
        allocation_strategy="price-capacity-optimized",
        capacity_rebalance=False,
        labels=labels,
        taints=taints,
        asg_tags=asg_tags,
        ami=Ami(
            resolver="auto-ssm",
            family="AmazonLinux2023",
            kind=kind,
            arch="x86_64",
            ssm_parameter="/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/"
            f"{kind}/recommended/image_id",
        ),
        volume=Volume(gib=80, type="gp3", encrypted=True, usd_per_month=6.4),
        private_networking=True,
        pool="gpu-spot" if gpu else "",
    )


def make_cluster(*groups: NodeGroup, zones: tuple[str, ...] = ZONES) -> ResolvedCluster:
    """A cluster of these groups."""
    return ResolvedCluster(
        name="example",
        region="us-east-1",
        version="1.36",
        zones=zones,
        node_groups=groups,
        hardening=(),
        control_plane_usd_per_hour=0.1,
        network=NetworkPrices(
            nat_gateways=1,
            nat_usd_per_hour=0.045,
            nat_usd_per_gib=0.045,
            cross_zone_usd_per_gib=0.01,
            public_ipv4_usd_per_hour=0.005,
            s3_gateway_endpoint=True,
        ),
        autoscaler_tags="full",
        autoscaler_flags={"cloud-provider": "aws", "expander": "least-waste"},
        addons=AddonVersions(
            autoscaler_image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1",
            device_plugin_image="nvcr.io/nvidia/k8s-device-plugin:v0.20.0",
            termination_handler_image="public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.6",
        ),
        regional_offerings=(),
    )


def make_network(zones: tuple[str, ...], *, nat: str = "Single") -> Network:
    """A VPC of 192.168.0.0/16 with a public and a private subnet in each zone, split as eksctl does."""
    prefix = 19 if len(zones) <= 4 else 20
    blocks = [str(one) for one in ipaddress.ip_network("192.168.0.0/16").subnets(new_prefix=prefix)]
    places = [*((zone, True) for zone in zones), *((zone, False) for zone in zones)]
    nats = {"Single": zones[:1], "HighlyAvailable": zones, "Disable": ()}
    return Network(
        cidr="192.168.0.0/16",
        subnets=tuple(
            Subnet(zone=zone, public=public, cidr=block)
            for (zone, public), block in zip(places, blocks, strict=False)
        ),
        nat_zones=nats[nat],
    )


def existing_network() -> Network:
    """A VPC that exists, with two zones."""
    return Network(
        vpc_id="vpc-0123456789abcdef0",
        subnets=tuple(
            Subnet(zone=zone, public=public, id=f"subnet-0123456789abcde{number}{int(public)}")
            for number, zone in enumerate(ZONES[:2])
            for public in (True, False)
        ),
    )


def make_identity(name: str, policy: str, kind: str = POD_IDENTITY) -> Identity:
    """An account of kube-system with a ready-made policy."""
    return Identity(
        kind=kind,
        namespace="kube-system",
        name=name,
        permissions=Permissions(well_known=(policy,)),
        create_account=False,
    )


def make_blueprint(cluster: ResolvedCluster, network: Network | None = None) -> Blueprint:
    """What the example file asks of AWS: OIDC for the CNI, pod identity for autoscaler and handler, five add-ons."""
    autoscaler = make_identity("cluster-autoscaler", "autoScaler")
    handler = make_identity("aws-node-termination-handler", "nodeTerminationHandler")
    cni = make_identity("aws-node", "vpcCNI", kind=IRSA)
    return Blueprint(
        control_plane=ControlPlane(
            support_type="STANDARD",
            authentication_mode="API",
            with_oidc=True,
            tags={"team": "vision"},
        ),
        network=network or make_network(cluster.zones),
        addons=(
            Addon(name="vpc-cni", needs_nodes=False, identities=(cni,)),
            Addon(name="kube-proxy", needs_nodes=False),
            Addon(name="eks-pod-identity-agent", needs_nodes=False),
            Addon(name="coredns", needs_nodes=True),
            Addon(name="metrics-server", needs_nodes=True),
        ),
        identities=(autoscaler, handler),
        launches=tuple(
            Launch(group=one.name, tags={"team": "vision"}) for one in cluster.node_groups
        ),
    )


def with_control_plane(blueprint: Blueprint, **changes: Any) -> Blueprint:
    """The blueprint with another control plane."""
    return replace(blueprint, control_plane=replace(blueprint.control_plane, **changes))
