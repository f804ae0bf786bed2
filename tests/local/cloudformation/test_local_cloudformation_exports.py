"""What a stack exports others import, and nobody pulls it away from under them."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.local.aws.errors import AwsError
from tests.local.cloudformation.stacks_box import Aws, parameter, template, text


def exporter(value: Any = "one", name: Any = "tide-net") -> dict[str, Any]:
    output = {"Value": value, "Description": "what for", "Export": {"Name": name}}
    return template({"A": parameter("x", Name="a")}, Outputs={"Net": output})


IMPORTER = template({"B": parameter({"Fn::ImportValue": {"Fn::Sub": "${Stack}-net"}}, Name="b")}, Parameters={"Stack": {"Type": "String", "Default": "tide"}})  # fmt: skip


def refused(aws: Aws, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as error:
        aws(operation, **params)
    return error.value.message


def test_an_export_is_listed_and_imported_by_another_stack(aws: Aws) -> None:
    aws.create(
        "net",
        exporter(name={"Fn::Sub": "tide-${Suffix}"})
        | {"Parameters": {"Suffix": {"Type": "String", "Default": "net"}}},
    )
    assert (
        refused(aws, "ListImports", ExportName="tide-net")
        == "Export 'tide-net' is not imported by any stack."
    )
    assert aws.create("user", IMPORTER) == "CREATE_COMPLETE"
    assert aws("GetParameter", service="ssm", Name="b")["Parameter"]["Value"] == "one"
    assert aws("ListExports")["Exports"] == [
        {"ExportingStackId": aws.stack("net")["StackId"], "Name": "tide-net", "Value": "one"}
    ]
    assert aws("ListImports", ExportName="tide-net")["Imports"] == ["user"]
    assert aws.stack("net")["Outputs"] == [
        {"OutputKey": "Net", "OutputValue": "one", "Description": "what for", "ExportName": "tide-net"}
    ]  # fmt: skip


def test_importing_what_nobody_exports_takes_the_stack_back(aws: Aws) -> None:
    assert aws.create("user", IMPORTER) == "ROLLBACK_COMPLETE"
    assert aws.events("user") == [
        ("user", "CREATE_IN_PROGRESS", "User Initiated"),
        ("user", "ROLLBACK_IN_PROGRESS", "No export named tide-net found. Rollback requested by user."),
        ("user", "ROLLBACK_COMPLETE", ""),
    ]  # fmt: skip


def test_two_stacks_cannot_export_the_same_name(aws: Aws) -> None:
    aws.create("net", exporter())
    other = exporter() | {"Resources": {"C": parameter()}}
    assert aws.create("other", other) == "ROLLBACK_COMPLETE"
    said = "Export with name tide-net is already exported by stack net. Rollback requested by user."
    assert ("other", "ROLLBACK_IN_PROGRESS", said) in aws.events("other")


def test_exports_of_another_region_are_strangers(aws: Aws) -> None:
    aws.create("net", exporter())
    aws("CreateStack", StackName="net", TemplateBody=text(exporter("two")), region="eu-west-1")
    aws.wait()
    assert aws("ListExports", region="eu-west-1")["Exports"][0]["Value"] == "two"
    assert aws("ListExports")["Exports"][0]["Value"] == "one"


def test_a_stack_whose_export_is_in_use_is_not_deleted(aws: Aws) -> None:
    aws.create("net", exporter())
    aws.create("user", IMPORTER)
    aws.create("user2", IMPORTER | {"Resources": {"B": parameter({"Fn::ImportValue": "tide-net"})}})
    assert aws.delete("net") == "CREATE_COMPLETE"
    assert aws.reason("net") == (
        "Delete canceled. Cannot delete export tide-net as it is in use by user and user2."
    )
    assert aws.delete("user") == "DELETE_COMPLETE"
    assert aws.delete("user2") == "DELETE_COMPLETE"
    assert aws.delete("net") == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("changed", "verb"), [(exporter("two"), "update"), (exporter("one", "tide-other"), "delete")]
)
def test_an_export_in_use_is_neither_changed_nor_taken_away(
    aws: Aws, changed: dict[str, Any], verb: str
) -> None:
    aws.create("net", exporter())
    aws.create("user", IMPORTER)
    assert aws.update("net", changed) == "UPDATE_ROLLBACK_COMPLETE"
    said = f"Update canceled. Cannot {verb} export tide-net as it is in use by user."
    assert ("net", "UPDATE_ROLLBACK_IN_PROGRESS", said) in aws.events("net")
    assert aws("ListExports")["Exports"][0]["Value"] == "one"
    # The importer lets go of it: then it may change.
    assert aws.update("user", template({"B": parameter("own", Name="b")})) == "UPDATE_COMPLETE"
    assert aws.update("net", changed) == "UPDATE_COMPLETE"


def test_an_output_is_a_text_of_at_most_1024_bytes(aws: Aws) -> None:
    assert aws.create("a", exporter(["x"])) == "ROLLBACK_COMPLETE"
    assert aws.create("b", exporter("x" * 1025)) == "ROLLBACK_COMPLETE"
    said = [reason for _, status, reason in aws.events("b") if status == "ROLLBACK_IN_PROGRESS"]
    assert "longer than 1024 bytes" in said[0]
