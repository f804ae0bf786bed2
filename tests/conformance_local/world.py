"""Sets one recorded variant up in a box and watches it: ``python -m tests.conformance_local.world NAME FILE``.

Each run is a process of its own, because moto's backends are global to one. The result goes into FILE as JSON.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import faulthandler
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lowtide.kube.live import kinds
from lowtide.kube.live.client import Cluster
from lowtide.kube.live.informer import key_of
from lowtide.local.aws import faults
from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.serve import Serving
from tests.conformance_local.recorded import Variant, folder, read

REGION = "us-west-2"
CLUSTER = "demo"
GPU = "nvidia.com/gpu"
_AMI = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/{}/recommended/image_id"
_SETUP_S = 180.0
_POLL_S = 1.0
#: As long again as recorded is what pods are given to run.
_PATIENCE = 2.0
#: After the workload has gone, scale-down-blockers is watched this long (its timeline.json: gone at 52 s, removed at 106 s).
_AFTER_STEPS_S = 75.0
_TRUST = '{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{}.amazonaws.com"}},"Action":"sts:AssumeRole"}}]}}'


@dataclass
class World:
    """A box with a cluster, and what was seen of its sizes."""

    serving: Serving
    variant: Variant
    cluster: Cluster | None = None
    seen: dict[str, Any] = field(default_factory=lambda: {"max_gpu_nodes": 0})

    def aws(self, service: str, operation: str, **params: Any) -> Any:
        return self.serving.box.call(service, operation, params, region=REGION)

    def api(self) -> Cluster:
        assert self.cluster is not None
        return self.cluster

    def apply(self, *objects: Mapping[str, Any]) -> None:
        for one in objects:
            self.api().apply(dict(one), manager="kubectl")


def settings(variant: Variant, place: Path) -> Settings:
    """Return the recorded world's delays and admission (README.md)."""
    delays = Delays(
        cluster_create_s=1.0,
        nodegroup_s=1.0,
        resource_s=0.5,
        role_s=0.5,
        instance_in_service_s=1.0,
        node_registers_s=4.0,
        node_ready_s=1.5,
        pod_starts_s=1.0,
        gpu_advertised_s=variant.plugin_s or 2.0,
        terminate_s=2.0,
        launch_retry_s=15.0,
    )
    admission = {"ExtendedResourceToleration": variant.eks_admission}
    return Settings(folder=place, region=REGION, speed=1.0, delays=delays, admission=admission)


def run(variant: Variant) -> dict[str, Any]:
    """Set it up, watch it, and return its events and sizes."""
    with (
        tempfile.TemporaryDirectory(prefix="lowtide-conformance-") as place,
        Serving(settings(variant, Path(place) / "box"), planes="real") as serving,
    ):
        world = World(serving, variant)
        _make_cluster(world)
        _make_groups(world)
        for zone in variant.dry_zones:
            fault = {"kind": "capacity", "instance_type": "g4dn.xlarge", "zone": f"{REGION}{zone}"}
            faults.add(serving.box, fault)
        config = next(Path(place).glob("box/clusters/*/access/admin.kubeconfig"))
        with Cluster.connect(config) as world.cluster:
            return _observe(world, Path(place))


def _observe(world: World, place: Path) -> dict[str, Any]:
    _wait(lambda: _ready_nodes(world) >= 1, "a general node")
    _start_autoscaler(world)
    system, workload = _in_order(world.variant)
    world.apply(*system)
    time.sleep(1.0)
    world.apply(*workload)
    started = time.monotonic()
    if world.variant.in_steps:
        _in_steps(world, started)
    elif world.variant.until_running:
        _watch(world, started + _PATIENCE * world.variant.watched_s, _all_run)
    else:
        _watch(world, started + world.variant.watched_s)
    events = world.api().list(kinds.EVENT).items
    status = world.api().get(kinds.CONFIG_MAP, "cluster-autoscaler-status", "kube-system") or {}
    log = next(place.glob("box/clusters/*/logs/cluster-autoscaler.log"))
    return {
        "events": list(events),
        "seen": {**world.seen, "autoscaler": _who(world)},
        "status": status.get("data", {}).get("status", ""),
        "log": log.read_text("utf-8", errors="replace"),
    }


def _who(world: World) -> Any:
    known = world.serving.box.ports["autoscalers"].describe((REGION, CLUSTER))
    return known and known["kind"]


def _wait(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _SETUP_S
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {_SETUP_S:g} s for {what}")
        time.sleep(0.3)


def _make_cluster(world: World) -> None:
    cluster_role = _role(world, "cluster", "eks")
    node_role = _role(world, "node", "ec2")
    world.aws("iam", "CreateInstanceProfile", InstanceProfileName="node")
    world.aws("iam", "AddRoleToInstanceProfile", InstanceProfileName="node", RoleName="node")
    subnets = list(_subnets(world).values())
    world.aws(
        "eks",
        "CreateCluster",
        name=CLUSTER,
        version="1.36",
        roleArn=cluster_role,
        resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API"},
        bootstrapSelfManagedAddons=False,
    )
    _wait(lambda: _described(world)["status"] != "CREATING", "the cluster")
    assert _described(world)["status"] == "ACTIVE", _described(world)
    world.aws(
        "eks", "CreateAccessEntry", clusterName=CLUSTER, principalArn=node_role, type="EC2_LINUX"
    )


def _role(world: World, name: str, service: str) -> str:
    trust = _TRUST.format(service)
    made = world.aws("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=trust)
    return str(made["Role"]["Arn"])


def _described(world: World) -> Any:
    return world.aws("eks", "DescribeCluster", name=CLUSTER)["cluster"]


def _subnets(world: World) -> dict[str, str]:
    """Return a subnet of each zone of the recorded world."""
    found = world.aws("ec2", "DescribeSubnets")["Subnets"]
    by_zone = {one["AvailabilityZone"]: one["SubnetId"] for one in found}
    return {zone: by_zone[zone] for zone in sorted(by_zone) if zone[-1] in "abc"}


def _make_groups(world: World) -> None:
    for name, group in world.variant.groups.items():
        if group.get("managed"):
            _make_managed(world, name, group)
        else:
            _make_unmanaged(world, name, group)


def _make_managed(world: World, name: str, group: Mapping[str, Any]) -> None:
    effects = {"NoSchedule": "NO_SCHEDULE"}
    own = {
        key: value
        for key, value in group["labels"].items()
        if not key.startswith("eks.amazonaws.com/")
    }
    world.aws(
        "eks",
        "CreateNodegroup",
        clusterName=CLUSTER,
        nodegroupName=name,
        nodeRole=world.aws("iam", "GetRole", RoleName="node")["Role"]["Arn"],
        subnets=[_subnets(world)[group["zone"]]],
        instanceTypes=[group["type"]],
        amiType="AL2023_x86_64_NVIDIA",
        capacityType="SPOT",
        scalingConfig={"minSize": group["min"], "maxSize": group["max"], "desiredSize": 0},
        labels=own,
        taints=[{**one, "effect": effects[one["effect"]]} for one in group["taints"]],
    )


def _make_unmanaged(world: World, name: str, group: Mapping[str, Any]) -> None:
    variant = "nvidia" if group["type"].startswith("g") else "standard"
    image = world.aws("ssm", "GetParameter", Name=_AMI.format(variant))["Parameter"]["Value"]
    data = {
        "ImageId": image,
        "InstanceType": group["type"],
        "IamInstanceProfile": {"Name": "node"},
        "UserData": _user_data(world, group),
    }
    world.aws("ec2", "CreateLaunchTemplate", LaunchTemplateName=name, LaunchTemplateData=data)
    tags = [
        {
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": True,
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
        }
        for key, value in group["tags"].items()
    ]
    world.aws(
        "autoscaling",
        "CreateAutoScalingGroup",
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        MinSize=group["min"],
        MaxSize=group["max"],
        DesiredCapacity=group["min"],
        VPCZoneIdentifier=_subnets(world)[group["zone"]],
        Tags=tags,
    )


def _user_data(world: World, group: Mapping[str, Any]) -> str:
    described = _described(world)
    labels = ",".join(f"{key}={value}" for key, value in group["labels"].items())
    taints = ",".join(f"{one['key']}={one['value']}:{one['effect']}" for one in group["taints"])
    flags = [f"--node-labels={labels}", *([f"--register-with-taints={taints}"] if taints else [])]
    document = {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": CLUSTER,
                "apiServerEndpoint": described["endpoint"],
                "certificateAuthority": described["certificateAuthority"]["data"],
                "cidr": described["kubernetesNetworkConfig"]["serviceIpv4Cidr"],
            },
            "kubelet": {"flags": flags},
        },
    }
    text = (
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="B"\n\n--B\n'
        f"Content-Type: application/node.eks.aws\n\n{yaml.safe_dump(document)}\n--B--\n"
    )
    return base64.b64encode(text.encode()).decode()


def _start_autoscaler(world: World) -> None:
    metadata = {"name": "cluster-autoscaler", "namespace": "kube-system"}
    labels = {"app": "cluster-autoscaler"}
    world.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "cluster-autoscaler"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "serviceAccountName": "cluster-autoscaler",
                        "containers": [
                            {
                                "name": "cluster-autoscaler",
                                "image": "registry.k8s.io/autoscaling/cluster-autoscaler:v1.36.1",
                                "command": ["./cluster-autoscaler"],
                                "args": ["--cloud-provider=aws", *world.variant.flags],
                            }
                        ],
                    },
                },
            },
        },
    )
    _wait(lambda: _first_loop_is_over(world), "the autoscaler")


def _first_loop_is_over(world: World) -> bool:
    found = world.api().get(kinds.CONFIG_MAP, "cluster-autoscaler-status", "kube-system") or {}
    return "autoscalerStatus: Running" in found.get("data", {}).get("status", "")


def _in_order(variant: Variant) -> tuple[list[Any], list[Any]]:
    """Return the system's DaemonSets, and the workload; what is applied in a later step is in neither."""
    system = [one for one in variant.objects if one["kind"] == "DaemonSet"]
    rest = [one for one in variant.objects if one["kind"] != "DaemonSet"]
    if variant.in_steps:
        rest = [one for one in rest if one["metadata"]["name"] == "gpu-test"]
    return system, rest


def _in_steps(world: World, started: float) -> None:
    """scale-down-blockers: GPU pods run, each node gets one small pod, then the GPU pods go (timeline.json)."""
    _watch(world, started + _PATIENCE * world.variant.watched_s, _all_run)
    nodes = sorted(key_of(one) for one in _gpu_nodes(world))
    recorded: dict[str, str] = {}
    small = [one for one in world.variant.objects if one["metadata"]["name"].startswith("small-")]
    for one in small:
        world.apply(_moved(one, recorded, nodes))
    _watch(world, time.monotonic() + 30.0, _all_run)
    # Scaling to zero is what leaves the nodes without GPU work.
    patch = {"spec": {"replicas": 0}}
    world.api().patch(kinds.DEPLOYMENT, "gpu-test", patch, namespace="default")
    _watch(world, time.monotonic() + _AFTER_STEPS_S)


def _moved(obj: Mapping[str, Any], recorded: dict[str, str], nodes: list[str]) -> dict[str, Any]:
    """Let an object prefer one of our nodes where it prefers a recorded one."""
    one: dict[str, Any] = copy.deepcopy(dict(obj))
    spec = one["spec"].get("template", one)["spec"]
    affinity = (
        spec.get("affinity", {}).get("nodeAffinity", {})
        if one["kind"] != "PodDisruptionBudget"
        else {}
    )
    for term in affinity.get("preferredDuringSchedulingIgnoredDuringExecution", ()):
        for expression in term["preference"]["matchExpressions"]:
            (there,) = expression["values"]
            here = recorded.setdefault(there, nodes[len(recorded) % len(nodes)])
            expression["values"] = [here]
    return one


def _watch(world: World, until: float, enough: Callable[[World], bool] | None = None) -> None:
    while time.monotonic() < until:
        _note(world)
        if enough is not None and enough(world):
            return
        time.sleep(_POLL_S)
    _note(world)


def _note(world: World) -> None:
    gpu_nodes = _gpu_nodes(world)
    pods: dict[str, int] = {}
    for one in world.api().list(kinds.POD, namespace="default").items:
        phase = one["status"]["phase"]
        pods[phase] = pods.get(phase, 0) + 1
    groups = world.aws("autoscaling", "DescribeAutoScalingGroups")["AutoScalingGroups"]
    world.seen |= {
        "max_gpu_nodes": max(world.seen["max_gpu_nodes"], len(gpu_nodes)),
        "gpu_nodes": len(gpu_nodes),
        "allocatable": sum(
            int(one["status"].get("allocatable", {}).get(GPU, 0)) for one in gpu_nodes
        ),
        "pods": pods,
        "desired": {one["AutoScalingGroupName"]: one["DesiredCapacity"] for one in groups},
    }


def _all_run(world: World) -> bool:
    pods = world.api().list(kinds.POD, namespace="default").items
    return bool(pods) and all(one["status"]["phase"] == "Running" for one in pods)


def _gpu_nodes(world: World) -> list[Any]:
    return [
        one
        for one in world.api().list(kinds.NODE).items
        if one["metadata"]["labels"].get("node.kubernetes.io/instance-type", "").startswith("g")
    ]


def _ready_nodes(world: World) -> int:
    return sum(
        any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in one["status"].get("conditions", ())
        )
        for one in world.api().list(kinds.NODE).items
    )


def main(name: str, file: str) -> int:
    """Run one variant and write what happened."""
    faulthandler.enable()
    place = folder()
    assert place is not None, "the recordings are not on this machine"
    with contextlib.suppress(KeyboardInterrupt):
        Path(file).write_text(json.dumps(run(read(place, name))), encoding="utf-8")
        return 0
    return 130


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
