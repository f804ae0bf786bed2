"""docs/box.md tells the truth: its lines are typed, its numbers counted."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lowtide.local.aws.box import Box
from lowtide.local.aws.front.models import SERVED, model_of
from lowtide.local.aws.service import Call
from tests.local.clients.conftest import Served, needs

PAGE = Path(__file__).parents[3] / "docs" / "box.md"


@dataclass(frozen=True)
class Line:
    """A row of a table: an operation of a service, or a verb of kubectl (service ``kubectl``)."""

    service: str
    name: str
    works: bool
    typed: str


def _rows() -> Iterator[Line]:
    service = ""
    for text in PAGE.read_text(encoding="utf-8").splitlines():
        if text.startswith("#"):
            service = text.removeprefix("### ") if text.startswith("### ") else "kubectl"
        found = re.fullmatch(r"\| ([\w-]+) \|(?: (yes|no) \|)? `(.+)` \|", text)
        if found:
            name, works, typed = found.groups()
            yield Line(service, name, works != "no", typed.replace(r"\|", "|"))


ROWS = list(_rows())
AWS = [one for one in ROWS if one.service != "kubectl"]
KUBECTL = [one for one in ROWS if one.service == "kubectl"]
PREAMBLES = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_numbers_on_the_page_are_those_of_its_tables() -> None:
    text = PAGE.read_text(encoding="utf-8")
    operations = {(one.service, one.name) for one in AWS}
    services = {one.service for one in AWS}
    assert f"**{len(operations)} operations of {len(services)} services.**" in text
    works = sum(one.works for one in KUBECTL)
    assert (
        f"**{len(KUBECTL)} verbs of `kubectl` talk to a cluster: {works} work, {len(KUBECTL) - works} do not.**"
        in text
    )
    assert len({one.name for one in KUBECTL}) == len(KUBECTL)


def test_every_service_that_is_served_is_on_the_page() -> None:
    assert {one.service for one in AWS} == SERVED - UNSEEN


#: Served to pods through the agent and not to a shell: the call needs the token of a pod.
UNSEEN = {"eks-auth"}


@pytest.mark.parametrize("service", sorted({one.service for one in AWS}))
def test_every_line_of_a_service_names_an_operation_that_aws_has(service: str) -> None:
    known = set(model_of(service).operation_names)
    for one in AWS:
        if one.service == service:
            assert one.name in known
            assert f"aws {service} " in one.typed


@pytest.mark.parametrize(
    "service",
    ["ec2", "eks", "iam", "pricing", "resourcegroupstaggingapi", "service-quotas", "ssm", "sts"],
)
def test_every_operation_that_lowtide_answers_itself_is_on_the_page(service: str) -> None:
    found = importlib.import_module(f"lowtide.local.aws.{service.replace('-', '')}").SERVICE
    shown = {one.name for one in AWS if one.service == service}
    assert set(found.operations) <= shown


def _typed(served: Served, preamble: str, lines: list[Line]) -> list[tuple[Line, int, str]]:
    """Type the lines into one shell and return what each ended with and said."""
    script = [preamble]
    for number, one in enumerate(lines):
        script.append(f"echo begin {number} > step")
        script.append(f"{{ {one.typed}\n}} > out.{number} 2> err.{number}")
        script.append(f"echo {number} $?")
    ended = served.shell("\n".join(script))
    told = re.findall(r"^(\d+) (\d+)$", ended.stdout, re.MULTILINE)
    codes = {int(number): int(code) for number, code in told}
    assert len(codes) == len(lines), ended.stderr
    return [
        (one, codes[number], (served.folder / f"err.{number}").read_text(encoding="utf-8"))
        for number, one in enumerate(lines)
    ]


@pytest.mark.slow
def test_the_aws_client_drives_every_operation_on_the_page(box: Served) -> None:
    needs("aws")
    # Who comes through the door has a key.
    called: set[tuple[str, str]] = set()

    def note(box: Box, call: Call) -> None:
        if call.caller.access_key_id:
            called.add((call.service, call.operation))

    box.serving.box.faults.append(note)
    failed = [
        f"{shlex.quote(one.typed)}: {said.strip()}"
        for one, code, said in _typed(box, PREAMBLES[0], AWS)
        if code != 0
    ]
    assert not failed, "\n".join(failed)
    assert {(one.service, one.name) for one in AWS} <= called


@pytest.mark.slow
def test_the_verbs_of_kubectl_work_or_fail_as_the_page_says(cluster: Served) -> None:
    needs("kubectl", "openssl", "curl")
    wrong = [
        f"{one.typed}: ended with {code}: {said.strip()}"
        for one, code, said in _typed(cluster, PREAMBLES[1], KUBECTL)
        if (code == 0) is not one.works or "Traceback" in said
    ]
    assert not wrong, "\n".join(wrong)
