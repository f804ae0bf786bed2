"""The products of the price list, as AWS writes them: a JSON text with attributes and terms.

Why it exists: what a client takes from the price list it finds by these attributes. Prices are the catalog's: where it
has none of a region, those of us-east-1 stand there. What the catalog does not know is left out, not made up. The form
of EKS's product is quoted in kubernetes-sigs/cluster-api-provider-aws#3649.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.loaders import Loader

from lowtide import catalog
from lowtide.catalog.prices import service_prices
from lowtide.model.catalog import Offering

EC2, EKS = "AmazonEC2", "AmazonEKS"
#: Service codes.
SERVICES = (EC2, EKS)
#: The price list's own code of an on-demand term and of its hourly rate.
_TERM, _RATE = "JRTCKXETXF", "6YS6EN2CT7"
_EFFECTIVE = "2026-07-20T00:00:00Z"
#: Regions whose place the price list still names by its old word, EU, where AWS says Europe elsewhere.
_OLD_EUROPE = frozenset(
    ["eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product with its one price per ``unit``, in USD."""

    service: str
    family: str
    unit: str
    description: str
    usd: float
    attributes: Mapping[str, str]

    @property
    def sku(self) -> str:
        """The product's id, the same in every box."""
        of = " ".join(self.attributes.get(name, "") for name in ("servicecode", "regionCode", "instanceType"))  # fmt: skip
        digest = hashlib.sha256(of.encode()).digest()
        return "".join("ABCDEFGHJKMNPQRSTUVWXYZ23456789"[byte % 31] for byte in digest[:16])

    def terms(self) -> dict[str, str]:
        """Return what filters may ask for."""
        return {
            **self.attributes,
            "productFamily": self.family,
            "sku": self.sku,
            "ServiceCode": self.service,
        }

    def document(self) -> dict[str, Any]:
        """Return it as the price list writes it."""
        sku = self.sku
        rate = {
            "rateCode": f"{sku}.{_TERM}.{_RATE}",
            "unit": self.unit,
            "beginRange": "0",
            "endRange": "Inf",
            "description": self.description,
            "appliesTo": [],
            "pricePerUnit": {"USD": f"{self.usd:.10f}"},
        }
        term = {
            "sku": sku,
            "offerTermCode": _TERM,
            "effectiveDate": _EFFECTIVE,
            "termAttributes": {},
            "priceDimensions": {rate["rateCode"]: rate},
        }
        return {
            "product": {
                "productFamily": self.family,
                "sku": sku,
                "attributes": dict(self.attributes),
            },
            "serviceCode": self.service,
            "terms": {"OnDemand": {f"{sku}.{_TERM}": term}},
            "version": _EFFECTIVE.replace("-", "").replace(":", ""),
            "publicationDate": _EFFECTIVE,
        }


def products(code: str, places: Mapping[str, str]) -> Iterator[Product]:
    """Yield the products of a service in all regions, or in those that ``places`` (regionCode, location) names."""
    for region, location in locations().items():
        if places.get("regionCode", region) != region:
            continue
        if places.get("location", location) != location:
            continue
        if code == EC2:
            yield from (_instance(one, location) for one in catalog.offerings(region))
        elif code == EKS:
            yield _cluster(region, location)


def attribute_names(code: str) -> list[str]:
    """Return the names of the attributes that products of a service have."""
    here = {"regionCode": catalog.PRICED_REGION}
    return sorted({name for one in products(code, here) for name in one.attributes})


@functools.cache
def locations() -> Mapping[str, str]:
    """Return the regions with the names that the price list gives them."""
    partitions = Loader().load_data("endpoints")["partitions"]
    public = next(one for one in partitions if one["partition"] == "aws")
    return {
        region: about["description"].replace("Europe", "EU")
        if region in _OLD_EUROPE
        else about["description"]
        for region, about in sorted(public["regions"].items())
    }


def _instance(one: Offering, location: str) -> Product:
    kind = one.instance_type
    attributes = {
        "servicecode": EC2,
        "servicename": "Amazon Elastic Compute Cloud",
        "locationType": "AWS Region",
        "location": location,
        "regionCode": one.region,
        "instanceType": kind.name,
        "vcpu": str(kind.vcpu),
        "memory": f"{kind.memory_mib / 1024:g} GiB",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
        "operation": "RunInstances",
        "marketoption": "OnDemand",
    }
    if (
        one.region == catalog.PRICED_REGION
    ):  # elsewhere it starts with a code that is not known here
        attributes["usagetype"] = f"BoxUsage:{kind.name}"
    if kind.gpu is not None:
        attributes["gpu"] = str(kind.gpu.count)
    if kind.network:
        attributes["networkPerformance"] = kind.network
    return Product(
        service=EC2,
        family="Compute Instance",
        unit="Hrs",
        description=f"${one.on_demand_usd_per_hour:g} per On Demand Linux {kind.name} Instance Hour",
        usd=one.on_demand_usd_per_hour,
        attributes=attributes,
    )


def _cluster(region: str, location: str) -> Product:
    return Product(
        service=EKS,
        family="Compute",
        unit="Hours",
        description=f"Amazon EKS cluster usage in {location}",
        usd=service_prices()["control-plane"],
        attributes={
            "servicecode": EKS,
            "servicename": "Amazon Elastic Container Service for Kubernetes",
            "locationType": "AWS Region",
            "location": location,
            "regionCode": region,
            "tiertype": "HAStandard",
            "operation": "CreateOperation",
        },
    )
