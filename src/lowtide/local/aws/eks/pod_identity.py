"""Pod identity associations: which service account has which role.

Why it exists: templates and add-ons make them. Nothing in the box asks for credentials by them.
"""

from __future__ import annotations

import copy
import secrets
import string
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lowtide.local.aws.eks.paging import page
from lowtide.local.aws.eks.refusals import in_use, invalid_request, not_found
from lowtide.local.aws.eks.state import Cluster, cluster_of
from lowtide.local.aws.service import Call

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_SHOWN_IN_LISTS = (
    "clusterName",
    "namespace",
    "serviceAccount",
    "associationArn",
    "associationId",
    "ownerArn",
)
_OPTIONS = ("disableSessionTags", "targetRoleArn", "policy")


def create_pod_identity_association(box: Box, call: Call) -> Mapping[str, Any]:
    """CreatePodIdentityAssociation."""
    cluster, params = cluster_of(box, call), call.params
    options = {key: params[key] for key in (*_OPTIONS, "tags") if key in params}
    found = associate(
        box,
        cluster,
        namespace=params["namespace"],
        account=params["serviceAccount"],
        role_arn=params["roleArn"],
        options=options,
    )
    return {"association": copy.deepcopy(found)}


def describe_pod_identity_association(box: Box, call: Call) -> Mapping[str, Any]:
    """DescribePodIdentityAssociation."""
    return {"association": copy.deepcopy(_found(box, call)[1])}


def list_pod_identity_associations(box: Box, call: Call) -> Mapping[str, Any]:
    """ListPodIdentityAssociations."""
    asked = {key: call.params[key] for key in ("namespace", "serviceAccount") if key in call.params}
    shown = [
        {key: one[key] for key in _SHOWN_IN_LISTS if key in one}
        for one in cluster_of(box, call).associations.values()
        if all(one[key] == value for key, value in asked.items())
    ]
    return page(shown, call.params, key="associations")


def update_pod_identity_association(box: Box, call: Call) -> Mapping[str, Any]:
    """UpdatePodIdentityAssociation."""
    _, found = _found(box, call)
    _refuse_owned(found)
    changes = {key: call.params[key] for key in ("roleArn", *_OPTIONS) if key in call.params}
    found |= {**changes, "modifiedAt": box.now()}
    return {"association": copy.deepcopy(found)}


def delete_pod_identity_association(box: Box, call: Call) -> Mapping[str, Any]:
    """DeletePodIdentityAssociation."""
    cluster, found = _found(box, call)
    _refuse_owned(found)
    del cluster.associations[found["associationId"]]
    return {"association": found}


def associate(
    box: Box,
    cluster: Cluster,
    *,
    namespace: str,
    account: str,
    role_arn: str,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Make an association and return it.

    Raises:
        AwsError: ResourceInUseException where the service account has one.
    """
    for one in cluster.associations.values():
        if (one["namespace"], one["serviceAccount"]) == (namespace, account):
            raise in_use(
                f"Association already exists: {one['associationId']}", clusterName=cluster.name
            )
    letters = string.ascii_lowercase + string.digits
    key = "a-" + "".join(secrets.choice(letters) for _ in range(17))
    now = box.now()
    arn = f"arn:aws:eks:{cluster.region}:{box.settings.account}:podidentityassociation/{cluster.name}/{key}"
    described = {
        "clusterName": cluster.name,
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": role_arn,
        "associationArn": arn,
        "associationId": key,
        "tags": {},
        "createdAt": now,
        "modifiedAt": now,
        "disableSessionTags": False,
        **options,
    }
    cluster.associations[key] = described
    return described


def dissociate_owned(cluster: Cluster, owner_arn: str) -> None:
    """Delete the associations that an add-on owns."""
    kept = {
        key: one for key, one in cluster.associations.items() if one.get("ownerArn") != owner_arn
    }
    cluster.associations = kept


def _found(box: Box, call: Call) -> tuple[Cluster, dict[str, Any]]:
    cluster, key = cluster_of(box, call), call.params["associationId"]
    found = cluster.associations.get(key)
    if found is None:
        raise not_found(f"Association not found: {key}", clusterName=cluster.name)
    return cluster, found


def _refuse_owned(association: Mapping[str, Any]) -> None:
    if "ownerArn" in association:
        raise invalid_request(
            f"Association {association['associationId']} is owned by {association['ownerArn']} and is changed by it alone"
        )


OPERATIONS = {
    "CreatePodIdentityAssociation": create_pod_identity_association,
    "DescribePodIdentityAssociation": describe_pod_identity_association,
    "ListPodIdentityAssociations": list_pod_identity_associations,
    "UpdatePodIdentityAssociation": update_pod_identity_association,
    "DeletePodIdentityAssociation": delete_pod_identity_association,
}
