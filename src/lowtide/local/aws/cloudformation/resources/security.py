"""Security groups and their rules.

Source of Ref and attributes: CloudFormation template reference, AWS::EC2::SecurityGroup*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lowtide.local.aws.cloudformation.resources.ec2_calls import retag, tagged
from lowtide.local.aws.cloudformation.resources.kind import Kind, Step, Work


def _create_group(work: Work) -> str:
    params = {
        "GroupName": work.properties.get("GroupName") or work.new_name(),
        "Description": work.properties["GroupDescription"],
        **work.given("VpcId"),
    }
    answer = work.call("ec2", "CreateSecurityGroup", **params, **tagged(work, "security-group"))
    return str(answer["GroupId"])


def _group_rules(work: Work, old: Mapping[str, Any] | None = None) -> list[Step]:
    """Return the calls that turn the old inline rules into the new ones."""
    before = old or {}
    steps = []
    for side, name in (("Ingress", "SecurityGroupIngress"), ("Egress", "SecurityGroupEgress")):
        had, has = before.get(name, []), work.properties.get(name, [])
        if name == "SecurityGroupEgress" and has and not had:
            # A group of its own rules loses the one that EC2 makes for everything.
            had = [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]
        steps += [
            *(_rule_step("Revoke", side, work.physical_id, one) for one in had if one not in has),
            *(
                _rule_step("Authorize", side, work.physical_id, one)
                for one in has
                if one not in had
            ),
        ]
    return steps


def _rule_step(verb: str, side: str, group: str, rule: Mapping[str, Any]) -> Step:
    return Step(
        service="ec2",
        operation=f"{verb}SecurityGroup{side}",
        params={"GroupId": group, "IpPermissions": [_permission(rule)]},
    )


def _permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Write a rule of a template as EC2's IpPermission."""
    permission: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    permission |= {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    told = {"Description": rule["Description"]} if "Description" in rule else {}
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    prefix_list = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if "CidrIp" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"], **told}]
    if "CidrIpv6" in rule:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **told}]
    if group:
        permission["UserIdGroupPairs"] = [{"GroupId": group, **told}]
    if prefix_list:
        permission["PrefixListIds"] = [{"PrefixListId": prefix_list, **told}]
    return permission


def _read_group(work: Work) -> dict[str, Any]:
    return {"GroupId": work.physical_id, "Id": work.physical_id, **work.given("VpcId")}


def _delete_group(work: Work) -> None:
    work.call("ec2", "DeleteSecurityGroup", GroupId=work.physical_id)


SECURITY_GROUP = Kind(
    create=_create_group,
    follow=_group_rules,
    update=_group_rules,
    retag=retag,
    read=_read_group,
    delete=_delete_group,
)


def _rule_kind(side: str) -> Kind:
    """Return the kind of one rule, Ingress or Egress."""

    def create(work: Work) -> str:
        answer = work.call(
            "ec2",
            f"AuthorizeSecurityGroup{side}",
            GroupId=work.properties["GroupId"],
            IpPermissions=[_permission(work.properties)],
        )
        return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def update(work: Work, _old: Mapping[str, Any]) -> list[Step]:
        told = {
            "SecurityGroupRuleId": work.physical_id,
            "Description": work.properties.get("Description", ""),
        }
        group = work.properties["GroupId"]
        return [
            Step(
                service="ec2",
                operation=f"UpdateSecurityGroupRuleDescriptions{side}",
                params={"GroupId": group, "SecurityGroupRuleDescriptions": [told]},
            )
        ]

    def delete(work: Work) -> None:
        work.call(
            "ec2",
            f"RevokeSecurityGroup{side}",
            GroupId=work.properties["GroupId"],
            SecurityGroupRuleIds=[work.physical_id],
        )

    return Kind(
        create=create, update=update, delete=delete, read=lambda work: {"Id": work.physical_id}
    )


# AWS::EC2::KeyPair and AWS::EC2::PlacementGroup


def _create_key(work: Work) -> str:
    name = str(work.properties["KeyName"])
    if "PublicKeyMaterial" in work.properties:
        material = str(work.properties["PublicKeyMaterial"]).encode()
        params = {"KeyName": name, "PublicKeyMaterial": material, **tagged(work, "key-pair")}
        work.call("ec2", "ImportKeyPair", **params)
    else:
        wanted = work.given("KeyName", "KeyType", "KeyFormat")
        work.call("ec2", "CreateKeyPair", **wanted, **tagged(work, "key-pair"))
    return name


def _read_key(work: Work) -> dict[str, Any]:
    found = work.call("ec2", "DescribeKeyPairs", KeyNames=[work.physical_id])["KeyPairs"][0]
    return {
        "KeyPairId": found.get("KeyPairId", ""),
        "KeyFingerprint": found.get("KeyFingerprint", ""),
    }


KEY_PAIR = Kind(
    create=_create_key,
    read=_read_key,
    delete=lambda work: _drop(work, "DeleteKeyPair", KeyName=work.physical_id),
)


def _create_placement(work: Work) -> str:
    name = work.new_name()
    wanted = work.given("Strategy", "PartitionCount", "SpreadLevel")
    work.call(
        "ec2", "CreatePlacementGroup", GroupName=name, **wanted, **tagged(work, "placement-group")
    )
    return name


def _drop(work: Work, operation: str, **params: Any) -> None:
    work.call("ec2", operation, **params)


PLACEMENT_GROUP = Kind(
    create=_create_placement,
    read=lambda work: {"GroupName": work.physical_id},
    delete=lambda work: _drop(work, "DeletePlacementGroup", GroupName=work.physical_id),
)

KINDS: Mapping[str, Kind] = {
    "AWS::EC2::KeyPair": KEY_PAIR,
    "AWS::EC2::PlacementGroup": PLACEMENT_GROUP,
    "AWS::EC2::SecurityGroup": SECURITY_GROUP,
    "AWS::EC2::SecurityGroupEgress": _rule_kind("Egress"),
    "AWS::EC2::SecurityGroupIngress": _rule_kind("Ingress"),
}
