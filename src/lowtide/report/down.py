"""What ``down`` would do and did, for people and for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from lowtide.model.remains import (
    DATA,
    Choice,
    DownPlan,
    DownResult,
    Priced,
    Remain,
    to_remove,
)
from lowtide.report.wording import count_text, printable, usd_text

DOWN_SCHEMA = "lowtide.down/v1"
_NARROWEST = 40


def down_plan_text(plan: DownPlan) -> str:
    """Return what would be taken away, and what would stay."""
    return "\n".join(map(printable, _plan_lines(plan)))


def _plan_lines(plan: DownPlan) -> Iterator[str]:
    yield f"Account {plan.account}, {plan.region}, as {plan.caller}"
    yield ""
    status = f"EKS says {plan.cluster_status}" if plan.cluster_status else "EKS knows it no more"
    ends = [count_text(plan.nodes, "node"), count_text(plan.pods, "running pod")]
    has_life = plan.nodes or plan.pods
    yield f"Cluster {plan.cluster}: {status}" + (f"; {' and '.join(ends)} end" if has_life else "")
    if plan.usd_per_hour is not None:
        yield f"It costs {usd_text(plan.usd_per_hour)} an hour now."
    if plan.stacks:
        yield "Stacks that are deleted, the last one when all others are gone:"
        yield from (f"  - {one.name} ({one.status})" for one in plan.stacks)
    if plan.remains:
        yield "What no stack takes away:"
        yield from (f"  {_fate(one, plan.choice)} {_line(one)}" for one in plan.remains)
    for unknown in plan.unknown:
        yield f"NOTICE: could not verify {unknown.what}: {unknown.why}"
    if plan.choice.sweep and plan.stacks:
        yield "Whatever else carries the cluster's tags or names afterwards is removed, too (--sweep)."


def _fate(one: Priced, choice: Choice) -> str:
    return "-" if to_remove([one.remain], choice) else "stays:"


def _line(one: Priced) -> str:
    remain = one.remain
    name = f" {remain.name}" if remain.name and remain.name != remain.id else ""
    size = f", {remain.gib:.0f} GiB" if remain.kind in DATA else ""
    kind = f", {remain.type}" if remain.type else ""
    return f"{remain.kind} {remain.id}{name}{kind}{size}: {_cost(one)}"


def _cost(one: Priced) -> str:
    if one.usd_per_month is None:
        return "its price is not known"
    return f"{usd_text(one.usd_per_month)} a month" if one.usd_per_month else "costs nothing"


def down_text(result: DownResult, *, width: int) -> str:
    """Return what a run did and what is left; the last line is the proof, where there is one.

    The list of what was looked for has lines of that many columns.
    """
    return "\n".join(map(printable, _result_lines(result, max(_NARROWEST, width))))


def _result_lines(result: DownResult, width: int) -> Iterator[str]:
    if result.stacks:
        deleted = sum(one.done == "deleted" for one in result.stacks)
        yield f"Stacks: {deleted} deleted."
    for one in result.forced:
        yield f"Ended by force: pod {one}"
    if result.removed:
        yield f"Swept: {_counts(result.removed)}."
    yield from (f"NOTICE: {one}" for one in result.notes)
    for stack, cause in result.failures:
        yield f"Not deleted: {stack}: {cause}"
    yield from _left_lines(result)
    for unknown in result.unknown:
        yield f"Could not be looked for: {unknown.what} ({unknown.why})"
    if result.failures or result.unknown or result.unwanted:
        return
    yield from _looked_lines(result, width)
    yield proof_text(result)


def _left_lines(result: DownResult) -> Iterator[str]:
    if not result.left:
        return
    yield f"Left of {result.cluster} in {result.region}:"
    for one in result.left:
        kept = " (kept)" if one.remain.kind in result.choice.keep else ""
        yield f"  {_line(one)}{kept}, by {one.remain.found_by}"
        if one.remain.elsewhere:
            yield f"      may belong to the cluster of that name in {one.remain.elsewhere}, so it is left"
        elif one.remain.why:
            yield f"      could not be removed: {one.remain.why}"
        if not kept:
            yield f"      {one.remain.command}"
    known = sum(one.usd_per_month or 0 for one in result.left)
    if known:
        yield f"Together that is {usd_text(known)} a month."


def proof_text(result: DownResult) -> str:
    """Return the sentence that proves that nothing is left, or nothing but what is kept or costs nothing."""
    what = "Nothing" if result.is_proved else "Nothing else"
    looked = f"looked for {count_text(len(result.kinds), 'kind')} of things in {count_text(result.calls, 'call')}"
    return f"{what} of {result.cluster} is left in {result.region}: {looked}"


def _looked_lines(result: DownResult, width: int) -> Iterator[str]:
    yield "Looked for, by its tags and names:"
    kinds = ", ".join(result.kinds)
    yield from textwrap.wrap(
        kinds,
        width,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _counts(things: Iterable[Remain]) -> str:
    counts: dict[str, int] = {}
    for one in things:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    return ", ".join(count_text(count, kind) for kind, count in counts.items())


def left_text(left: Iterable[Priced]) -> str:
    """Return how much is left of each kind."""
    return _counts(one.remain for one in left)


def down_json(result: DownResult, *, exit_code: int) -> dict[str, Any]:
    """Return what a run did as a plain dict, ready for JSON."""
    return {
        "schema": DOWN_SCHEMA,
        "cluster": result.cluster,
        "region": result.region,
        "account": result.account,
        "exit_code": exit_code,
        "stacks": [
            {"name": one.name, "done": one.done, "seconds": one.seconds} for one in result.stacks
        ],
        "failures": [{"stack": stack, "why": why} for stack, why in result.failures],
        "forced_pods": list(result.forced),
        "removed": [{"kind": one.kind, "id": one.id} for one in result.removed],
        "left": [_left_json(one, result) for one in result.left],
        "nothing_left": result.is_proved,
        "looked_for": list(result.kinds),
        "calls": result.calls,
        "not_verified": [{"what": one.what, "why": one.why} for one in result.unknown],
        "notices": list(result.notes),
    }


def _left_json(one: Priced, result: DownResult) -> dict[str, Any]:
    remain = one.remain
    return {
        "kind": remain.kind,
        "id": remain.id,
        "name": remain.name or None,
        "found_by": remain.found_by,
        "usd_per_month": None if one.usd_per_month is None else round(one.usd_per_month, 4),
        "kept": remain.kind in result.choice.keep,
        "command": remain.command,
        "why": remain.why or None,
        "elsewhere": remain.elsewhere or None,
    }
