"""What somebody who creates the cluster has to know, or to do, beside the templates.

Sources: Amazon ECR user guide, "Amazon ECR interface VPC endpoints" (layers are in S3); EC2 Auto Scaling user guide, "Required AWS KMS
key policy for use with encrypted volumes".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lowtide import catalog
from lowtide.model.blueprint import Launch
from lowtide.resolve.blueprint.scope import Scope
from lowtide.resolve.network import makes_network

#: The key that AWS keeps for EBS, which Auto Scaling may use anyway.
_AWS_KEY = "alias/aws/ebs"


def notes(scope: Scope, launches: Sequence[Launch]) -> tuple[str, ...]:
    """Return what to say of the whole cluster."""
    return (*_no_endpoint(scope), *_keys(launches), *_unverified(scope))


def _no_endpoint(scope: Scope) -> Iterator[str]:
    if makes_network(scope.config):
        return
    usd = catalog.service_prices()["nat-data"]
    yield (
        f"no S3 gateway endpoint is made in {scope.config.vpc.id}, which is not lowtide's: it is free, and where the route tables of"
        f" private subnets have none, image layers from ECR pass a NAT gateway at ${usd:.3f} a GB"
    )


def _keys(launches: Sequence[Launch]) -> Iterator[str]:
    groups = [one.group for one in launches if _has_own_key(one)]
    if groups:
        yield (
            f"the KMS key of volumes in {', '.join(groups)} must allow the role AWSServiceRoleForAutoScaling to use it and to create"
            " grants: else instances end at launch with Client.InvalidKMSKey.InvalidState"
        )


def _has_own_key(launch: Launch) -> bool:
    keys = [launch.kms_key_id, *(one.kms_key_id for one in launch.volumes)]
    return any(key and not key.endswith(_AWS_KEY) for key in keys)


def _unverified(scope: Scope) -> Iterator[str]:
    """aws/templates/userdata_ubuntu.py says what was read and what was not."""
    groups = [one.name for one in scope.cluster.node_groups if one.ami.family.startswith("Ubuntu")]
    if groups:
        yield (
            f"the start of {', '.join(groups)} is not verified: of Canonical's bootstrap.sh an earlier version was read, not that of"
            " these images; start one node before many"
        )
