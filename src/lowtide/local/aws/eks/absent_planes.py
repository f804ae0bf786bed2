"""Clusters without a control plane: in a box that plays AWS alone, and on a machine that lacks the binaries.

Why it exists: the AWS side of EKS can be used without Kubernetes, and where Kubernetes is wanted but cannot be had, the
cluster must say so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lowtide.local.aws.eks.planes_port import Key, PlaneAnswer, PlaneFailed, PlaneRequest, PlaneUp

#: Port 9 of loopback is discard's: nothing leaves the machine, and kubectl says that the connection was refused.
DEAD_ENDPOINT = "https://127.0.0.1:9"


class DeadPlanes:
    """Every cluster gets an address where nobody answers."""

    def start(self, request: PlaneRequest, done: Callable[[PlaneAnswer], None]) -> None:
        """Answer at once."""
        done(PlaneUp(endpoint=DEAD_ENDPOINT, ca_pem=_authority(request.name)))

    def stop(self, key: Key) -> None:
        """Nothing runs."""


class MissingPlanes:
    """Every cluster fails and says what is missing."""

    def __init__(self, why: str, fix: str = "lowtide local build") -> None:
        self._answer = PlaneFailed(why=why, fix=fix)

    def start(self, request: PlaneRequest, done: Callable[[PlaneAnswer], None]) -> None:  # noqa: ARG002 - the port's signature
        """Fail at once."""
        done(self._answer)

    def stop(self, key: Key) -> None:
        """Nothing runs."""


def _authority(name: str) -> bytes:
    """Return a certificate whose key nobody has: clients insist on one that can be read."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(tz=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
