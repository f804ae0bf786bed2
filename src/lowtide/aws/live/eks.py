"""An EKS cluster as EKS shows it, and tokens for its API server.

Why it exists: everything that works inside a cluster needs its address, its certificate authority and a token of EKS, without the AWS CLI
being installed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.aws.live import session
from lowtide.aws.live.account import Account
from lowtide.aws.live.paging import pages
from lowtide.aws.live.session import ask
from lowtide.model import names
from lowtide.model.errors import AwsError

_CLUSTER_HEADER = "x-k8s-aws-id"
_TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - public, as every token begins so
#: The URL in a token is taken for that long by STS; EKS lets the token live 15 minutes (aws-iam-authenticator, pkg/token).
_URL_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCluster:
    """An EKS cluster. ``ca`` is its certificate authority in base64; both it and ``endpoint`` are empty while it is created."""

    name: str
    arn: str
    status: str
    version: str
    endpoint: str = ""
    ca: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    is_protected: bool = False
    #: The id of its VPC.
    network: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether lowtide made it."""
        return self.tags.get(names.CLUSTER_TAG) == self.name

    @property
    def is_of_eksctl(self) -> bool:
        """Whether eksctl made it."""
        return names.EKSCTL_CLUSTER in self.tags


def find_cluster(account: Account, name: str) -> LiveCluster | None:
    """Return the cluster of that name, None where there is none.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    try:
        answer = ask(account.client("eks").describe_cluster, name=name)
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    if (
        "cluster" not in answer
    ):  # botocore takes any page that a web server answers for an empty answer
        raise session.not_aws("DescribeCluster", "the answer holds no cluster")
    raw = answer["cluster"]
    return LiveCluster(
        name=raw["name"],
        arn=raw["arn"],
        status=raw["status"],
        version=raw.get("version", ""),
        endpoint=raw.get("endpoint", ""),
        ca=raw.get("certificateAuthority", {}).get("data", ""),
        tags=raw.get("tags", {}),
        is_protected=raw.get("deletionProtection", False),
        network=raw.get("resourcesVpcConfig", {}).get("vpcId", ""),
    )


def cluster_names(account: Account) -> tuple[str, ...]:
    """Return the names of all clusters of the region, whoever made them.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    answers = pages(account.client("eks").list_clusters, token="nextToken")  # noqa: S106 - a field's name
    return tuple(name for page in answers for name in page["clusters"])


def protect(account: Account, name: str, *, is_on: bool) -> None:
    """Set whether DeleteCluster is refused.

    Raises:
        AwsError: AWS refused, or could not be reached.
    """
    ask(account.client("eks").update_cluster_config, name=name, deletionProtection=is_on)


class Tokens:
    """Tokens for the API server of one cluster, as ``aws eks get-token`` makes them."""

    def __init__(self, account: Account, cluster: str) -> None:
        self._sts = session.client("sts", region=account.region, profile=account.profile)

        def name_the_cluster(request: Any, **_: Any) -> None:
            request.headers[_CLUSTER_HEADER] = (
                cluster  # signed with the rest, so that it serves no other cluster
            )

        self._sts.meta.events.register("before-sign.sts.GetCallerIdentity", name_the_cluster)

    def new(self) -> str:
        """Return a token that is good for 15 minutes.

        Raises:
            AwsError: there are no credentials to sign it with.
        """
        url: str = ask(
            self._sts.generate_presigned_url,
            ClientMethod="get_caller_identity",
            Params={},
            ExpiresIn=_URL_S,
            HttpMethod="GET",
        )
        return _TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
