"""Which AMI families can boot an instance type so that its accelerator works.

Sources: eksctl's AMI table (v0.230.0, 2026-08-14); EKS user guide, "EKS-optimized accelerated AMIs" (2026-09);
awslabs/amazon-eks-ami#2768 (2026-09-21: AL2023 images from v20260917 carry the driver that G7 needs).
"""

from __future__ import annotations

from lowtide.model.catalog import Gpu

AL2023 = "AmazonLinux2023"
AL2 = "AmazonLinux2"
BOTTLEROCKET = "Bottlerocket"
BOTTLEROCKET_FIPS = "BottlerocketFips"

#: Ubuntu family to its release and the volume type in Canonical's parameter path.
UBUNTU = {
    "Ubuntu2204": ("22.04", "ebs-gp2"),
    "UbuntuPro2204": ("22.04", "ebs-gp2"),
    "Ubuntu2404": ("24.04", "ebs-gp3"),
    "UbuntuPro2404": ("24.04", "ebs-gp3"),
    "Ubuntu2604": ("26.04", "ebs-gp3"),
    "UbuntuPro2604": ("26.04", "ebs-gp3"),
}

#: The oldest minor each release of Ubuntu is published for.
UBUNTU_MINIMUM = {"22.04": (1, 29), "24.04": (1, 31), "26.04": (1, 35)}

NEURON = "AWS"
NVIDIA = "NVIDIA"

_NO_DRIVER_ANYWHERE = frozenset({"p2", "g3", "g3s"})
_AL2023_ONLY = frozenset({"g7"})


def ami_families(family: str, gpu: Gpu | None) -> tuple[str, ...]:
    """Return the AMI families for an instance family, best first; empty where no image has its driver.

    AMD and Habana accelerators have no driver in any EKS image: such types boot as plain CPU nodes.
    """
    if family in _NO_DRIVER_ANYWHERE:
        return ()
    if family in _AL2023_ONLY:
        return (AL2023,)
    if gpu is not None and gpu.manufacturer == NVIDIA:
        return (AL2023, BOTTLEROCKET, BOTTLEROCKET_FIPS)
    if gpu is not None and gpu.manufacturer == NEURON:
        return (AL2023, BOTTLEROCKET)
    return (AL2023, BOTTLEROCKET, BOTTLEROCKET_FIPS, *UBUNTU)
