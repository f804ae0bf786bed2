"""Roles, policies, instance profiles and OIDC providers.

Source of Ref and attributes: CloudFormation template reference, AWS::IAM::*.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work, changed, tag_list

#: IAM's limit of a role's or profile's name (IAM user guide, "Name requirements").
_ROLE_NAME = 64
#: What EKS's issuers are known by where a template gives no thumbprint: IAM fetches it then.
_THUMBPRINT = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"


def _step(operation: str, **params: Any) -> Step:
    return Step(service="iam", operation=operation, params=params)


def _document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# AWS::IAM::Role


def _create_role(work: Work) -> str:
    name = str(work.properties.get("RoleName") or work.new_name(_ROLE_NAME))
    work.call(
        "iam",
        "CreateRole",
        RoleName=name,
        AssumeRolePolicyDocument=_document(work.properties["AssumeRolePolicyDocument"]),
        Tags=tag_list(work.tags),
        **work.given("Description", "MaxSessionDuration", "Path", "PermissionsBoundary"),
    )
    return name


def _role_policies(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    """Return the calls that turn the old policies of a role into the new ones."""
    before, role = old or {}, work.physical_id
    had, has = before.get("ManagedPolicyArns", []), work.properties.get("ManagedPolicyArns", [])
    inline_had = {one["PolicyName"]: one["PolicyDocument"] for one in before.get("Policies", [])}
    inline = {
        one["PolicyName"]: one["PolicyDocument"] for one in work.properties.get("Policies", [])
    }
    put = [
        _step("PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=_document(policy))
        for name, policy in inline.items()
        if policy != inline_had.get(name)
    ]
    return [
        *(_step("AttachRolePolicy", RoleName=role, PolicyArn=one) for one in has if one not in had),
        *(_step("DetachRolePolicy", RoleName=role, PolicyArn=one) for one in had if one not in has),
        *put,
        *(
            _step("DeleteRolePolicy", RoleName=role, PolicyName=name)
            for name in inline_had
            if name not in inline
        ),
    ]


def _update_role(work: Work, old: Mapping[str, Any]) -> list[Step]:
    steps = []
    trust = changed(work, old, ["AssumeRolePolicyDocument"])
    if trust:
        document = _document(trust["AssumeRolePolicyDocument"])
        steps.append(
            _step("UpdateAssumeRolePolicy", RoleName=work.physical_id, PolicyDocument=document)
        )
    told = ("Description", "MaxSessionDuration")
    if any(work.properties.get(name) != old.get(name) for name in told):
        params = {"Description": work.properties.get("Description", "")}
        params |= work.given("MaxSessionDuration")
        steps.append(_step("UpdateRole", RoleName=work.physical_id, **params))
    return [*steps, *_role_policies(work, old)]


def _retag_role(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return _retag("Role", "RoleName", work.physical_id, added, removed)


def _retag(
    noun: str, parameter: str, name: str, added: Mapping[str, str], removed: Sequence[str]
) -> list[Step]:
    steps = []
    if added:
        steps.append(_step(f"Tag{noun}", **{parameter: name}, Tags=tag_list(added)))
    if removed:
        steps.append(_step(f"Untag{noun}", **{parameter: name}, TagKeys=list(removed)))
    return steps


def _read_role(work: Work) -> dict[str, Any]:
    role = work.call("iam", "GetRole", RoleName=work.physical_id)["Role"]
    return {"Arn": role["Arn"], "RoleId": role["RoleId"]}


def _delete_role(work: Work) -> None:
    name = work.physical_id
    for one in work.call("iam", "ListAttachedRolePolicies", RoleName=name)["AttachedPolicies"]:
        if one["PolicyArn"] in work.properties.get("ManagedPolicyArns", []):
            work.call("iam", "DetachRolePolicy", RoleName=name, PolicyArn=one["PolicyArn"])
    own = {one["PolicyName"] for one in work.properties.get("Policies", [])}
    for policy in work.call("iam", "ListRolePolicies", RoleName=name)["PolicyNames"]:
        if policy in own:
            work.call("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy)
    work.call("iam", "DeleteRole", RoleName=name)


ROLE = Kind(
    create=_create_role,
    follow=_role_policies,
    update=_update_role,
    retag=_retag_role,
    read=_read_role,
    delete=_delete_role,
    delay="role_s",
)


# AWS::IAM::InstanceProfile


def _create_profile(work: Work) -> str:
    name = str(work.properties.get("InstanceProfileName") or work.new_name())
    work.call("iam", "CreateInstanceProfile", InstanceProfileName=name, **work.given("Path"))
    return name


def _profile_roles(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    had, has = (old or {}).get("Roles", []), work.properties["Roles"]
    profile = {"InstanceProfileName": work.physical_id}
    return [
        *(
            _step("RemoveRoleFromInstanceProfile", **profile, RoleName=one)
            for one in had
            if one not in has
        ),
        *(
            _step("AddRoleToInstanceProfile", **profile, RoleName=one)
            for one in has
            if one not in had
        ),
    ]


def _read_profile(work: Work) -> dict[str, Any]:
    answer = work.call("iam", "GetInstanceProfile", InstanceProfileName=work.physical_id)
    return {"Arn": answer["InstanceProfile"]["Arn"]}


def _delete_profile(work: Work) -> None:
    name = work.physical_id
    answer = work.call("iam", "GetInstanceProfile", InstanceProfileName=name)
    for role in answer["InstanceProfile"]["Roles"]:
        work.call(
            "iam",
            "RemoveRoleFromInstanceProfile",
            InstanceProfileName=name,
            RoleName=role["RoleName"],
        )
    work.call("iam", "DeleteInstanceProfile", InstanceProfileName=name)


INSTANCE_PROFILE = Kind(
    create=_create_profile,
    follow=_profile_roles,
    update=_profile_roles,
    read=_read_profile,
    delete=_delete_profile,
    delay="role_s",
)


# AWS::IAM::OIDCProvider


def _create_provider(work: Work) -> str:
    answer = work.call(
        "iam",
        "CreateOpenIDConnectProvider",
        Url=work.properties["Url"],
        ClientIDList=work.properties.get("ClientIdList", []),
        ThumbprintList=work.properties.get("ThumbprintList") or [_THUMBPRINT],
        Tags=tag_list(work.tags),
    )
    return str(answer["OpenIDConnectProviderArn"])


def _update_provider(work: Work, old: Mapping[str, Any]) -> list[Step]:
    arn = {"OpenIDConnectProviderArn": work.physical_id}
    had, has = old.get("ClientIdList", []), work.properties.get("ClientIdList", [])
    steps = [
        *(
            _step("AddClientIDToOpenIDConnectProvider", **arn, ClientID=one)
            for one in has
            if one not in had
        ),
        *(
            _step("RemoveClientIDFromOpenIDConnectProvider", **arn, ClientID=one)
            for one in had
            if one not in has
        ),
    ]
    prints = changed(work, old, ["ThumbprintList"])
    return [
        *steps,
        *([_step("UpdateOpenIDConnectProviderThumbprint", **arn, **prints)] if prints else []),
    ]


def _retag_provider(work: Work, added: Mapping[str, str], removed: Sequence[str]) -> list[Step]:
    return _retag(
        "OpenIDConnectProvider", "OpenIDConnectProviderArn", work.physical_id, added, removed
    )


def _delete_provider(work: Work) -> None:
    work.call("iam", "DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=work.physical_id)


OIDC_PROVIDER = Kind(
    create=_create_provider,
    update=_update_provider,
    retag=_retag_provider,
    read=lambda work: {"Arn": work.physical_id},
    delete=_delete_provider,
)


# AWS::IAM::ManagedPolicy


def _create_policy(work: Work) -> str:
    answer = work.call(
        "iam",
        "CreatePolicy",
        PolicyName=work.properties.get("ManagedPolicyName") or work.new_name(),
        PolicyDocument=_document(work.properties["PolicyDocument"]),
        **work.given("Description", "Path"),
    )
    return str(answer["Policy"]["Arn"])


def _attach_policy(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    had, has = (old or {}).get("Roles", []), work.properties.get("Roles", [])
    arn = work.physical_id
    return [
        *(_step("AttachRolePolicy", RoleName=one, PolicyArn=arn) for one in has if one not in had),
        *(_step("DetachRolePolicy", RoleName=one, PolicyArn=arn) for one in had if one not in has),
    ]


def _update_policy(work: Work, old: Mapping[str, Any]) -> list[Step]:
    steps = _attach_policy(work, old)
    document = changed(work, old, ["PolicyDocument"])
    if document:
        text = _document(document["PolicyDocument"])
        params = {"PolicyArn": work.physical_id, "PolicyDocument": text, "SetAsDefault": True}
        steps.append(_step("CreatePolicyVersion", **params))
    return steps


def _delete_policy(work: Work) -> None:
    arn = work.physical_id
    for role in work.properties.get("Roles", []):
        work.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)
    for one in work.call("iam", "ListPolicyVersions", PolicyArn=arn)["Versions"]:
        if not one["IsDefaultVersion"]:
            work.call("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=one["VersionId"])
    work.call("iam", "DeletePolicy", PolicyArn=arn)


MANAGED_POLICY = Kind(
    create=_create_policy,
    follow=_attach_policy,
    update=_update_policy,
    read=lambda work: {"PolicyArn": work.physical_id},
    delete=_delete_policy,
)

KINDS: Mapping[str, Kind] = {
    "AWS::IAM::InstanceProfile": INSTANCE_PROFILE,
    "AWS::IAM::ManagedPolicy": MANAGED_POLICY,
    "AWS::IAM::OIDCProvider": OIDC_PROVIDER,
    "AWS::IAM::Role": ROLE,
}
