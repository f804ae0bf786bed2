"""Who a token of ``aws eks get-token`` belongs to, and who that is in Kubernetes.

A token is ``k8s-aws-v1.`` and, in base64, a presigned URL of sts:GetCallerIdentity that names the cluster in a signed header
(kubernetes-sigs/aws-iam-authenticator, pkg/token). EKS sends that URL to STS; here STS is in the same process, so its signature is
checked directly. The answer is a TokenReview (authentication.k8s.io/v1), which the cluster's API server asks for.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from lowtide.local.aws import credentials
from lowtide.local.aws.eks import access_policies
from lowtide.local.aws.eks.access_entries import entry_of, uses_entries
from lowtide.local.aws.eks.state import Cluster, find
from lowtide.local.aws.errors import AwsError
from lowtide.local.aws.front.sigv4 import ALGORITHM, Claim, Refused, SignedRequest, claim_of, verify
from lowtide.local.aws.service import Caller

if TYPE_CHECKING:
    from lowtide.local.aws.box import Box

_PREFIX = "k8s-aws-v1."
_CLUSTER_HEADER = "x-k8s-aws-id"
#: STS takes a presigned GetCallerIdentity for 15 minutes, whatever X-Amz-Expires says (aws-iam-authenticator, pkg/token).
_LIFE = dt.timedelta(minutes=15)
_SKEW = dt.timedelta(minutes=5)
_LONGEST_LIFE_S = 900
_FIELDS = frozenset(
    {
        "Action",
        "Version",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """A user of Kubernetes, as TokenReview's status shows one."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]

    def document(self) -> dict[str, Any]:
        """Return authentication.k8s.io/v1 UserInfo."""
        extra = {key: list(values) for key, values in self.extra.items()}
        return {
            "username": self.username,
            "uid": self.uid,
            "groups": list(self.groups),
            "extra": extra,
        }


def token_review(
    box: Box, region: str, name: str, secret: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    """Answer a TokenReview for a cluster whose secret is right.

    Raises:
        AwsError: the secret is not the cluster's, or there is no such cluster (which look the same).
    """
    with box.lock:
        cluster = find(box, region, name)
        expected = cluster.secret if cluster is not None else ""
        known = hmac.compare_digest(expected.encode(), secret.encode())
        if cluster is None or not known:
            raise AwsError("AccessDenied", "no such review", status=403)
        spec = body.get("spec")
        token = spec.get("token") if isinstance(spec, Mapping) else None
        user = verify_token(box, cluster, token) if isinstance(token, str) else None
    status: dict[str, Any] = {"authenticated": user is not None}
    if user is not None:
        status["user"] = user.document()
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}


def verify_token(box: Box, cluster: Cluster, token: str) -> UserInfo | None:
    """Return whom a token belongs to in a cluster; None for a token that is wrong, old, another cluster's, or nobody's there."""
    caller = _signer(box, cluster.name, token)
    return None if caller is None else _user(cluster, caller)


def _signer(box: Box, cluster: str, token: str) -> Caller | None:
    """Return who signed a token for the cluster."""
    request = _request(token, cluster)
    if request is None:
        return None
    try:
        claim = claim_of(request)
        found = credentials.find(box, claim.access_key_id)
        if found is None or not _is_fresh(claim, box.now()) or not _names_cluster(claim):
            return None
        if found.is_expired or not hmac.compare_digest(
            found.session_token.encode(), claim.token.encode()
        ):
            return None
        # The signature's own life is not STS's: it is checked as of the moment of signing.
        verify(request, claim, found.secret_access_key, now=claim.at)
    except Refused:
        return None
    return found.caller


def _request(token: str, cluster: str) -> SignedRequest | None:
    """Return the request that a token stands for, None when it is no GetCallerIdentity."""
    text = token.removeprefix(_PREFIX)
    if text == token:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        url = urlsplit(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
        pairs = parse_qsl(url.query, keep_blank_values=True, strict_parsing=True)
    except (ValueError, binascii.Error):
        return None
    fields = dict(pairs)
    plain = len(fields) == len(pairs) and set(fields) <= _FIELDS and url.path in {"", "/"}
    if not plain or fields.get("Action") != "GetCallerIdentity":
        return None
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        return None
    headers = (("host", url.netloc), (_CLUSTER_HEADER, cluster))
    return SignedRequest(method="GET", path=url.path or "/", query=url.query, headers=headers)


def _is_fresh(claim: Claim, now: dt.datetime) -> bool:
    in_time = claim.at - _SKEW <= now <= claim.at + _LIFE
    return in_time and claim.life_s is not None and claim.life_s <= _LONGEST_LIFE_S


def _names_cluster(claim: Claim) -> bool:
    """Return whether the cluster's name is signed; the signature then shows whether it is this cluster's."""
    return _CLUSTER_HEADER in claim.signed_headers and claim.service == "sts"


def _user(cluster: Cluster, caller: Caller) -> UserInfo | None:
    """Return who an IAM principal is in the cluster, by its access entry."""
    entry = entry_of(cluster, caller.arn)
    if entry is None or not (uses_entries(cluster) or entry.policies):
        return None
    described = entry.described
    session = caller.arn.rpartition("/")[2] if ":assumed-role/" in caller.arn else ""
    # A session name may hold an @, which Kubernetes' user names of roles have as a dash (aws-iam-authenticator).
    username = described["username"].replace("{{SessionName}}", session.replace("@", "-"))
    groups = [*described["kubernetesGroups"], *access_policies.groups(entry.policies.values())]
    return UserInfo(
        username=username,
        uid=f"aws-iam-authenticator:{caller.account}:{caller.user_id.partition(':')[0]}",
        groups=tuple(dict.fromkeys(groups)),
        extra={
            "accessKeyId": (caller.access_key_id,),
            "arn": (caller.arn,),
            "canonicalArn": (described["principalArn"],),
            "principalId": (caller.user_id.partition(":")[0],),
            "sessionName": (session,),
        },
    )
