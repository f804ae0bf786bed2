"""Instance types, prices and AMI paths, each figure with source and date.

Why it exists: a wrong default here costs money, so an unknown type is an error and never a guess.

What it must not know: the user's files, and the network.
"""

from __future__ import annotations

from lowtide.catalog.ami import image_kind, resolve_ami
from lowtide.catalog.offerings import (
    NO_FRESH,
    PRICED_REGION,
    offering,
    offerings,
    price_dates,
    price_rows,
)
from lowtide.catalog.prices import (
    control_plane_usd_per_hour,
    service_prices,
    volume_usd_per_month,
)
from lowtide.catalog.tables import Source, sources
from lowtide.catalog.types import (
    described_shape,
    instance_type,
    instance_types,
    nvidia_types,
    runnable_type,
    shape,
)
from lowtide.catalog.versions import (
    DEVICE_PLUGIN_IMAGE,
    TERMINATION_HANDLER_IMAGE,
    VERSIONS,
    KubernetesVersion,
    default_version,
    kubernetes_version,
)
from lowtide.catalog.zones import chosen_zones, is_zone_of

__all__ = [
    "DEVICE_PLUGIN_IMAGE",
    "NO_FRESH",
    "PRICED_REGION",
    "TERMINATION_HANDLER_IMAGE",
    "VERSIONS",
    "KubernetesVersion",
    "Source",
    "chosen_zones",
    "control_plane_usd_per_hour",
    "default_version",
    "described_shape",
    "image_kind",
    "instance_type",
    "instance_types",
    "is_zone_of",
    "kubernetes_version",
    "nvidia_types",
    "offering",
    "offerings",
    "price_dates",
    "price_rows",
    "resolve_ami",
    "runnable_type",
    "service_prices",
    "shape",
    "sources",
    "volume_usd_per_month",
]
