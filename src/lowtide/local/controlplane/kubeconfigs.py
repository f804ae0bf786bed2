"""Who may enter a control plane, and the files with which its own clients do.

Why it exists: every client has a random token of its own. Tokens of AWS users are not here: the API server asks the
embedded AWS about those, through a webhook. The files are JSON, which every YAML reader reads.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lowtide.local.controlplane.private_files import private_folder, write_private

#: client -> (user, groups). kwok and the bridge write nodes and their pods' status as kubelets do; they are the box itself.
CLIENTS: Mapping[str, tuple[str, str]] = {
    "admin": ("lowtide-admin", "system:masters"),
    "bridge": ("lowtide-bridge", "system:masters"),
    "kwok": ("lowtide-kwok", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The files that the API server and its clients are given."""

    folder: Path
    token_file: Path
    authentication: Path

    def kubeconfig(self, client: str) -> Path:
        """Return the kubeconfig of one of CLIENTS."""
        return self.folder / f"{client}.kubeconfig"


def make_access(folder: Path, *, endpoint: str, ca_pem: bytes, cluster: str) -> Access:
    """Write kubeconfigs for an endpoint; tokens are made once and kept."""
    private_folder(folder)
    access = Access(
        folder=folder,
        token_file=folder / "tokens.csv",
        authentication=folder / "authentication.json",
    )
    tokens = _tokens(access.token_file)
    for client, token in tokens.items():
        document = _kubeconfig(endpoint=endpoint, ca_pem=ca_pem, cluster=cluster, token=token)
        write_private(access.kubeconfig(client), document)
    write_private(access.authentication, _authentication())
    return access


def token_of(kubeconfig: Path) -> str:
    """Return the token in a kubeconfig of ours."""
    token = json.loads(kubeconfig.read_text(encoding="utf-8"))["users"][0]["user"]["token"]
    assert isinstance(token, str)
    return token


def write_webhook(file: Path, url: str) -> Path:
    """Write the file by which the API server asks ``url`` about tokens that it does not know.

    The secret that guards the webhook belongs into the URL's path: client-go sends no token of a kubeconfig over
    plain HTTP (tools/clientcmd/client_config.go, "only try to read the auth information if we are secure").
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "aws", "cluster": {"server": url}}],
        "users": [{"name": "kube-apiserver", "user": {}}],
        "contexts": [{"name": "aws", "context": {"cluster": "aws", "user": "kube-apiserver"}}],
        "current-context": "aws",
    }
    return write_private(file, json.dumps(document, indent=1))


def _tokens(file: Path) -> dict[str, str]:
    if file.exists():
        rows = file.read_text(encoding="utf-8").splitlines()
        return dict(zip(CLIENTS, (row.split(",")[0] for row in rows), strict=True))
    tokens = {client: secrets.token_urlsafe(32) for client in CLIENTS}
    rows = [
        f'{tokens[client]},{user},{user},"{groups}"' for client, (user, groups) in CLIENTS.items()
    ]
    write_private(file, "\n".join(rows) + "\n")
    return tokens


def _kubeconfig(*, endpoint: str, ca_pem: bytes, cluster: str, token: str) -> str:
    authority = base64.b64encode(ca_pem).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": endpoint, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": cluster, "user": {"token": token}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
    }
    return json.dumps(document, indent=1)


def _authentication() -> str:
    # As EKS since 1.32: anonymous requests reach the health endpoints and nothing else.
    # v1beta1 is read by all minors from 1.33 to 1.36.
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1beta1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {
            "enabled": True,
            "conditions": [{"path": path} for path in ("/livez", "/readyz", "/healthz")],
        },
    }
    return json.dumps(document, indent=1)
