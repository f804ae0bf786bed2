"""Whatever is put into a template, it is refused in CloudFormation's words or becomes a stack that comes to an end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.local.aws.cloudformation import phases
from lowtide.local.aws.cloudformation.template.checking import check
from lowtide.local.aws.cloudformation.template.reading import read
from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, open_aws, parameter, template

SOUND = template(
    {
        "A": {**parameter({"Ref": "P"}, Name="a"), "Condition": "Yes", "DeletionPolicy": "Delete", "Metadata": {"a": 1}},
        "B": parameter({"Fn::Sub": ["${A}-${X}", {"X": {"Fn::Join": ["-", ["a", {"Ref": "AWS::Region"}]]}}]}, DependsOn=["A"]),
        "C": parameter({"Fn::Select": [0, {"Fn::Cidr": ["10.0.0.0/16", 2, 8]}]}),
        "D": parameter({"Fn::If": ["Yes", {"Fn::FindInMap": ["M", "k", "v"]}, {"Ref": "AWS::NoValue"}]}),
        "E": parameter({"Fn::GetAtt": ["A", "Value"]}, Tags={"k": "v"}),
        "F": parameter({"Fn::Base64": {"Fn::Select": ["0", {"Fn::Split": [",", "a,b"]}]}}),
    },
    AWSTemplateFormatVersion="2010-09-09",
    Description="sound",
    Parameters={"P": {"Type": "String", "Default": "p", "AllowedValues": ["p"], "MaxLength": 3}},
    Mappings={"M": {"k": {"v": "w"}}},
    Conditions={"Yes": {"Fn::And": [{"Fn::Equals": [{"Ref": "P"}, "p"]}, {"Fn::Not": [{"Condition": "No"}]}]}, "No": {"Fn::Equals": ["a", "b"]}},
    Outputs={"O": {"Value": {"Ref": "B"}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-o"}}}},
)  # fmt: skip
_words = st.sampled_from(
    ["", "A", "B", "Ref", "Fn::Sub", "${", "${A.B.C}", "Retain", "AWS::SSM::Parameter", "no"]
)
_scalars = st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False) | _words
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["Ref", "Fn::GetAtt", "Fn::Join", "Fn::Select", "Fn::Cidr", "Fn::If", "Fn::Sub", "Condition", "Type", "x"]),
        inner,
        max_size=2,
    ),
    max_leaves=5,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, one in parts:
        yield (*path, key)
        yield from places(one, (*path, key))


PLACES = list(places(SOUND))


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the sound template with up to three things in it replaced or left out."""
    body: dict[str, Any] = json.loads(json.dumps(SOUND))
    for path in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        at: Any = body
        try:
            for key in path[:-1]:
                at = at[key]
            at[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        new: Any = draw(_values)
        if isinstance(at, dict) and new is None:
            del at[path[-1]]
        elif not isinstance(at, str):
            at[path[-1]] = new
    return body


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=broken())
def test_a_broken_template_is_sound_or_refused_with_a_validation_error(
    body: dict[str, Any],
) -> None:
    try:
        check(read(json.dumps(body)))
    except AwsError as error:
        if error.code != "ValidationError" or not error.message:
            raise


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=broken())
def test_a_broken_template_never_leaves_a_stack_hanging(body: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        aws = open_aws(Path(folder))
        try:
            _create_and_delete(aws, body)
        finally:
            aws.box.stop()


def _create_and_delete(aws: Aws, body: dict[str, Any]) -> None:
    try:
        status = aws.create("s", body)
    except AwsError as error:
        if error.code != "ValidationError":
            raise
        return
    assert status in {"CREATE_COMPLETE", "ROLLBACK_COMPLETE"}, aws.events("s")
    reasons = [reason for _, state, reason in aws.events("s") if state.endswith("FAILED")]
    assert not any("Internal Failure" in one for one in reasons), reasons
    assert aws.delete("s") == "DELETE_COMPLETE"


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200) | st.binary(max_size=200).map(lambda one: one.decode("latin-1")))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        check(read(text))
    except AwsError as error:
        assert error.code == "ValidationError"  # noqa: PT017 - most texts are refused, and some may not be


def nested(times: int, opening: str, closing: str, inner: str = '"x"') -> str:
    """Return a template whose only value is nested so often."""
    value = opening * times + inner + closing * times
    return f'{{"Resources": {{"A": {{"Type": "AWS::SSM::Parameter", "Properties": {{"Type": "String", "Value": {value}}}}}}}}}'


@pytest.mark.parametrize("times", [101, 300, 1000])
@pytest.mark.parametrize(
    ("opening", "closing"), [('{"Fn::Join": ["", [', "]]}"), ("[", "]"), ('{"a": ', "}")]
)
def test_a_template_that_is_too_deep_is_refused(times: int, opening: str, closing: str) -> None:
    with pytest.raises(AwsError) as refused:
        check(read(nested(times, opening, closing)))
    assert refused.value.message == "Template format error: unsupported structure."


def test_a_template_that_is_as_deep_as_may_be_becomes_a_stack(aws: Aws) -> None:
    assert aws.create("s", nested(30, '{"Fn::Join": ["", [', "]]}")) == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(template({"A": parameter("\ud800")})),
        json.dumps(template({"A": parameter()}, Outputs={"O": {"Value": "x\udfff"}})),
        json.dumps(template({"A": parameter()}, Metadata={"\ud800": 1})),
        "a: !!bool x\n",
        "a: !!timestamp x\n",
        json.dumps(template({"A": parameter()}, Parameters={"P": {"Type": "String", "Default": "a", "AllowedPattern": "a{99999999999}"}})),
        json.dumps(template({"A": parameter()}, Parameters={"P": {"Type": "String", "Default": "a", "AllowedPattern": "(" * 5000}})),
        *(
            json.dumps(template({"A": parameter()}, Parameters={"P": {"Type": "Number", "Default": "1", key: value}}))
            for key in ("MinLength", "MaxLength", "MinValue", "MaxValue")
            for value in (float("nan"), float("inf"), "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT THREE}", "x")
        ),
        *(
            json.dumps(template({"A": parameter()}, Parameters={"P": {"Type": "String", "Default": "1", key: "1e3"}}))
            for key in ("MinLength", "MaxLength")
        ),
    ],
)  # fmt: skip
def test_what_can_be_spelt_but_not_used_is_refused(aws: Aws, text: str) -> None:
    with pytest.raises(AwsError) as refused:
        aws("CreateStack", StackName="s", TemplateBody=text)
    assert refused.value.code == "ValidationError"


def test_a_largest_value_may_have_any_number_of_digits(aws: Aws) -> None:
    declared = {"P": {"Type": "Number", "Default": 3, "MaxValue": 10**299}}
    assert aws.create("s", template({"A": parameter()}, Parameters=declared)) == "CREATE_COMPLETE"


def grown(times: int, function: str) -> Any:
    """Return a value of a few hundred bytes that would come to gigabytes."""
    if not times:
        return "y" * 50
    inner = grown(times - 1, function)
    if function == "Fn::Sub":
        return {"Fn::Sub": ["${X}" * 20, {"X": inner}]}
    if function == "Fn::Base64":
        return {"Fn::Base64": inner}
    return {"Fn::Join": ["yyyyyyyy", {"Fn::Split": ["y", inner]}]}


@pytest.mark.parametrize(
    ("times", "function"), [(12, "Fn::Join"), (20, "Fn::Sub"), (45, "Fn::Base64")]
)
def test_functions_within_functions_do_not_grow_without_end(
    aws: Aws, times: int, function: str
) -> None:  # fmt: skip
    assert (
        aws.create("s", template({"A": parameter(grown(times, function))})) == "ROLLBACK_COMPLETE"
    )
    reasons = [why for _, status, why in aws.events("s") if status == "CREATE_FAILED"]
    assert any("the text is longer than" in why for why in reasons)


@pytest.mark.slow
def test_a_pattern_that_would_be_tried_for_ever_does_not_match(aws: Aws) -> None:
    declared = {"P": {"Type": "String", "Default": "x", "AllowedPattern": "(a+)+b|x"}}
    body = template({"A": parameter({"Ref": "P"})}, Parameters=declared)

    def given(value: str) -> list[dict[str, str]]:
        return [{"ParameterKey": "P", "ParameterValue": value}]

    with pytest.raises(AwsError, match="failed to satisfy constraint"):
        aws("CreateStack", StackName="s", TemplateBody=json.dumps(body), Parameters=given("a" * 40))
    assert aws.create("s", body, Parameters=given("a" * 40 + "b")) == "CREATE_COMPLETE"


def test_a_defect_in_the_outputs_does_not_leave_a_stack_hanging(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(phases, "outputs_of", breaks)
    assert aws.create("s", template({"A": parameter()})) == "ROLLBACK_COMPLETE"


def test_the_sound_template_is_sound(aws: Aws) -> None:
    assert aws.create("s", SOUND) == "CREATE_COMPLETE"


@pytest.mark.parametrize("name", ["Resources", "Outputs", "Parameters", "Conditions", "Mappings"])
@pytest.mark.parametrize(
    "value", [None, 1, "x", [], [1], {"A": None}, {"A": []}, {"A": {"B": None}}]
)
def test_a_section_of_any_form_is_refused_or_read(name: str, value: Any) -> None:
    try:
        check(read(json.dumps({**SOUND, name: value})))
    except AwsError as error:
        assert error.code == "ValidationError"  # noqa: PT017 - an empty section is no mistake
