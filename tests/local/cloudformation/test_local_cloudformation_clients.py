"""The real aws CLI and boto3 deploy, look, wait and delete, through the door of a box."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lowtide.app.files import Inputs
from lowtide.app.render import README, render
from lowtide.local.aws import faults
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import Serving
from tests.local.cloudformation.stacks_box import parameter, template

EXAMPLE = Path(__file__).parents[3] / "examples" / "noble-gpu" / "cluster.yaml"
#: So fast that what the CLI waits for is there when it first looks.
FAST = 10_000.0


class Cli:
    """The aws CLI beside a box."""

    def __init__(self, served: Serving, folder: Path) -> None:
        self.served, self.folder = served, folder
        self.environment = {**os.environ, **served.environment(), "AWS_PAGER": ""}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        if words[0] == "deploy":
            time.sleep(
                1.1
            )  # it names its change set by the second, and two of one name are refused
        return subprocess.run(
            ["aws", "cloudformation", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def read(self, *words: str) -> Any:
        """Return what the CLI answers, and fail where it does."""
        ran = self(*words, "--output", "json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout or "{}")

    def write(self, name: str, body: Any) -> str:
        (self.folder / name).write_text(json.dumps(body))
        return name


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    if shutil.which("aws") is None:
        pytest.skip("needs the aws CLI")
    (tmp_path / "work").mkdir()
    with Serving(Settings(folder=tmp_path / "box", speed=FAST)) as served:
        # moto is slow at its first call; the CLI would look too early, and look again after half a minute.
        served.box.call("ssm", "PutParameter", {"Name": "warm", "Value": "1", "Type": "String"})
        served.box.call("ssm", "DeleteParameter", {"Name": "warm"})
        yield Cli(served, tmp_path / "work")


@pytest.mark.slow
def test_deploy_creates_updates_and_knows_when_there_is_nothing_to_do(cli: Cli) -> None:
    body = template(
        {"A": parameter({"Ref": "Size"}, Name="a")}, Parameters={"Size": {"Type": "String"}}
    )
    deploy = ("deploy", "--stack-name", "s", "--template-file", cli.write("t.json", body))
    ran = cli(*deploy, "--parameter-overrides", "Size=1", "--tags", "team=x")
    assert (ran.returncode, "Successfully created/updated stack - s" in ran.stdout) == (0, True), (
        ran.stderr
    )
    found = cli.read("describe-stacks", "--stack-name", "s")["Stacks"][0]
    assert (found["StackStatus"], found["Tags"]) == (
        "CREATE_COMPLETE",
        [{"Key": "team", "Value": "x"}],
    )
    ran = cli(*deploy, "--tags", "team=x", "--no-fail-on-empty-changeset")
    assert (ran.returncode, "No changes to deploy. Stack s is up to date" in ran.stdout) == (
        0,
        True,
    )
    ran = cli(*deploy, "--tags", "team=x", "--fail-on-empty-changeset")
    assert (ran.returncode, "No changes to deploy" in ran.stderr) == (255, True), (
        ran.stdout + ran.stderr
    )
    ran = cli(*deploy, "--parameter-overrides", "Size=2")
    assert (ran.returncode, "Successfully created/updated" in ran.stdout) == (0, True), ran.stderr
    assert (
        cli.read("describe-stacks", "--stack-name", "s")["Stacks"][0]["StackStatus"]
        == "UPDATE_COMPLETE"
    )


@pytest.mark.slow
def test_deploy_fails_when_the_stack_does_and_says_how_to_see_why(cli: Cli) -> None:
    fault = {"kind": "fail-resource", "resource": "A", "message": "no luck"}
    faults.add(cli.served.box, fault)
    name = cli.write("t.json", template({"A": parameter()}))
    ran = cli("deploy", "--stack-name", "s", "--template-file", name)
    assert ran.returncode == 255
    assert "Failed to create/update the stack" in ran.stderr
    events = cli.read("describe-stack-events", "--stack-name", "s")["StackEvents"]
    assert [
        one["ResourceStatusReason"] for one in events if one["ResourceStatus"] == "CREATE_FAILED"
    ] == ["no luck"]
    again = cli("deploy", "--stack-name", "s", "--template-file", name)
    assert "is in ROLLBACK_COMPLETE state and can not be updated" in again.stderr


def test_deploy_without_the_capability_is_refused(cli: Cli) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    name = cli.write("t.json", template({"Role": role}))
    ran = cli("deploy", "--stack-name", "s", "--template-file", name)
    assert "InsufficientCapabilitiesException" in ran.stderr
    assert "Requires capabilities : [CAPABILITY_IAM]" in ran.stderr


@pytest.mark.slow
def test_the_cli_waits_for_stacks_and_finds_deleted_ones_gone(cli: Cli) -> None:
    name = cli.write(
        "t.json",
        template({"A": parameter()}, Outputs={"O": {"Value": "v", "Export": {"Name": "e"}}}),
    )
    made = cli.read("create-stack", "--stack-name", "s", "--template-body", f"file://{name}")
    assert cli("wait", "stack-create-complete", "--stack-name", "s").returncode == 0
    assert cli.read("list-exports")["Exports"] == [
        {"ExportingStackId": made["StackId"], "Name": "e", "Value": "v"}
    ]
    assert (
        cli.read("list-stack-resources", "--stack-name", "s")["StackResourceSummaries"][0][
            "LogicalResourceId"
        ]
        == "A"
    )
    assert cli.read("get-template", "--stack-name", "s")["TemplateBody"]["Resources"].keys() == {
        "A"
    }
    assert cli.read("validate-template", "--template-body", f"file://{name}")["Parameters"] == []
    same = cli("update-stack", "--stack-name", "s", "--use-previous-template")
    assert (
        "(ValidationError) when calling the UpdateStack operation: No updates are to be performed."
        in same.stderr
    )
    cli.read("delete-stack", "--stack-name", "s")
    assert cli("wait", "stack-delete-complete", "--stack-name", "s").returncode == 0
    gone = cli("describe-stacks", "--stack-name", "s")
    assert (
        "(ValidationError) when calling the DescribeStacks operation: Stack with id s does not exist"
        in gone.stderr
    )


def test_boto3_reads_lists_times_and_errors_of_every_kind(cli: Cli) -> None:
    environment = cli.served.environment()
    api: Any = boto3.client(
        "cloudformation",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    body = json.dumps(template({f"P{n}": parameter() for n in range(40)}))
    api.create_stack(StackName="s", TemplateBody=body)
    api.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
    pages = list(api.get_paginator("describe_stack_events").paginate(StackName="s"))
    events = [one for page in pages for one in page["StackEvents"]]
    assert (len(pages), len(events)) == (2, 2 + 3 * 40)
    assert events[0]["Timestamp"] >= events[-1]["Timestamp"]
    with pytest.raises(api.exceptions.AlreadyExistsException):
        api.create_stack(StackName="s", TemplateBody=body)
    with pytest.raises(api.exceptions.ChangeSetNotFoundException):
        api.describe_change_set(StackName="s", ChangeSetName="none")
    with pytest.raises(ClientError) as refused:
        api.create_stack(StackName="t", TemplateBody="x" * 51_201)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert "less than or equal to 51200" in refused.value.response["Error"]["Message"]


@pytest.mark.slow
def test_the_readmes_lines_deploy_the_example_and_take_it_down(cli: Cli) -> None:
    files = render(Inputs(cluster=str(EXAMPLE)))
    for path, text in files.items():
        (cli.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (cli.folder / path).write_text(text, "utf-8")
    lines = [
        line
        for block in files[README].split("```sh\n")[1:]
        for line in block.partition("```")[0].replace("\\\n", " ").splitlines()
        if line.startswith(("aws cloudformation", "aws autoscaling"))
    ]
    assert len(lines) == 22
    ran = subprocess.run(
        ["sh", "-ec", "\n".join(lines)],
        cwd=cli.folder,
        env=cli.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    stacks = cli.read("list-stacks")["StackSummaries"]
    assert [one["StackStatus"] for one in stacks] == ["DELETE_COMPLETE"] * 7
