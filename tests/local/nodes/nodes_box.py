"""A box with a real cluster, and instances that a test starts in it by hand: what Auto Scaling does, without it."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowtide.local.aws.events import InstanceGone, InstanceInService
from lowtide.local.aws.settings import Delays, Settings
from lowtide.local.aws.ssm.images import images
from lowtide.local.controlplane.planes import Plane
from lowtide.local.serve import Serving

REGION = "us-west-2"
ZONE = "us-west-2b"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
FLAGS = "--node-labels=k8s.amazonaws.com/accelerator=nvidia-tesla-t4,team=vision --register-with-taints=nvidia.com/gpu=true:NoSchedule"
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
#: Short, and long enough to see what is there between.
DELAYS = Delays(
    cluster_create_s=1.0,
    role_s=0.0,
    node_registers_s=0.5,
    node_ready_s=1.0,
    gpu_advertised_s=1.0,
    pod_starts_s=0.5,
)


def image_id(word: str) -> str:
    """Return an image of AWS's whose name has the word in it."""
    return next(one.id for one in images(REGION).values() if word in one.name)


def wait_for(condition: Callable[[], Any], within_s: float = 180.0) -> Any:
    """Wait until the condition holds and return what it returned, or fail."""
    until = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)
    return found


def stays(condition: Callable[[], Any], for_s: float) -> bool:
    """Return whether the condition holds all the time."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        if not condition():
            return False
        time.sleep(0.1)
    return True


@dataclass
class Cloud:
    """A box and one cluster of it."""

    served: Serving
    name: str = "tide"
    subnet: str = ""
    plane: Plane | None = None
    started: list[str] = field(default_factory=list)

    def __call__(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return dict(self.served.box.call(service, operation, params, region=REGION))

    def network(self) -> None:
        """Make roles, an instance profile and a subnet."""
        for name in ("cluster", "node"):
            self("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST)
        self("iam", "CreateInstanceProfile", InstanceProfileName="node")
        self("iam", "AddRoleToInstanceProfile", InstanceProfileName="node", RoleName="node")
        vpc = self("ec2", "CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            self("ec2", "CreateSubnet", VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for index, zone in enumerate(("us-west-2a", ZONE))
        ]  # fmt: skip
        self.subnet = subnets[1]
        self("eks", "CreateCluster", name=self.name, roleArn=self.role("cluster"), resourcesVpcConfig={"subnetIds": subnets}, accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})  # fmt: skip

    def role(self, name: str) -> str:
        return str(self("iam", "GetRole", RoleName=name)["Role"]["Arn"])

    def cluster(self) -> dict[str, Any]:
        return dict(self("eks", "DescribeCluster", name=self.name)["cluster"])

    def active(self) -> None:
        wait_for(lambda: self.cluster()["status"] != "CREATING")
        assert self.cluster()["status"] == "ACTIVE", self.cluster()
        planes = self.served._planes
        assert planes is not None
        self.plane = wait_for(lambda: planes.plane(f"{REGION}.{self.name}"))

    def admit(self) -> None:
        """Give the nodes' role its access entry."""
        arn = self.role("node")
        self(
            "eks",
            "CreateAccessEntry",
            clusterName=self.name,
            principalArn=arn,
            type="EC2_LINUX",
        )

    def node_config(self, flags: str = "", name: str = "") -> str:
        """Return user data of Amazon Linux 2023 for the cluster."""
        described = self.cluster()
        spec = {
            "cluster": {
                "name": name or self.name,
                "apiServerEndpoint": described["endpoint"],
                "certificateAuthority": described["certificateAuthority"]["data"],
                "cidr": "10.100.0.0/16",
            },
            "kubelet": {"flags": flags.split()},
        }
        document = {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec}
        return (
            'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="B"\n\n'
            f"--B\nContent-Type: application/node.eks.aws\n\n{json.dumps(document)}\n--B--\n"
        )

    def launch(
        self, user_data: str, *, kind: str = "g4dn.xlarge", image: str = "", profile: str = "node"
    ) -> str:
        """Start an instance, say that it is in service, and return its id."""
        given: dict[str, Any] = {"IamInstanceProfile": {"Name": profile}} if profile else {}
        disk = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 80, "VolumeType": "gp3"}}
        answer = self(
            "ec2",
            "RunInstances",
            ImageId=image or image_id("al2023-x86_64-nvidia"),
            InstanceType=kind,
            SubnetId=self.subnet,
            UserData=base64.b64encode(user_data.encode()).decode(),
            BlockDeviceMappings=[disk],
            MinCount=1,
            MaxCount=1,
            **given,
        )
        one = answer["Instances"][0]
        event = InstanceInService(
            region=REGION,
            group="gpu-b",
            instance_id=one["InstanceId"],
            instance_type=kind,
            zone=ZONE,
            capacity_type="spot",
            image_id=one["ImageId"],
            private_ip=one["PrivateIpAddress"],
            user_data=user_data,
        )
        with self.served.box.lock:
            self.served.box.publish(event)
        self.started.append(one["InstanceId"])
        return str(one["InstanceId"])

    def terminate(self, instance_id: str) -> None:
        self("ec2", "TerminateInstances", InstanceIds=[instance_id])
        with self.served.box.lock:
            self.served.box.publish(
                InstanceGone(region=REGION, group="gpu-b", instance_id=instance_id)
            )

    def kubectl(self, *arguments: str, document: Any = None) -> str:
        """Run the real kubectl as the cluster's admin and return what it says."""
        assert self.plane is not None
        done = subprocess.run(
            ["kubectl", f"--kubeconfig={self.plane.admin_kubeconfig}", *arguments],
            input="" if document is None else json.dumps(document),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.kubectl("get", kind, "-o", "json", *arguments)
        )["items"]
        return found

    def node_of(self, instance_id: str) -> dict[str, Any] | None:
        """Return the node of an instance."""
        found = [
            one
            for one in self.get("nodes")
            if one["spec"].get("providerID", "").endswith(instance_id)
        ]
        return found[0] if found else None

    def said(self, kind: str, name: str) -> list[tuple[str, str]]:
        """Return reason and message of a kubelet's and a cloud controller's events, in their order."""
        speakers = ("kubelet", "cloud-node-controller", "cloud-node-lifecycle-controller")
        return [
            (one["reason"], one["message"])
            for one in self.get("events", "--all-namespaces")
            if one["involvedObject"]["kind"] == kind
            and one["involvedObject"]["name"] == name
            and one["source"].get("component") in speakers
        ]


@contextmanager
def cloud(
    folder: Path, *, delays: Delays = DELAYS, speed: float = 1.0, **settings: Any
) -> Iterator[Cloud]:
    """Serve a box, with a cluster where it has none yet."""
    wanted = Settings(folder=folder, region=REGION, speed=speed, delays=delays, **settings)
    with Serving(wanted, planes="real") as served:
        whole = Cloud(served)
        if not whole("eks", "ListClusters")["clusters"]:
            whole.network()
        else:
            subnets = whole("ec2", "DescribeSubnets", Filters=[{"Name": "availability-zone", "Values": [ZONE]}])  # fmt: skip
            whole.subnet = next(one["SubnetId"] for one in subnets["Subnets"] if one["CidrBlock"].startswith("10.0.1"))  # fmt: skip
        whole.active()
        yield whole


def gpus(node: dict[str, Any] | None, part: str = "allocatable") -> str | None:
    """Return the GPUs of a node as it says them."""
    assert node is not None
    amount: str | None = node["status"][part].get("nvidia.com/gpu")
    return amount


def is_ready(node: dict[str, Any] | None) -> bool:
    """Return whether a node is there and Ready."""
    return node is not None and any(
        one["type"] == "Ready" and one["status"] == "True" for one in node["status"]["conditions"]
    )


def plugin() -> dict[str, Any]:
    container = {"name": "plugin", "image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.4"}
    labels = {"name": "plugin"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "plugin", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "tolerations": [TOLERATION],
                    "nodeSelector": {"team": "vision"},
                    "containers": [container],
                },
            },
        },
    }


def has_gpu(tide: Cloud, instance_id: str) -> bool:
    node = tide.node_of(instance_id)
    return node is not None and gpus(node) == "1"
