"""Every resource type that the embedded CloudFormation can make."""

from __future__ import annotations

from collections.abc import Mapping

from lowtide.local.aws.cloudformation.resources import (
    cluster_parts,
    clusters,
    groups,
    identity,
    kept,
    messages,
    network,
    security,
    ways,
)
from lowtide.local.aws.cloudformation.resources.kind import Kind
from lowtide.local.aws.errors import AwsError

KINDS: Mapping[str, Kind] = {
    **cluster_parts.KINDS,
    **clusters.KINDS,
    **groups.KINDS,
    **identity.KINDS,
    **kept.KINDS,
    **messages.KINDS,
    **network.KINDS,
    **security.KINDS,
    **ways.KINDS,
}


def kind_of(resource_type: str) -> Kind:
    """Return a type's entry.

    Raises:
        AwsError: AWS has the type, the embedded AWS has not.
    """
    if resource_type not in KINDS:
        raise AwsError(
            "NotSupported", f"The embedded AWS does not make resources of type {resource_type}."
        )
    return KINDS[resource_type]
