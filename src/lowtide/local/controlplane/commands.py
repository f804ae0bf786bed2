"""The command lines of a control plane's programs, as a pure function of its files and ports.

Why it exists: every flag is in one place, with its reason. All programs listen on 127.0.0.1 alone, and none answers
without a token or a certificate (health apart).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lowtide.local.controlplane.binaries import Binaries
from lowtide.local.controlplane.certificates import PROXY_NAME, Certificates
from lowtide.local.controlplane.kubeconfigs import Access
from lowtide.local.controlplane.ports import Ports
from lowtide.local.controlplane.processes import Command

#: What EKS enables beyond upstream's default: aws/containers-roadmap#739 (ExtendedResourceToleration, since 1.19) and
#: NodeRestriction (EKS user guide, platform versions).
EKS_ADMISSION: Mapping[str, bool] = {"NodeRestriction": True, "ExtendedResourceToleration": True}

#: kcm marks a node NotReady when its lease is late, and kwok never sets its pods Ready again; a busy laptop must not
#: look like failed hardware. Whoever wants a NotReady node says so in its conditions.
_NODE_GRACE = "1h"
#: kwok renews leases at a quarter of this; one that was restarted waits for its old leases to run out.
_LEASE_S = 40
_POD_CIDR = "10.1.0.0/16"
#: A revoked access entry stops working this soon; EKS says "several seconds".
_TOKEN_CACHE = "5s"  # noqa: S105 - a duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that a control plane's command lines are made of."""

    folder: Path
    binaries: Binaries
    certificates: Certificates
    access: Access
    ports: Ports
    stages: Path
    service_cidr: str
    issuer: str
    admission: Mapping[str, bool]
    webhook: Path | None


def command_lines(setup: Setup) -> dict[str, Command]:
    """Return the commands by name, in the order in which they start."""
    arguments = {
        "etcd": _etcd(setup),
        "kube-apiserver": _api_server(setup),
        "kube-controller-manager": _controller_manager(setup),
        "kube-scheduler": _scheduler(setup),
        "kwok": _kwok(setup),
    }
    return {
        name: Command(name=name, program=setup.binaries.path(name), arguments=given)
        for name, given in arguments.items()
    }


def _etcd(setup: Setup) -> tuple[str, ...]:
    certificates, ports = setup.certificates, setup.ports
    client, peer = (f"https://127.0.0.1:{port}" for port in (ports.etcd, ports.etcd_peer))
    own = certificates.etcd_server
    return (
        "--name=lowtide",
        f"--data-dir={setup.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lowtide={peer}",
        "--client-cert-auth=true",
        f"--trusted-ca-file={certificates.etcd_ca.certificate}",
        f"--cert-file={own.certificate}",
        f"--key-file={own.key}",
        "--peer-client-cert-auth=true",
        f"--peer-trusted-ca-file={certificates.etcd_ca.certificate}",
        f"--peer-cert-file={own.certificate}",
        f"--peer-key-file={own.key}",
        # Data survive the end of the process, not of the machine: a cluster in a box may lose a power cut.
        "--unsafe-no-fsync=true",
        "--quota-backend-bytes=8589934592",
        "--logger=zap",
        "--log-level=warn",
    )


def _api_server(setup: Setup) -> tuple[str, ...]:
    certificates, access, ports = setup.certificates, setup.access, setup.ports
    wanted = {**EKS_ADMISSION, **setup.admission}
    enabled = [name for name, on in wanted.items() if on]
    disabled = [name for name, on in wanted.items() if not on and name not in EKS_ADMISSION]
    arguments = [
        f"--etcd-servers=https://127.0.0.1:{ports.etcd}",
        f"--etcd-cafile={certificates.etcd_ca.certificate}",
        f"--etcd-certfile={certificates.etcd_client.certificate}",
        f"--etcd-keyfile={certificates.etcd_client.key}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={ports.api_server}",
        # An Endpoints object may not hold a loopback address, so none is written for the Service "kubernetes".
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={certificates.server.certificate}",
        f"--tls-private-key-file={certificates.server.key}",
        f"--client-ca-file={certificates.ca.certificate}",
        f"--token-auth-file={access.token_file}",
        f"--authentication-config={access.authentication}",
        f"--requestheader-client-ca-file={certificates.proxy_ca.certificate}",
        f"--requestheader-allowed-names={PROXY_NAME}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={certificates.proxy_client.certificate}",
        f"--proxy-client-key-file={certificates.proxy_client.key}",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={setup.service_cidr}",
        f"--service-account-issuer={setup.issuer}",
        f"--service-account-key-file={certificates.service_account_public_key}",
        f"--service-account-signing-key-file={certificates.service_account_key}",
        "--allow-privileged=true",
        # Nodes of kwok have no kubelet: with no address of this kind the server asks no name server and calls nobody's port 10250.
        "--kubelet-preferred-address-types=ExternalDNS",
        # EKS keeps events for an hour; here they are looked at after a night.
        "--event-ttl=6h",
        "--profiling=false",
        "--v=1",
    ]
    if enabled:
        arguments.append(f"--enable-admission-plugins={','.join(enabled)}")
    if disabled:
        arguments.append(f"--disable-admission-plugins={','.join(disabled)}")
    if setup.webhook is not None:
        arguments += [
            f"--authentication-token-webhook-config-file={setup.webhook}",
            "--authentication-token-webhook-version=v1",
            f"--authentication-token-webhook-cache-ttl={_TOKEN_CACHE}",
        ]
    return tuple(arguments)


def _client_of_api_server(setup: Setup, name: str, port: int) -> list[str]:
    kubeconfig = setup.access.kubeconfig(name)
    server = setup.certificates.server
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        "--leader-elect=false",
        "--profiling=false",
        "--v=1",
    ]


def _controller_manager(setup: Setup) -> tuple[str, ...]:
    certificates = setup.certificates
    return (
        *_client_of_api_server(setup, "kube-controller-manager", setup.ports.controller_manager),
        f"--service-account-private-key-file={certificates.service_account_key}",
        f"--root-ca-file={certificates.ca.certificate}",
        f"--cluster-signing-cert-file={certificates.ca.certificate}",
        f"--cluster-signing-key-file={certificates.ca.key}",
        # Without it the controllers act as kcm's own user, which may create no Pods.
        "--use-service-account-credentials=true",
        f"--node-monitor-grace-period={_NODE_GRACE}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    )


def _scheduler(setup: Setup) -> tuple[str, ...]:
    return (
        *_client_of_api_server(setup, "kube-scheduler", setup.ports.scheduler),
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    )


def _kwok(setup: Setup) -> tuple[str, ...]:
    return (
        f"--kubeconfig={setup.access.kubeconfig('kwok')}",
        f"--config={setup.stages}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--node-lease-duration-seconds={_LEASE_S}",
        f"--cidr={_POD_CIDR}",
        "--node-ip=127.0.0.1",
        # Port 0: no server. With a port and no --server-address it listens on all addresses (kwok's startServer).
        "--node-port=0",
    )
