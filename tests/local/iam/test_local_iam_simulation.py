"""May this principal do that? The embedded IAM answers by the policies that it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lowtide.local.aws import credentials
from lowtide.local.aws.errors import AwsError
from tests.local.ec2.ec2_box import Aws

TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'


def _iam(aws: Aws, operation: str, **params: Any) -> dict[str, Any]:
    return aws(operation, service="iam", **params)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def _role(aws: Aws, *inline: str, **params: Any) -> str:
    role = _iam(aws, "CreateRole", RoleName="one", AssumeRolePolicyDocument=TRUST, **params)
    for number, document in enumerate(inline):
        name = f"p{number}"
        _iam(aws, "PutRolePolicy", RoleName="one", PolicyName=name, PolicyDocument=document)
    found: str = role["Role"]["Arn"]
    return found


def _decisions(aws: Aws, arn: str, *actions: str, **more: Any) -> dict[str, str]:
    answer = _iam(
        aws, "SimulatePrincipalPolicy", PolicySourceArn=arn, ActionNames=list(actions), **more
    )
    return {one["EvalActionName"]: one["EvalDecision"] for one in answer["EvaluationResults"]}


def test_the_boxs_own_user_may_do_everything(aws: Aws) -> None:
    arn = credentials.admin(aws.box).caller.arn
    assert set(_decisions(aws, arn, "ec2:RunInstances", "eks:CreateCluster").values()) == {
        "allowed"
    }


def test_a_deny_wins_and_what_nobody_allows_is_implicitly_denied(aws: Aws) -> None:
    arn = _role(
        aws,
        _policy(_allow("ec2:*", "eks:Describe*")),
        _policy({"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*"}),
    )
    assert _decisions(
        aws, arn, "ec2:DescribeVpcs", "ec2:RunInstances", "EKS:describecluster", "eks:DeleteCluster"
    ) == {
        "ec2:DescribeVpcs": "allowed",
        "ec2:RunInstances": "explicitDeny",
        "EKS:describecluster": "allowed",
        "eks:DeleteCluster": "implicitDeny",
    }


def test_a_permissions_boundary_limits_what_policies_allow(aws: Aws) -> None:
    limit = _iam(aws, "CreatePolicy", PolicyName="limit", PolicyDocument=_policy(_allow("eks:*")))[
        "Policy"
    ]["Arn"]
    arn = _role(aws, _policy(_allow("*")), PermissionsBoundary=limit)
    assert _decisions(aws, arn, "eks:ListClusters", "ec2:RunInstances") == {
        "eks:ListClusters": "allowed",
        "ec2:RunInstances": "implicitDeny",
    }


def test_managed_policies_of_aws_and_of_groups_count(aws: Aws) -> None:
    arn = _iam(aws, "CreateUser", UserName="ann")["User"]["Arn"]
    assert _decisions(aws, arn, "ec2:DescribeVpcs") == {"ec2:DescribeVpcs": "implicitDeny"}
    _iam(aws, "CreateGroup", GroupName="readers")
    readers = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"
    _iam(aws, "AttachGroupPolicy", GroupName="readers", PolicyArn=readers)
    _iam(aws, "AddUserToGroup", GroupName="readers", UserName="ann")
    assert _decisions(aws, arn, "ec2:DescribeVpcs") == {"ec2:DescribeVpcs": "allowed"}


def test_conditions_are_looked_at_and_keys_that_are_missing_are_named(aws: Aws) -> None:
    only_here = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    arn = _role(aws, _policy(_allow("ec2:RunInstances", Condition=only_here)))
    answer = _iam(
        aws,
        "SimulatePrincipalPolicy",
        PolicySourceArn=arn,
        ActionNames=["ec2:RunInstances"],
    )["EvaluationResults"][0]
    assert answer["EvalDecision"] == "implicitDeny"
    assert answer["MissingContextValues"] == ["aws:RequestedRegion"]

    def given(region: str) -> dict[str, str]:
        entry = {
            "ContextKeyName": "aws:RequestedRegion",
            "ContextKeyType": "string",
            "ContextKeyValues": [region],
        }
        return _decisions(aws, arn, "ec2:RunInstances", ContextEntries=[entry])

    assert given("us-east-1") == {"ec2:RunInstances": "allowed"}
    assert given("eu-west-1") == {"ec2:RunInstances": "implicitDeny"}


def test_resources_are_told_apart(aws: Aws) -> None:
    mine, other = (f"arn:aws:eks:us-east-1:123456789012:cluster/{one}" for one in ("mine", "other"))
    arn = _role(aws, _policy({"Effect": "Allow", "Action": "eks:*", "Resource": mine}))
    answer = _iam(
        aws,
        "SimulatePrincipalPolicy",
        PolicySourceArn=arn,
        ActionNames=["eks:DeleteCluster"],
        ResourceArns=[mine, other],
    )
    assert {
        one["EvalResourceName"]: one["EvalDecision"] for one in answer["EvaluationResults"]
    } == {mine: "allowed", other: "implicitDeny"}


def test_policies_that_nobody_has_can_be_tried(aws: Aws) -> None:
    answer = _iam(
        aws,
        "SimulateCustomPolicy",
        PolicyInputList=[_policy(_allow("sqs:*"))],
        PermissionsBoundaryPolicyInputList=[_policy(_allow("sqs:Send*"))],
        ActionNames=["sqs:SendMessage", "sqs:DeleteQueue"],
    )
    assert [one["EvalDecision"] for one in answer["EvaluationResults"]] == [
        "allowed",
        "implicitDeny",
    ]


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"Statement":["x"]}', '{"Statement":{"Effect":"Maybe","Action":"a:b"}}', '{"Statement":{"Effect":"Allow"}}', '{"Statement":{"Effect":"Allow","Action":[1]}}', '{"Statement":{"Effect":"Allow","Action":"a:b","Condition":[]}}']
)  # fmt: skip
def test_what_is_no_policy_is_refused(aws: Aws, text: str) -> None:
    with pytest.raises(AwsError) as refused:
        _iam(aws, "SimulateCustomPolicy", PolicyInputList=[text], ActionNames=["a:b"])
    assert refused.value.code == "InvalidInput"


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:iam::123456789012:role/none", "NoSuchEntity"),
        ("arn:aws:s3:::bucket", "InvalidInput"),
    ],
)
def test_a_principal_that_is_not_there_is_refused(aws: Aws, arn: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        _decisions(aws, arn, "a:b")
    assert refused.value.code == code


def test_an_identity_provider_is_kept_for_a_clusters_issuer(aws: Aws) -> None:
    url = "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    made = _iam(aws, "CreateOpenIDConnectProvider", Url=url, ClientIDList=["sts.amazonaws.com"])[
        "OpenIDConnectProviderArn"
    ]
    found = _iam(aws, "GetOpenIDConnectProvider", OpenIDConnectProviderArn=made)
    assert found["ClientIDList"] == ["sts.amazonaws.com"]
    assert f"https://{found['Url'].removeprefix('https://')}" == url
    listed = _iam(aws, "ListOpenIDConnectProviders")["OpenIDConnectProviderList"]
    assert [one["Arn"] for one in listed] == [made]
    _iam(aws, "DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=made)
    assert _iam(aws, "ListOpenIDConnectProviders")["OpenIDConnectProviderList"] == []


def test_a_second_service_linked_role_is_refused_in_iams_words(aws: Aws) -> None:
    wanted = {"AWSServiceName": "spot.amazonaws.com"}
    _iam(aws, "CreateServiceLinkedRole", **wanted)
    with pytest.raises(AwsError, match="has been taken in this account"):
        _iam(aws, "CreateServiceLinkedRole", **wanted)
    with pytest.raises(AwsError, match="Service Name is invalid"):
        _iam(aws, "CreateServiceLinkedRole", AWSServiceName="x")


def test_the_boxs_user_is_known_to_iam_and_to_sts(aws: Aws) -> None:
    user = _iam(aws, "GetUser")["User"]
    assert user["UserName"] == "lowtide"
    assert aws("GetCallerIdentity", service="sts")["Arn"] == user["Arn"]
    with pytest.raises(AwsError) as refused:
        _iam(aws, "GetUser", UserName="nobody")
    assert refused.value.code == "NoSuchEntity"


def test_a_session_of_a_role_is_the_one_that_asks(aws: Aws) -> None:
    arn = _role(aws)
    session = aws("AssumeRole", service="sts", RoleArn=arn, RoleSessionName="s")
    found = credentials.find(aws.box, session["Credentials"]["AccessKeyId"])
    assert found is not None
    assert found.caller.arn == "arn:aws:sts::123456789012:assumed-role/one/s"
    assert found.session_token == session["Credentials"]["SessionToken"]
