"""Fixed lists and numbers of eksctl's ClusterConfig.

Source of everything here: eksctl-io/eksctl at 99984adb (2026-08-21), package pkg/apis/eksctl.io/v1alpha5, unless a line says
otherwise.
"""

from __future__ import annotations

API_VERSION = "eksctl.io/v1alpha5"
KIND = "ClusterConfig"

#: What ``metadata.version`` means when it is absent, empty or ``auto``.
DEFAULT_VERSION = "1.34"
#: AmazonLinux2 has no image from this minor on.
AMAZON_LINUX_2_ENDS = (1, 33)
DEFAULT_INSTANCE_TYPE = "m5.large"
DEFAULT_NODE_COUNT = 2
DEFAULT_AMI_FAMILY = "AmazonLinux2023"
MIXED = "mixed"
MIN_ZONES = 2
MIN_SUBNETS = 2
ONE_DAY_S = 86_400

REGIONS = frozenset(
    """
    af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
    ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1
    cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-isoe-west-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1
    eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1
    us-gov-west-1 us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1 us-west-1
    us-west-2
    """.split()  # noqa: SIM905 - one name a line would bury the rest of the file
)

BOTTLEROCKET = frozenset({"Bottlerocket", "BottlerocketFips"})

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1827, 3653),
)

#: Volume type to its range of IOPS; the other types have no such setting.
VOLUME_IOPS = {"gp3": (3000, 16_000), "io1": (100, 64_000), "io2": (100, 256_000)}
#: Range of gp3 throughput in MiB/s.
GP3_THROUGHPUT_MIB = (125, 1000)

#: Kubelet settings that eksctl owns.
KUBELET_RESERVED = frozenset(
    {
        "kind",
        "apiVersion",
        "address",
        "clusterDomain",
        "authentication",
        "authorization",
        "serverTLSBootstrap",
    }
)

#: Bottlerocket settings below ``kubernetes`` that have a field of their own in the file.
BOTTLEROCKET_OWN_FIELDS = {
    "node-labels": "labels",
    "node-taints": "taints",
    "max-pods": "maxPodsPerNode",
}

#: Labels of reserved namespaces that a kubelet may set on its node
#: (kubernetes/kubernetes, staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go).
KUBELET_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
    }
)
KUBELET_NAMESPACES = ("kubelet.kubernetes.io", "node.kubernetes.io")
RESERVED_DOMAINS = ("kubernetes.io", "k8s.io")
