"""The certificates and keys of one control plane.

Why it exists: three authorities per cluster. One signs the API server's certificate and what the controller manager
signs for users. etcd has its own, so that no certificate which a cluster user may obtain opens it; so has the proxy to
aggregated APIs, whose holder may name any user. Made once; kept, so that a kubeconfig outlives a restart.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lowtide.local.controlplane.private_files import private_folder, write_private

#: EKS makes cluster authorities for ten years.
_LIFETIME = dt.timedelta(days=3650)
#: A clock that was set back a little must not make a new certificate invalid.
_LEEWAY = dt.timedelta(hours=1)
#: The common name by which aggregated APIs know the API server.
PROXY_NAME = "front-proxy-client"
_HOSTS = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")

_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The files of one control plane."""

    ca: Pair
    server: Pair
    etcd_ca: Pair
    etcd_server: Pair
    etcd_client: Pair
    proxy_ca: Pair
    proxy_client: Pair
    service_account_key: Path
    service_account_public_key: Path


def make_certificates(folder: Path, *, service_ip: str) -> Certificates:
    """Make what is missing in the folder and return the files; ``service_ip`` is the Service ``kubernetes``'s."""
    private_folder(folder)
    certificates = Certificates(
        ca=_pair(folder, "ca"),
        server=_pair(folder, "server"),
        etcd_ca=_pair(folder, "etcd-ca"),
        etcd_server=_pair(folder, "etcd-server"),
        etcd_client=_pair(folder, "etcd-client"),
        proxy_ca=_pair(folder, "proxy-ca"),
        proxy_client=_pair(folder, "proxy-client"),
        service_account_key=folder / "service-account.key",
        service_account_public_key=folder / "service-account.pub",
    )
    if not certificates.service_account_public_key.exists():  # written last
        local = ipaddress.ip_address("127.0.0.1")
        _authority(certificates.ca, "kubernetes")
        _signed(
            certificates.server,
            certificates.ca,
            "kube-apiserver",
            addresses=(local, ipaddress.ip_address(service_ip)),
        )
        _authority(certificates.etcd_ca, "etcd-ca")
        _signed(certificates.etcd_server, certificates.etcd_ca, "etcd", addresses=(local,))
        _signed(certificates.etcd_client, certificates.etcd_ca, "kube-apiserver", addresses=())
        _authority(certificates.proxy_ca, "front-proxy-ca")
        _signed(certificates.proxy_client, certificates.proxy_ca, PROXY_NAME, addresses=())
        _service_account_keys(certificates)
    return certificates


def _pair(folder: Path, name: str) -> Pair:
    return Pair(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")


def _authority(pair: Pair, name: str) -> None:
    """Make an authority; no certificate that it signs may have its name, or OpenSSL takes that for self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    built = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(pair, built, key)


def _signed(
    pair: Pair,
    authority: Pair,
    name: str,
    *,
    addresses: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    """Sign a certificate for servers at the addresses; without addresses it is a client's alone."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    issuer_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    # etcd's peer listener uses one certificate both ways.
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if addresses:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    builder = (
        _builder(name, issuer.subject.rfc4514_string().removeprefix("CN="), key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if addresses:
        names = [x509.DNSName(host) for host in _HOSTS]
        names_and_addresses = [*names, *(x509.IPAddress(address) for address in addresses)]
        builder = builder.add_extension(
            x509.SubjectAlternativeName(names_and_addresses), critical=False
        )
    _write(pair, builder.sign(issuer_key, hashes.SHA256()), key)


def _builder(
    subject: str, issuer: str, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + _LIFETIME)
    )


def _service_account_keys(certificates: Certificates) -> None:
    # RSA, as EKS's own issuers use: verifiers of projected tokens outside the cluster expect RS256.
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write_private(certificates.service_account_key, _pem(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(certificates.service_account_public_key, public)


def _write(pair: Pair, certificate: x509.Certificate, key: _PrivateKey) -> None:
    write_private(pair.key, _pem(key))
    write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _pem(key: _PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
