"""The API server's rules for names, label keys and label values.

Source: k8s.io/apimachinery/pkg/util/validation and kubernetes.io/docs/concepts/overview/working-with-objects/names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lowtide.spec.manifests_shape import Part

BAD_NAME = ("LT105", "bad-name")

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_DNS_SUBDOMAIN = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII
)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)


def is_dns_label(text: str) -> bool:
    """Return whether a text is a DNS-1123 label."""
    return len(text) <= 63 and _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """Return whether a text is a DNS-1123 subdomain."""
    return len(text) <= 253 and _DNS_SUBDOMAIN.fullmatch(text) is not None


def is_qualified_name(text: str) -> bool:
    """Return whether a text is a label key: a name, perhaps behind ``PREFIX/``."""
    prefix, slash, name = text.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        return False
    return len(name) <= 63 and _QUALIFIED.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Return whether a text can be the value of a label; an empty one can."""
    return not text or (len(text) <= 63 and _QUALIFIED.fullmatch(text) is not None)


def check_name(part: Part, key: str, *, label: bool = False) -> None:
    """Refuse a name that is no DNS-1123 subdomain (or label); one that is not given is no finding here."""
    name = part.text(key)
    valid = is_dns_label(name) if label else is_dns_subdomain(name)
    if name and not valid:
        form = "DNS-1123 label" if label else "DNS-1123 subdomain"
        most = 63 if label else 253
        message = (
            f"{_shown(name)} is no {form}: lower-case letters, digits and '-'"
            f"{'' if label else ' or dots'}, alphanumeric at both ends, at most {most} characters"
        )
        suggestion = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:most]
        fix = f"write {suggestion}" if suggestion and len(name) <= most else ""
        part.refuse(BAD_NAME, message, key, fix=fix)


def check_labels(part: Part, key: str) -> dict[str, str]:
    """Return a mapping of labels after refusing keys and values that cannot be labels."""
    labels = part.mapping(key)
    for name, value in labels.items():
        check_label_key(part, name, key, name)
        if not is_label_value(value):
            message = (
                f"{_shown(value)} is no label value: letters, digits, '-', '_' and '.', "
                "alphanumeric at both ends, at most 63 characters"
            )
            part.refuse(BAD_NAME, message, key, name)
    return labels


def check_annotations(part: Part) -> Mapping[str, str]:
    """Return annotations after refusing keys that cannot be any (they are compared in lower case)."""
    annotations = part.mapping("annotations")
    for name in annotations:
        check_label_key(part, name.lower(), "annotations", name)
    return annotations


def check_label_key(part: Part, name: str, *steps: str | int) -> None:
    """Refuse a label, taint or annotation key that is no qualified name."""
    if not is_qualified_name(name):
        message = (
            f"{_shown(name)} is no key: a name of at most 63 letters, digits, '-', '_' and '.', "
            "perhaps behind a DNS name and '/'"
        )
        part.refuse(BAD_NAME, message, *steps)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 70 else text[:67] + "...")
