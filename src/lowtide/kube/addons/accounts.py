"""Service accounts of the cluster file, and the namespaces they live in.

Why it exists: the roles are AWS's (the cluster stack makes them), the accounts are Kubernetes objects, and eksctl makes both. An
association of EKS Pod Identity needs no word in the account; IRSA needs the role's ARN in an annotation, which is known here only
where the file itself names the role.

What it must not know: templates and accounts of AWS.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lowtide.kube.objects import Manifest, manifest
from lowtide.model.meta import Meta

if TYPE_CHECKING:
    from lowtide.model.blueprint import Identity  # a simulation needs none of it

IRSA = "irsa"
#: Read by EKS's pod identity webhook (EKS user guide, "Assign IAM roles to Kubernetes service accounts").
ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
#: Namespaces that every cluster has.
_GIVEN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


def account_manifests(
    identities: Iterable[Identity], *, besides: Collection[Meta] = ()
) -> list[Manifest]:
    """Return namespaces, then service accounts, in the order of the file.

    Args:
        identities: those of the cluster file.
        besides: accounts that come with something else that is installed, such as the autoscaler.
    """
    own = [one for one in identities if one.create_account and account_of(one) not in besides]
    namespaces = dict.fromkeys(one.namespace for one in own if one.namespace not in _GIVEN)
    return [
        *(manifest("v1", "Namespace", name) for name in namespaces),
        *(_account(one) for one in own),
    ]


def account_of(identity: Identity) -> Meta:
    """Return the service account that an identity is for."""
    return Meta(kind="ServiceAccount", name=identity.name, namespace=identity.namespace)


def waiting_for_role(identities: Iterable[Identity]) -> tuple[Identity, ...]:
    """Return the identities whose account needs the ARN of a role that a stack makes."""
    return tuple(one for one in identities if one.kind == IRSA and not one.role_arn)


def with_identities(
    manifests: Sequence[Manifest], identities: Iterable[Identity]
) -> list[Manifest]:
    """Return manifests whose service accounts also carry what the file says of them."""
    known = {account_of(one): one for one in identities}
    return [_dressed(one, known) for one in manifests]


def _dressed(obj: Manifest, known: dict[Meta, Identity]) -> Manifest:
    metadata = obj["metadata"]
    account = Meta(
        kind=obj["kind"], name=metadata["name"], namespace=metadata.get("namespace", "default")
    )
    identity = known.get(account)
    if identity is None:
        return obj
    labels = {**identity.labels, **metadata.get("labels", {})}
    theirs = _account(replace(identity, labels=labels))["metadata"]
    return {**obj, "metadata": {**metadata, **theirs}}


def _account(identity: Identity) -> Manifest:
    role = {ROLE_ANNOTATION: identity.role_arn} if identity.role_arn else {}
    return manifest(
        "v1",
        "ServiceAccount",
        identity.name,
        namespace=identity.namespace,
        labels=dict(identity.labels),
        annotations={**identity.annotations, **(role if identity.kind == IRSA else {})},
    )
