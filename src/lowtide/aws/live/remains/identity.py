"""What is left in IAM, which knows no regions: the OIDC provider, roles and instance profiles that carry our tag.

Why it exists: a cluster of the same name may live in another region, and a role carries the cluster's name alone; so where something of
that kind is found, the other regions are asked before anybody takes it away.
"""

from __future__ import annotations

from collections.abc import Iterator

import boto3

from lowtide.aws.live.account import Account
from lowtide.aws.live.eks import find_cluster
from lowtide.aws.live.remains.asking import Asking, plain
from lowtide.aws.live.session import DENIED, ask
from lowtide.model.errors import AwsError
from lowtide.model.names import CLUSTER_TAG
from lowtide.model.remains import Remain

PROVIDER, ROLE, PROFILE = "OIDC provider", "role", "instance profile"
#: Kinds of which nobody can see to which region they belong.
WITHOUT_REGION = frozenset({ROLE, PROFILE})
_ABSENT = "NoSuchEntity"
_LONG_PAGES = {"PageSize": 1000}


def find_identities(asking: Asking) -> Iterator[Remain]:
    """Yield them; CloudFormation gives an instance profile no tags, so that is ours which holds a role of ours."""
    roles = list(_roles(asking))
    yield from _profiles(asking, frozenset(one.id for one in roles))
    yield from roles
    yield from _providers(asking)


def _roles(asking: Asking) -> Iterator[Remain]:
    for one in asking.every("iam", "list_roles", "Roles", PaginationConfig=_LONG_PAGES):
        name = one["RoleName"]
        if name.startswith(asking.name_prefix) and _is_ours(
            asking, "list_role_tags", RoleName=name
        ):
            yield _remain(asking, ROLE, name, f"delete-role --role-name {name}")


def _profiles(asking: Asking, roles: frozenset[str]) -> Iterator[Remain]:
    if not roles:
        return
    operation, answer = "list_instance_profiles", "InstanceProfiles"
    for one in asking.every("iam", operation, answer, PaginationConfig=_LONG_PAGES):
        if any(role["RoleName"] in roles for role in one["Roles"]):
            name = one["InstanceProfileName"]
            words = f"delete-instance-profile --instance-profile-name {name}"
            yield _remain(asking, PROFILE, name, words)


def _providers(asking: Asking) -> Iterator[Remain]:
    found = asking.every("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList")
    for one in found:
        arn = one["Arn"]
        if f".{asking.region}." in arn and _is_ours(
            asking, "list_open_id_connect_provider_tags", OpenIDConnectProviderArn=arn
        ):
            words = f"delete-open-id-connect-provider --open-id-connect-provider-arn {arn}"
            yield _remain(asking, PROVIDER, arn, words)


def _is_ours(asking: Asking, operation: str, **params: str) -> bool:
    try:
        answer = asking.ask("iam", operation, **params)
    except AwsError as error:
        if error.code == _ABSENT:  # it went between two calls
            return False
        raise
    return plain(answer.get("Tags", ())).get(CLUSTER_TAG) == asking.cluster


def _remain(asking: Asking, kind: str, resource: str, words: str) -> Remain:
    return Remain(
        kind=kind,
        id=resource,
        found_by=f"{CLUSTER_TAG}={asking.cluster}",
        command=f"aws iam {words}",
    )


def region_elsewhere(account: Account, cluster: str) -> str:
    """Return another region that has, or may have, a cluster of that name; empty where none has.

    Only regions that the account has enabled can (EC2 API reference, DescribeRegions), of its own partition, which has an IAM of its own;
    one that does not answer may have, and so may any where AWS denies that call.

    Raises:
        AwsError: AWS cannot be reached, or does not take the credentials.
    """
    try:
        enabled = ask(account.client("ec2").describe_regions)["Regions"]
    except AwsError as error:
        if error.code in DENIED:
            return "another region"
        raise
    partition_of = boto3.Session().get_partition_for_region
    for region in sorted({one["RegionName"] for one in enabled} - {account.region}):
        if partition_of(region) != partition_of(account.region):
            continue
        try:
            found = find_cluster(Account(region, account.profile), cluster)
        except AwsError:
            return str(region)
        if found is not None:
            return str(region)
    return ""
