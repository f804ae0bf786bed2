"""Kubernetes resource quantities as whole numbers.

CPU is counted in milli-CPU, everything else in its own unit (bytes, pieces). Fractions are rounded
up, as the API server does (k8s.io/apimachinery/pkg/api/resource, ``Quantity.MilliValue`` and
``Quantity.Value``).
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction

#: A resource name to a whole number: milli-CPU for cpu, bytes or pieces for the rest.
Resources = Mapping[str, int]

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"
EPHEMERAL_STORAGE = "ephemeral-storage"
NVIDIA_GPU = "nvidia.com/gpu"

KIB = 1024
MIB = 1024**2
GIB = 1024**3

_FORM = re.compile(r"^([+-]?(?:\d+(?:\.\d*)?|\.\d+))([A-Za-z]{0,2}|[eE][+-]?\d+)$")
_MULTIPLIERS = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}


@functools.lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Fraction:
    """Return the exact value of a quantity such as ``500m``, ``1.5Gi`` or ``2e3``.

    Raises:
        ValueError: the text is not a quantity.
    """
    found = _FORM.match(text.strip())
    if found is None:
        msg = f"{text!r} is not a quantity"
        raise ValueError(msg)
    number, suffix = found.groups()
    if suffix in _MULTIPLIERS:
        return Fraction(number) * _MULTIPLIERS[suffix]
    if suffix[0] in "eE" and len(suffix) > 1 and suffix[1:].lstrip("+-").isdigit():
        exponent = int(suffix[1:])
        if abs(exponent) > 30:
            msg = f"{text!r} is out of range"
            raise ValueError(msg)
        return Fraction(number) * Fraction(10) ** exponent
    msg = f"{text!r} is not a quantity"
    raise ValueError(msg)


def amount_of(resource: str, quantity: str | float) -> int:
    """Return a quantity of a resource in whole units: milli-CPU for cpu, else bytes or pieces."""
    value = parse_quantity(str(quantity))
    return math.ceil(value * 1000) if resource == CPU else math.ceil(value)


def resources_of(quantities: Mapping[str, str | float]) -> dict[str, int]:
    """Return whole-unit amounts for a mapping as it stands in a manifest."""
    return {name: amount_of(name, quantity) for name, quantity in quantities.items()}


def format_amount(resource: str, amount: int) -> str:
    """Return an amount as a person would write it: ``500m``, ``1Gi``, ``2``."""
    if resource == CPU:
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    if resource in {MEMORY, EPHEMERAL_STORAGE} or resource.startswith("hugepages-"):
        for size, suffix in ((GIB, "Gi"), (MIB, "Mi"), (KIB, "Ki")):
            if amount and amount % size == 0:
                return f"{amount // size}{suffix}"
    return str(amount)


def add(first: Resources, second: Resources) -> dict[str, int]:
    """Return the sum of two resource mappings."""
    total = dict(first)
    for name, amount in second.items():
        total[name] = total.get(name, 0) + amount
    return total


def largest(many: Iterable[Resources]) -> dict[str, int]:
    """Return the per-resource maximum of several mappings."""
    result: dict[str, int] = {}
    for one in many:
        for name, amount in one.items():
            result[name] = max(result.get(name, 0), amount)
    return result
