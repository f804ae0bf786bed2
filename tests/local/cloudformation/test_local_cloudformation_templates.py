"""Templates are read, checked and evaluated as CloudFormation does, and refused in its words."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.cloudformation.schemas import typed, violations
from lowtide.local.aws.cloudformation.template.capabilities import demand, needed
from lowtide.local.aws.cloudformation.template.checking import check
from lowtide.local.aws.cloudformation.template.dependencies import dependencies
from lowtide.local.aws.cloudformation.template.intrinsics import conditions, evaluate
from lowtide.local.aws.cloudformation.template.parameters import parameters
from lowtide.local.aws.cloudformation.template.reading import BODY_LIMIT_BYTES, read
from lowtide.local.aws.cloudformation.template.scope import Made, Scope, pseudo_parameters
from lowtide.local.aws.errors import AwsError

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
ZONES = {"us-east-1": ["us-east-1a", "us-east-1b"], "eu-west-1": ["eu-west-1a"]}


def scope(**parts: Any) -> Scope:
    pseudo = pseudo_parameters("us-east-1", "123456789012", "arn:stack", "tide", [])
    return Scope(pseudo=pseudo, zones=lambda region: ZONES[region], **parts)


def refused(template: Any) -> str:
    with pytest.raises(AwsError) as error:
        check(read(template) if isinstance(template, str) else template)
    assert error.value.code == "ValidationError"
    return error.value.message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"Fn::Join": ["-", ["a", 1, True]]}, "a-1-true"),
        ({"Fn::Select": ["1", ["a", "b"]]}, "b"),
        ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::Sub": "${AWS::Region}/${Vpc}/${Vpc.Arn}/${!Left}/${X}"}, None),
        ({"Fn::Sub": ["${X}-${Vpc.Arn}-${!Left}", {"X": {"Ref": "AWS::StackName"}}]}, "tide-arn:v-${Left}"),
        ({"Fn::GetAtt": ["Vpc", "Arn"]}, "arn:v"),
        ({"Fn::GetAtt": "Vpc.Arn"}, "arn:v"),
        ({"Ref": "Vpc"}, "vpc-1"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, "t3"),
        ({"Fn::If": ["Yes", "a", {"Ref": "Nowhere"}]}, "a"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::Cidr": ["10.0.0.0/16", "3", "12"]}, ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]),
        ({"Fn::Select": [1, {"Fn::Cidr": ["2001:db8::/56", 2, 64]}]}, "2001:db8:0:1::/64"),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b"]),
        ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, ["us-east-1a", "us-east-1b"]),
        ({"Fn::GetAZs": "eu-west-1"}, ["eu-west-1a"]),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Fn::Equals": [1, "1"]}, True),
    ],
)  # fmt: skip
def test_every_intrinsic_function_yields_its_value(written: Any, meant: Any) -> None:
    found = scope(
        mappings={"Sizes": {"us-east-1": {"small": "t3"}}},
        conditions={"Yes": True},
        resources={"Vpc": Made(physical_id="vpc-1", attributes={"Arn": "arn:v"})},
        parameters={"X": "x"},
    )
    if meant is None:
        meant = "us-east-1/vpc-1/arn:v/${Left}/x"
    assert evaluate(written, found) == meant


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"Fn::Select": [2, ["a", "b"]]}, "cannot select nonexistent value at index 2"),
        ({"Fn::Select": ["\N{SUPERSCRIPT TWO}", ["a", "b"]]}, "requires two parameters, the index and the list"),
        ({"Fn::FindInMap": ["Sizes", "x", "y"]}, "Mapping named 'Sizes' is not present"),
        ({"Fn::GetAtt": ["Vpc", "Colour"]}, "resource Vpc does not support attribute type Colour"),
        ({"Fn::Cidr": ["10.0.0.0/24", 300, 8]}, "cannot cut 300 blocks"),
        ({"Fn::Cidr": ["10.0.0.0/24", 4, 9]}, None),
        ({"Fn::Cidr": ["word", 1, 8]}, "cannot cut"),
        ({"Fn::Cidr": ["10.0.0.0/24", float("inf"), 8]}, "cannot cut inf blocks"),
        ({"Fn::Cidr": ["10.0.0.0/24", 1, float("nan")]}, "of nan bits"),
        ({"Fn::Split": ["", "text"]}, "every Fn::Split object requires two parameters"),
        ({"Fn::Join": ["-", "text"]}, "every Fn::Join object requires two parameters"),
        ({"Fn::ImportValue": "nobody"}, "No export named nobody found"),
    ],
)  # fmt: skip
def test_a_function_that_cannot_be_done_says_why_in_cloudformations_words(
    written: Any, words: str | None
) -> None:
    found = scope(resources={"Vpc": Made(physical_id="vpc-1")})
    with pytest.raises(AwsError) as error:
        evaluate(written, found)
    assert error.value.code == "ValidationError"
    assert (words or "cannot cut 4 blocks") in error.value.message


def test_conditions_may_use_one_another_and_parameters() -> None:
    declared = {
        "Conditions": {
            "Both": {"Fn::And": [{"Condition": "Big"}, {"Fn::Not": [{"Condition": "Small"}]}]},
            "Big": {"Fn::Equals": [{"Ref": "Size"}, "big"]},
            "Small": {"Fn::Or": [{"Fn::Equals": ["a", "b"]}, {"Fn::Equals": [{"Ref": "Size"}, "s"]}]},
        }
    }  # fmt: skip
    found = conditions(declared, scope(parameters={"Size": "big"}))
    assert found == {"Both": True, "Big": True, "Small": False}


def test_conditions_in_a_ring_are_refused() -> None:
    ring = {"A": {"Fn::Not": [{"Condition": "B"}]}, "B": {"Fn::Not": [{"Condition": "A"}]}}
    with pytest.raises(AwsError, match="Circular dependency between conditions"):
        conditions({"Conditions": ring}, scope())


def test_short_tags_of_yaml_are_the_long_functions() -> None:
    read_back = read(
        "Resources:\n  A:\n    Type: T\n    Properties:\n"
        "      a: !Ref B\n      b: !GetAtt B.C.D\n      c: !Sub '${B}'\n      d: !If [X, 1, 2]\n"
        "      e: !Join ['', [!Ref B]]\n      f: !Cidr [!GetAtt V.CidrBlock, 2, 8]\n"
        "      g: !Select [0, !GetAZs '']\n      h: 2026-01-01\n      i: !Base64\n        Fn::Sub: x\n"
    )["Resources"]["A"]["Properties"]
    assert read_back == {
        "a": {"Ref": "B"},
        "b": {"Fn::GetAtt": ["B", "C.D"]},
        "c": {"Fn::Sub": "${B}"},
        "d": {"Fn::If": ["X", 1, 2]},
        "e": {"Fn::Join": ["", [{"Ref": "B"}]]},
        "f": {"Fn::Cidr": [{"Fn::GetAtt": ["V", "CidrBlock"]}, 2, 8]},
        "g": {"Fn::Select": [0, {"Fn::GetAZs": ""}]},
        "h": "2026-01-01",
        "i": {"Fn::Base64": {"Fn::Sub": "x"}},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Resources: [", "YAML not well-formed. (line 1"),
        ("{", "JSON not well-formed"),
        ("- a", "unsupported structure"),
        ("A: &x 1\nB: *x", "YAML aliases are not allowed"),
        ("A: 1\nA: 2", "YAML not well-formed"),
        ("A: !Unknown 1", "YAML not well-formed"),
        ("A: !!python/object:os.system x", "YAML not well-formed"),
        ("[" * 5000, "Template format error"),
        (" " * (BODY_LIMIT_BYTES + 1), "less than or equal to 51200"),
        ("", "greater than or equal to 1"),
    ],
)
def test_a_text_that_is_no_template_is_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(AwsError) as error:
        read(text)
    assert words in error.value.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Colours": {}}, "Invalid template property or properties [Colours]"),
        ({"Resources": {}}, "At least one Resources member must be defined"),
        ({"AWSTemplateFormatVersion": "2020-01-01"}, "is not a supported value for AWSTemplateFormatVersion"),
        ({"Resources": {"A": {"Type": "AWS::EC2::Spaceship"}}}, "Unrecognized resource types: [AWS::EC2::Spaceship]"),
        ({"Resources": {"A_b": VPC}}, "Resource name A_b is non alphanumeric"),
        ({"Resources": {"A": {"Properties": {}}}}, "must contain a Type member"),
        ({"Resources": {"A": {**VPC, "Colour": 1}}}, "Invalid template resource property 'Colour'"),
        ({"Resources": {"A": {**VPC, "DependsOn": "B"}}}, "Unresolved resource dependencies [B] in the Resources block"),
        ({"Resources": {"A": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": {"Ref": "B"}}}}}, "Unresolved resource dependencies [B]"),
        ({"Outputs": {"O": {"Value": {"Ref": "B"}}}}, "Unresolved resource dependencies [B] in the Outputs block"),
        ({"Outputs": {"O": {"Value": {"Fn::GetAtt": ["A", "Colour"]}}}}, "does not support attribute type Colour"),
        ({"Outputs": {"O": {}}}, "Every Outputs member must contain a Value object"),
        ({"Resources": {"A": {**VPC, "Condition": "No"}}}, "Unresolved condition dependencies [No]"),
        ({"Outputs": {"O": {"Value": {"Fn::Sbu": "x"}}}}, "Encountered unsupported function: Fn::Sbu"),
        ({"Outputs": {"O": {"Value": {"Fn::Join": "x"}}}}, "every Fn::Join object requires two parameters"),
        ({"Parameters": {"P": {"Type": "Colour"}}}, "Unrecognized parameter type: Colour"),
        ({"Parameters": {"P": {}}}, "Every Parameters object must contain a Type member"),
        ({"Transform": "AWS::Serverless-2016-10-31"}, "No transform named AWS::Serverless-2016-10-31 found"),
        ({"Outputs": {f"O{n}": {"Value": "x"} for n in range(201)}}, "greater than maximum allowed, 200"),
        ({"Parameters": {f"P{n}": {"Type": "String"} for n in range(201)}}, "greater than maximum allowed, 200"),
        ({"Resources": {f"A{n}": VPC for n in range(501)}}, "greater than maximum allowed, 500"),
    ],
)  # fmt: skip
def test_a_template_that_can_be_no_stack_is_refused_before_anything_is_made(
    change: dict[str, Any], words: str
) -> None:
    assert words in refused({"Resources": {"A": VPC}, **change})


def test_resources_in_a_ring_are_refused_by_name() -> None:
    def group(other: str) -> dict[str, Any]:
        properties = {"GroupDescription": {"Fn::Sub": f"of ${{{other}}}"}}
        return {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}

    ring = {"A": group("B"), "B": group("A"), "C": {**VPC, "DependsOn": "A"}}
    assert refused({"Resources": ring}) == "Circular dependency between resources: [A, B]"


def test_references_and_depends_on_are_dependencies() -> None:
    resources: dict[str, Any] = {
        "Vpc": VPC,
        "Gate": {"Type": "AWS::EC2::InternetGateway", "DependsOn": ["Vpc"]},
        "Tie": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Fn::GetAtt": "Gate.InternetGatewayId"}},
        },
        "Note": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Fn::Sub": "${Tie} ${AWS::Region}"}}},
    }  # fmt: skip
    assert dependencies(resources) == {
        "Vpc": frozenset(),
        "Gate": {"Vpc"},
        "Tie": {"Vpc", "Gate"},
        "Note": {"Tie"},
    }


def test_parameters_come_from_the_caller_the_default_and_the_parameter_store() -> None:
    declared = {
        "Parameters": {
            "Size": {"Type": "Number", "Default": 3},
            "Zones": {"Type": "CommaDelimitedList"},
            "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/ami"},
            "Secret": {"Type": "String", "NoEcho": True},
        }
    }
    found = parameters(declared, {"Zones": "a, b", "Secret": "s"}, {"/ami": "ami-1"}.__getitem__)
    assert {name: one.value for name, one in found.items()} == {
        "Size": "3",
        "Zones": ["a", "b"],
        "Image": "ami-1",
        "Secret": "s",
    }
    assert (found["Image"].text, found["Image"].resolved) == ("/ami", "ami-1")
    assert found["Secret"].shown() == "****"


@pytest.mark.parametrize(
    ("declared", "given", "words"),
    [
        ({"Type": "String"}, {}, "Parameters: [P] must have values"),
        ({"Type": "String"}, {"P": "x", "Q": "y"}, "Parameters: [Q] do not exist in the template"),
        ({"Type": "Number"}, {"P": "x"}, "Parameter 'P' must be a number"),
        ({"Type": "Number", "MaxValue": 3}, {"P": "4"}, "must be a number not greater than 3"),
        ({"Type": "Number", "MinValue": 3}, {"P": "2"}, "must be a number not less than 3"),
        ({"Type": "String", "AllowedValues": ["a"]}, {"P": "b"}, "must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, {"P": "B"}, "must match pattern [a-z]+"),
        ({"Type": "String", "MinLength": 2}, {"P": "a"}, "must contain at least 2 characters"),
        ({"Type": "String", "MaxLength": 1}, {"P": "ab"}, "must contain at most 1 characters"),
    ],
)
def test_a_parameter_that_its_declaration_does_not_allow_is_refused(
    declared: dict[str, Any], given: dict[str, str], words: str
) -> None:
    with pytest.raises(AwsError) as error:
        parameters({"Parameters": {"P": declared}}, given, str)
    assert words in error.value.message


def test_capabilities_are_asked_for_iam_resources_and_their_names() -> None:
    role: dict[str, Any] = {"Type": "AWS::IAM::Role", "Properties": {}}
    named = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x"}}
    assert needed({"Resources": {"A": VPC}}) == ([], "")
    assert needed({"Resources": {"A": role}})[0] == ["CAPABILITY_IAM"]
    assert needed({"Resources": {"A": role, "B": named}})[0] == ["CAPABILITY_NAMED_IAM"]
    demand({"Resources": {"A": role}}, ["CAPABILITY_NAMED_IAM"])
    with pytest.raises(AwsError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]") as no:
        demand({"Resources": {"A": named}}, ["CAPABILITY_IAM"])
    assert no.value.code == "InsufficientCapabilitiesException"


def test_properties_are_judged_by_the_published_schema_in_its_validators_words() -> None:
    assert violations("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}) == []
    assert violations("AWS::EC2::VPC", {"Colour": "red"}) == [
        "#: extraneous key [Colour] is not permitted"
    ]
    assert violations("AWS::IAM::Role", {}) == [
        "#: required key [AssumeRolePolicyDocument] not found"
    ]
    assert violations("AWS::EC2::Subnet", {"VpcId": ["x"]}) == [
        "#/VpcId: expected type: String, found: JSONArray"
    ]
    assert violations("AWS::SSM::Parameter", {"Type": "Number", "Value": "1"}) == [
        "#/Type: Number is not a valid enum value"
    ]


def test_texts_become_what_the_schema_wants_and_the_reverse() -> None:
    assert typed("AWS::EC2::VPC", {"EnableDnsSupport": "true", "CidrBlock": "x"}) == {
        "EnableDnsSupport": True,
        "CidrBlock": "x",
    }
    assert typed("AWS::AutoScaling::AutoScalingGroup", {"MinSize": 0, "CapacityRebalance": "false"}) == {
        "MinSize": "0",
        "CapacityRebalance": False,
    }  # fmt: skip
    assert typed("AWS::Logs::LogGroup", {"RetentionInDays": "7"}) == {"RetentionInDays": 7}
