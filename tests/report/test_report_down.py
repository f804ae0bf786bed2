"""What ``down`` would do and did, as it is read by people and by programs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lowtide.model.account import Unverified
from lowtide.model.live_plan import StackResult
from lowtide.model.remains import Choice, DownPlan, DownResult, Priced, Remain, SeenForDown
from lowtide.report.down import down_json, down_plan_text, down_text

KINDS = tuple(f"VPC endpoint {number}" for number in range(29))
VOLUME = Priced(
    remain=Remain(
        kind="volume", id="vol-1", found_by="t=x", command="aws ec2 delete-volume", name="da\x1bta", type="gp3", gib=100.0
    ),
    usd_per_month=8.0,
)  # fmt: skip
ROLE = Priced(
    remain=Remain(
        kind="role", id="r", found_by="t=x", command="aws iam delete-role", elsewhere="eu-west-1"
    ),
    usd_per_month=0.0,
)
UNPRICED = Priced(
    remain=Remain(kind="VPC endpoint", id="vpce-1", found_by="t=x", command="c", why="in use"),
    usd_per_month=None,
)
PLAN = DownPlan(
    cluster="x",
    region="us-east-1",
    account="123456789012",
    caller="arn:me",
    stacks=(SeenForDown(name="b", status="CREATE_COMPLETE"),),
    cluster_status="ACTIVE",
    choice=Choice(),
    nodes=1,
    pods=12,
    usd_per_hour=1.5,
    remains=(VOLUME,),
)
RESULT = DownResult(
    cluster="x",
    region="us-east-1",
    account="123456789012",
    choice=Choice(),
    stacks=(StackResult(name="b", done="deleted", seconds=3.0),),
    kinds=("role", "volume"),
    calls=9,
)


def test_a_plan_says_what_ends_what_it_costs_and_what_stays() -> None:
    assert down_plan_text(PLAN).splitlines() == [
        "Account 123456789012, us-east-1, as arn:me",
        "",
        "Cluster x: EKS says ACTIVE; 1 node and 12 running pods end",
        "It costs $1.50 an hour now.",
        "Stacks that are deleted, the last one when all others are gone:",
        "  - b (CREATE_COMPLETE)",
        "What no stack takes away:",
        r"  stays: volume vol-1 da\x1bta, gp3, 100 GiB: $8.00 a month",
    ]
    bare = replace(PLAN, cluster_status="", nodes=0, pods=0, usd_per_hour=None, remains=())
    assert "Cluster x: EKS knows it no more" in down_plan_text(bare)
    swept = replace(PLAN, choice=Choice(sweep=True, delete_volumes=True))
    assert r"  - volume vol-1 da\x1bta, gp3" in down_plan_text(swept)
    assert "is removed, too (--sweep)" in down_plan_text(swept)


def test_the_proof_is_the_last_line_and_only_where_it_is_one() -> None:
    assert down_text(RESULT, width=100).splitlines() == [
        "Stacks: 1 deleted.",
        "Looked for, by its tags and names:",
        "  role, volume",
        "Nothing of x is left in us-east-1: looked for 2 kinds of things in 9 calls",
    ]
    for other in (
        replace(RESULT, left=(VOLUME,)),
        replace(RESULT, failures=(("b", "why"),)),
        replace(RESULT, unknown=(Unverified(what="queues", why="denied"),)),
    ):
        words = down_text(other, width=100)
        assert "Nothing" not in words
        assert "Looked for" not in words
    free = down_text(replace(RESULT, left=(ROLE,)), width=100).splitlines()[-1]
    assert free.startswith("Nothing else of x is left in us-east-1: ")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_of_the_proof_is_wider_than_the_terminal(width: int) -> None:
    result = replace(RESULT, kinds=KINDS, calls=27)
    lines = down_text(result, width=width).splitlines()
    *_, proof = lines
    assert f"{len(KINDS)} kinds of things in 27 calls" in proof
    assert len(proof) <= 80
    listed = lines[lines.index("Looked for, by its tags and names:") + 1 : -1]
    assert all(len(one) <= width for one in listed)
    assert " ".join(one.strip() for one in listed) == ", ".join(KINDS)


def test_what_is_left_is_told_with_price_reason_and_command() -> None:
    found = replace(RESULT, left=(VOLUME, ROLE, UNPRICED), forced=("a/b (it took too long)",))
    lines = down_text(found, width=100).splitlines()
    assert "Ended by force: pod a/b (it took too long)" in lines
    assert r"  volume vol-1 da\x1bta, gp3, 100 GiB: $8.00 a month, by t=x" in lines
    assert "      aws ec2 delete-volume" in lines
    assert "      may belong to the cluster of that name in eu-west-1, so it is left" in lines
    assert "  VPC endpoint vpce-1: its price is not known, by t=x" in lines
    assert "      could not be removed: in use" in lines
    assert lines[-1] == "Together that is $8.00 a month."
    assert found.unwanted == (VOLUME, UNPRICED), "what has no known price may cost something"
    kept = replace(found, choice=Choice(keep=frozenset({"volume"})))
    assert kept.unwanted == (UNPRICED,)


def test_programs_are_told_the_same() -> None:
    found = replace(RESULT, left=(VOLUME, UNPRICED), unknown=(Unverified(what="q", why="w"),))
    document = down_json(found, exit_code=1)
    assert document["schema"] == "lowtide.down/v1"
    assert document["exit_code"] == 1
    assert [one["usd_per_month"] for one in document["left"]] == [8.0, None]
    assert document["not_verified"] == [{"what": "q", "why": "w"}]
    assert not document["nothing_left"]
    assert down_json(RESULT, exit_code=0)["nothing_left"]
