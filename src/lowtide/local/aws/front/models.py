"""Which service a request is for, and botocore's published model of it.

Why it exists: the name in a signature is not botocore's name of the service, and everything about a service's wire
format comes from its model.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from botocore.loaders import Loader
from moto.core.model import OperationModel, ServiceModel

#: botocore's names of all services that the box answers. Any other is refused by name.
SERVED = frozenset(
    {
        "autoscaling", "ce", "cloudformation", "cloudtrail", "ec2", "eks", "eks-auth", "elb", "elbv2", "events", "iam",
        "kms", "logs", "pricing", "resourcegroupstaggingapi", "service-quotas", "sqs", "ssm", "sts",
    }
)  # fmt: skip
#: Where the signing name is not botocore's name (``signingName`` or else ``endpointPrefix`` of the model's metadata).
SIGNING_NAMES = {
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
    "elasticloadbalancing": "elbv2",
}
#: One signing name, two services, told apart by the API version that every query request carries.
CLASSIC_BALANCERS = "2012-06-01"
CBOR = "smithy-rpc-v2-cbor"
#: The protocols that moto reads, in the order in which one is chosen for it.
OLD_PROTOCOLS = ("ec2", "query", "json", "rest-json", "rest-xml")

_LOADER = Loader()
_PLACEHOLDER = re.compile(r"\{(\w+)(\+?)\}")


def service_named(signing_name: str, version: str = "") -> str:
    """Return botocore's name of the service that signs as ``signing_name``, or an empty string."""
    if signing_name == "elasticloadbalancing" and version == CLASSIC_BALANCERS:
        return "elb"
    name = SIGNING_NAMES.get(signing_name, signing_name)
    return name if name in SERVED else ""


@functools.cache
def model_of(service: str) -> ServiceModel:
    """Return the model of a service by botocore's name."""
    return ServiceModel(_LOADER.load_service_model(service, "service-2"), service)


def operation_of(service: str, operation: str) -> OperationModel | None:
    """Return the model of an operation, or None when the service has no such operation."""
    model = model_of(service)
    return model.operation_model(operation) if operation in model.operation_names else None


def protocols_of(service: str) -> tuple[str, ...]:
    """Return the protocols that the service speaks, the newest first."""
    metadata = model_of(service).metadata
    return tuple(metadata.get("protocols") or [metadata["protocol"]])


def old_protocol_of(service: str) -> str:
    """Return the protocol that the service had before CBOR."""
    spoken = protocols_of(service)
    return next(one for one in OLD_PROTOCOLS if one in spoken)


@functools.cache
def _routes(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    model = model_of(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = http["requestUri"].partition("?")[0]
        found.append((http["method"], _pattern(path), name))
    # A path written out goes before one with placeholders: the shorter pattern is the more general one.
    found.sort(key=lambda one: -len(_PLACEHOLDER.sub("", one[1].pattern)))
    return tuple(found)


def _pattern(path: str) -> re.Pattern[str]:
    text, at = "", 0
    for hit in _PLACEHOLDER.finditer(path):
        text += re.escape(path[at : hit.start()])
        text += f"(?P<{hit[1]}>{'.+' if hit[2] else '[^/]+'})"
        at = hit.end()
    return re.compile(f"{text}{re.escape(path[at:])}")


def route(service: str, method: str, path: str) -> tuple[str, Mapping[str, str]] | None:
    """Return the operation that a REST path stands for, with its placeholders' values, still percent-encoded."""
    for its_method, pattern, name in _routes(service):
        hit = pattern.fullmatch(path) if its_method == method else None
        if hit:
            return name, hit.groupdict()
    return None


@functools.cache
def regions() -> frozenset[str]:
    """Return the names of AWS's commercial regions."""
    partitions: list[dict[str, Any]] = _LOADER.load_data("partitions")["partitions"]
    return frozenset(partitions[0]["regions"]) - {"aws-global"}
