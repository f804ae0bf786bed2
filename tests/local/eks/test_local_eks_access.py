from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lowtide.local.aws import credentials
from lowtide.local.aws.credentials import Credential
from lowtide.local.aws.eks import access
from lowtide.local.aws.eks.state import find
from lowtide.local.aws.errors import AwsError
from tests.local.eks.eks_box import REGION, Aws

VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
DEVELOPER = "arn:aws:iam::123456789012:role/team/developer"


def _url(
    key: Credential, cluster: str = "tide", *, secret: str = "", query: str = "", **headers: str
) -> str:
    """Presign as ``aws eks get-token`` does."""
    secret = secret or key.secret_access_key
    token = key.session_token or None
    request = AWSRequest(
        method="GET",
        url="http://127.0.0.1:4566/?Action=GetCallerIdentity&Version=2011-06-15" + query,
        headers=headers or {"x-k8s-aws-id": cluster},
    )
    signer = Credentials(key.access_key_id, secret, token)
    SigV4QueryAuth(signer, "sts", REGION, expires=60).add_auth(request)
    return str(request.url)


def _token(url: str) -> str:
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _review(aws: Aws, token: str, *, name: str = "tide", secret: str | None = None) -> Any:
    cluster = find(aws.box, REGION, name)
    assert cluster is not None
    body = {"kind": "TokenReview", "spec": {"token": token}}
    given = cluster.secret if secret is None else secret
    return access.token_review(aws.box, REGION, name, given, body)["status"]


def _key(aws: Aws, arn: str = "", **options: Any) -> Credential:
    return credentials.issue(aws.box, arn, **options) if arn else credentials.admin(aws.box)


def test_the_creators_token_is_the_administrators(aws: Aws) -> None:
    aws.active()

    status = _review(aws, _token(_url(_key(aws))))

    assert status["authenticated"] is True
    assert status["user"]["username"] == "arn:aws:iam::123456789012:user/lowtide"
    assert status["user"]["groups"] == ["system:masters"]
    assert status["user"]["extra"]["arn"] == ["arn:aws:iam::123456789012:user/lowtide"]


def test_a_creator_who_is_not_to_be_administrator_is_nobody(aws: Aws) -> None:
    aws.active(
        accessConfig={
            "authenticationMode": "API",
            "bootstrapClusterCreatorAdminPermissions": False,
        }
    )

    assert _review(aws, _token(_url(_key(aws)))) == {"authenticated": False}


def _forged(aws: Aws) -> Mapping[str, str]:
    key = _key(aws)
    url = _url(key)
    return {
        "another cluster's": _token(_url(key, "other")),
        "signed with another secret": _token(_url(key, secret="x" * 40)),
        "of an unknown key": _token(url.replace(key.access_key_id, "AKIAAAAAAAAAAAAAAAAA")),
        "without the cluster's header": _token(_url(key, **{"x-other": "1"})),
        "of another action": _token(url.replace("GetCallerIdentity", "GetSessionToken")),
        "with the action twice": _token(url + "&Action=GetCallerIdentity"),
        "with a field that is not STS's": _token(_url(key, query="&RoleArn=x")),
        "with a changed signature": _token(url[:-1] + ("0" if url[-1] != "0" else "1")),
        "with a longer life": _token(url.replace("X-Amz-Expires=60", "X-Amz-Expires=604800")),
        "of another path": _token(url.replace("4566/?", "4566/path?")),
        "without its prefix": _token(url).removeprefix("k8s-aws-v1."),
        "no base64": "k8s-aws-v1.!!!",
        "no URL": _token("not a url at all"),
        "empty": "",
    }


def test_no_forged_token_is_taken(aws: Aws) -> None:
    aws.active()

    taken = {name: _review(aws, token)["authenticated"] for name, token in _forged(aws).items()}

    assert len(taken) == 14
    assert not any(taken.values())


@pytest.mark.parametrize(
    ("minutes", "is_taken"), [(0, True), (14, True), (16, False), (-4, True), (-6, False)]
)
def test_a_token_lives_a_quarter_of_an_hour(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, minutes: int, is_taken: bool
) -> None:
    aws.active()
    token = _token(_url(_key(aws)))
    then = dt.datetime.now(tz=dt.UTC) + dt.timedelta(minutes=minutes)
    monkeypatch.setattr(aws.box, "now", lambda: then)

    assert _review(aws, token)["authenticated"] is is_taken


def test_a_wrong_secret_and_an_unknown_cluster_look_the_same(aws: Aws) -> None:
    aws.active()
    token = _token(_url(_key(aws)))

    with pytest.raises(AwsError) as wrong:
        _review(aws, token, secret="wrong")  # noqa: S106
    with pytest.raises(AwsError) as unknown:
        access.token_review(aws.box, REGION, "other", "", {"spec": {"token": token}})

    assert str(wrong.value) == str(unknown.value)


@pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {"token": 7}}, {"spec": []}])
def test_a_review_without_a_token_is_of_nobody(aws: Aws, body: dict[str, Any]) -> None:
    aws.active()
    cluster = find(aws.box, REGION, "tide")
    assert cluster is not None

    found = access.token_review(aws.box, REGION, "tide", cluster.secret, body)

    assert found["status"] == {"authenticated": False}


def test_a_session_of_a_role_with_a_path_is_found_by_its_entry(aws: Aws) -> None:
    aws.active()
    aws(
        "CreateAccessEntry",
        clusterName="tide",
        principalArn=DEVELOPER,
        kubernetesGroups=["developers"],
    )
    aws(
        "AssociateAccessPolicy",
        clusterName="tide",
        principalArn=DEVELOPER,
        policyArn=VIEW,
        accessScope={"type": "cluster"},
    )

    user = _review(aws, _token(_url(_key(aws, DEVELOPER, session="me@example.org"))))["user"]

    assert user["username"] == ("arn:aws:sts::123456789012:assumed-role/developer/me-example.org")
    assert user["groups"] == ["developers", "eks:access-policy:AmazonEKSViewPolicy"]
    binding = aws.objects.present["ClusterRoleBinding", "eks:access-policy:AmazonEKSViewPolicy"]
    assert binding["roleRef"]["name"] == "view"
    assert binding["subjects"][0]["name"] == "eks:access-policy:AmazonEKSViewPolicy"


def test_a_policy_for_namespaces_binds_one_group_in_each(aws: Aws) -> None:
    aws.active()
    aws("CreateAccessEntry", clusterName="tide", principalArn=DEVELOPER)
    aws(
        "AssociateAccessPolicy",
        clusterName="tide",
        principalArn=DEVELOPER,
        policyArn=VIEW.replace("View", "ClusterAdmin"),
        accessScope={"type": "namespace", "namespaces": ["ml"]},
    )

    user = _review(aws, _token(_url(_key(aws, DEVELOPER))))["user"]
    (binding,) = [one for (kind, _), one in aws.objects.present.items() if kind == "RoleBinding"]

    assert user["groups"] == [binding["subjects"][0]["name"]]
    assert binding["metadata"]["namespace"] == "ml"
    assert binding["roleRef"]["name"] == "cluster-admin"


def test_a_policy_that_was_taken_away_gives_nothing_any_more(aws: Aws) -> None:
    aws.active()
    asked = {"clusterName": "tide", "principalArn": DEVELOPER}
    aws("CreateAccessEntry", **asked)
    aws("AssociateAccessPolicy", policyArn=VIEW, accessScope={"type": "cluster"}, **asked)
    listed = aws("ListAssociatedAccessPolicies", **asked)["associatedAccessPolicies"]
    assert [one["policyArn"] for one in listed] == [VIEW]

    aws("DisassociateAccessPolicy", policyArn=VIEW, **asked)

    assert _review(aws, _token(_url(_key(aws, DEVELOPER))))["user"]["groups"] == []


def test_an_expired_session_is_nobody(aws: Aws) -> None:
    aws.active()
    aws("CreateAccessEntry", clusterName="tide", principalArn=DEVELOPER)

    token = _token(_url(_key(aws, DEVELOPER, lifetime_s=0.0)))

    assert _review(aws, token) == {"authenticated": False}


def test_a_session_of_sts_is_known_by_its_role(aws: Aws) -> None:
    aws.active()
    aws("CreateAccessEntry", clusterName="tide", principalArn=aws.node_role, username="helper")
    made = aws("AssumeRole", service="sts", RoleArn=aws.node_role, RoleSessionName="s")
    key = credentials.find(aws.box, made["Credentials"]["AccessKeyId"])
    assert key is not None

    assert _review(aws, _token(_url(key)))["user"]["username"] == "helper"


def test_entries_are_made_listed_changed_and_deleted(aws: Aws) -> None:
    aws.active()
    asked = {"clusterName": "tide", "principalArn": DEVELOPER}
    made = aws("CreateAccessEntry", tags={"a": "b"}, **asked)["accessEntry"]
    assert made["username"].endswith("assumed-role/developer/{{SessionName}}")

    aws("UpdateAccessEntry", username="dev", kubernetesGroups=["g"], **asked)
    found = aws("DescribeAccessEntry", **asked)["accessEntry"]
    assert (found["username"], found["kubernetesGroups"]) == ("dev", ["g"])
    assert DEVELOPER in aws("ListAccessEntries", clusterName="tide")["accessEntries"]
    tags = aws("ListTagsForResource", resourceArn=made["accessEntryArn"])["tags"]
    assert tags == {"a": "b"}

    aws("DeleteAccessEntry", **asked)
    with pytest.raises(AwsError, match="The specified principalArn could not be found"):
        aws("DescribeAccessEntry", **asked)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"principalArn": "arn:aws:sts::1:x"}, "invalid principal"),
        ({"kubernetesGroups": ["system:masters"]}, "cannot start with system:"),
        ({"type": "EC2_LINUX", "username": "x"}, "cannot be specified"),
        ({"type": "NONSENSE"}, "The specified type is invalid"),
    ],
)
def test_what_an_entry_cannot_be_is_refused(aws: Aws, params: dict[str, Any], words: str) -> None:
    aws.active()

    with pytest.raises(AwsError, match=words):
        aws("CreateAccessEntry", **{"clusterName": "tide", "principalArn": DEVELOPER, **params})


def test_a_cluster_of_config_maps_knows_no_entries_but_its_creator(aws: Aws) -> None:
    aws.active(accessConfig={"authenticationMode": "CONFIG_MAP"})

    with pytest.raises(AwsError, match="authentication mode must be set to one of"):
        aws("ListAccessEntries", clusterName="tide")
    assert _review(aws, _token(_url(_key(aws))))["user"]["groups"] == ["system:masters"]


def test_the_policies_that_are_listed_can_be_associated(aws: Aws) -> None:
    aws.active()
    asked = {"clusterName": "tide", "principalArn": DEVELOPER}
    aws("CreateAccessEntry", **asked)

    for one in aws("ListAccessPolicies")["accessPolicies"]:
        aws("AssociateAccessPolicy", policyArn=one["arn"], accessScope={"type": "cluster"}, **asked)

    with pytest.raises(AwsError, match="could not be found"):
        aws(
            "AssociateAccessPolicy",
            policyArn=f"{VIEW}Not",
            accessScope={"type": "cluster"},
            **asked,
        )
