"""What CreateCluster refuses, in EKS's words where they are known from the field.

Sources: EKS API reference (CreateCluster), EKS user guide ("View Amazon EKS networking requirements for VPC and subnets",
"Security IAM troubleshoot"), and the messages that users of eksctl and Terraform report in their issues.
"""

from __future__ import annotations

import ipaddress
import json
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lowtide.catalog.versions import VERSIONS
from lowtide.local.aws.eks.refusals import invalid_parameter
from lowtide.local.aws.errors import AwsError

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_NAME = re.compile(r"[0-9A-Za-z][A-Za-z0-9\-_]{0,99}")
_LEAST_ZONES = 2
#: Zones by id that take no control plane (EKS user guide, networking requirements).
_CLOSED_ZONES = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})
_PRIVATE = tuple(
    ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_TEN = _PRIVATE[0]
#: EKS's two choices for the addresses of services (API reference, KubernetesNetworkConfigRequest).
_SERVICES = ("10.100.0.0/16", "172.20.0.0/16")
_SMALLEST, _LARGEST = 24, 12


def check_name(name: str) -> None:
    """Refuse a name that EKS does not take."""
    if not _NAME.fullmatch(name):
        raise invalid_parameter(
            f"Cluster name '{name}' must match ^[0-9A-Za-z][A-Za-z0-9\\-_]* and have at most 100 characters.",
            clusterName=name,
        )


def check_version(version: str, cluster: str) -> None:
    """Refuse a minor that EKS does not offer."""
    if version not in {one.minor for one in VERSIONS}:
        raise invalid_parameter("unsupported Kubernetes version", clusterName=cluster)


def check_role(box: Box, arn: str, region: str, cluster: str) -> None:
    """Refuse a role that does not exist or that EKS may not assume."""
    if "eks.amazonaws.com" not in (role_trust(box, arn, region) or ""):
        raise invalid_parameter(
            f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct",
            clusterName=cluster,
        )


def role_trust(box: Box, arn: str, region: str) -> str | None:
    """Return a role's trust policy as text; None where there is no such role."""
    name = re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/(?:.*/)?([^/]+)", arn)
    if name is None:
        return None
    try:
        role = box.call("iam", "GetRole", {"RoleName": name[1]}, region=region)["Role"]
    except AwsError as error:
        if error.code != "NoSuchEntity":
            raise
        return None
    document = role["AssumeRolePolicyDocument"]
    return urllib.parse.unquote(document) if isinstance(document, str) else json.dumps(document)


def subnets_of(
    box: Box, ids: Sequence[str], region: str, cluster: str
) -> Sequence[Mapping[str, Any]]:
    """Return the subnets, after refusing what EKS refuses: absent ones, several VPCs, one zone, closed zones."""
    one_zone = invalid_parameter(
        "Subnets specified must be in at least two different AZs", clusterName=cluster
    )
    if len(ids) < _LEAST_ZONES:
        raise one_zone
    try:
        answer = box.call("ec2", "DescribeSubnets", {"SubnetIds": list(ids)}, region=region)
    except AwsError as error:
        if "NotFound" not in error.code:
            raise
        raise invalid_parameter(error.message, clusterName=cluster) from error
    found: Sequence[Mapping[str, Any]] = answer["Subnets"]
    if len({one["VpcId"] for one in found}) > 1:
        raise invalid_parameter(
            "Subnets specified must belong to the same VPC", clusterName=cluster
        )
    if len({one["AvailabilityZone"] for one in found}) < _LEAST_ZONES:
        raise one_zone
    _check_zones(box, found, region, cluster)
    return found


def check_security_groups(box: Box, ids: Sequence[str], region: str, cluster: str) -> None:
    """Refuse security groups that do not exist."""
    if not ids:
        return
    try:
        box.call("ec2", "DescribeSecurityGroups", {"GroupIds": list(ids)}, region=region)
    except AwsError as error:
        if "NotFound" not in error.code:
            raise
        raise invalid_parameter(error.message, clusterName=cluster) from error


def check_access(private: bool, public: bool, cluster: str) -> None:  # noqa: FBT001 - a pair
    """Refuse an API server that nobody can reach."""
    if not (private or public):
        raise invalid_parameter(
            "Private and public endpoint access cannot both be false", clusterName=cluster
        )


def service_cidr(asked: str, vpc_cidr: str, cluster: str) -> str:
    """Return the addresses of services: what was asked for, else the one of EKS's two that the VPC does not use."""
    vpc = ipaddress.IPv4Network(vpc_cidr)
    if not asked:
        return _SERVICES[1] if vpc.overlaps(_TEN) else _SERVICES[0]
    try:
        network = ipaddress.IPv4Network(asked)
    except ValueError:
        network = None
    private = network is not None and any(network.subnet_of(one) for one in _PRIVATE)
    if network is None or not private or not _LARGEST <= network.prefixlen <= _SMALLEST:
        raise invalid_parameter(
            f"The serviceIpv4Cidr {asked} must be between /24 and /12 inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
            clusterName=cluster,
        )
    if network.overlaps(vpc):
        raise invalid_parameter(
            f"The serviceIpv4Cidr {asked} overlaps with the VPC CIDR {vpc_cidr}",
            clusterName=cluster,
        )
    return asked


def _check_zones(box: Box, subnets: Sequence[Mapping[str, Any]], region: str, cluster: str) -> None:
    closed = [one for one in subnets if one.get("AvailabilityZoneId") in _CLOSED_ZONES]
    if not closed:
        return
    zones = box.call("ec2", "DescribeAvailabilityZones", region=region)["AvailabilityZones"]
    valid = [one["ZoneName"] for one in zones if one["ZoneId"] not in _CLOSED_ZONES]
    raise AwsError(
        "UnsupportedAvailabilityZoneException",
        f"Cannot create cluster '{cluster}' because {closed[0]['AvailabilityZone']}, the targeted availability zone, does"
        " not currently have sufficient capacity to support the cluster. Retry and choose from these availability"
        f" zones: {', '.join(valid)}",
        clusterName=cluster,
        validZones=valid,
    )
