"""Waits have an end, looks grow rarer, and short troubles are waited out."""

from __future__ import annotations

import pytest

pytest.importorskip("boto3")

from lowtide.app.patience import LONGEST_S, SHORTEST_S, Patience, patiently
from lowtide.aws.live.session import UNREACHABLE
from lowtide.kube.live.client import Unreachable
from lowtide.model.errors import AwsError, KubernetesError, LowtideError


def test_looks_grow_rarer_until_there_is_news() -> None:
    waits: list[float] = []
    patience = Patience(60, "lowtide up", sleep=waits.append)
    for _ in range(10):
        patience.pause("nodes")
    assert waits[0] == SHORTEST_S
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_S
    patience.pause("nodes", has_news=True)
    assert waits[-1] == SHORTEST_S


def test_a_wait_ends_with_what_was_waited_for_why_and_how_to_go_on() -> None:
    patience = Patience(-1, "lowtide up -f x.yaml", sleep=lambda _: None)
    with pytest.raises(LowtideError) as raised:
        patience.pause("nodes", why="no capacity")
    error = raised.value
    assert (error.where, error.why, error.exit_code) == ("nodes", "no capacity", 1)
    assert error.fix.startswith("lowtide up -f x.yaml goes on from here")


@pytest.mark.parametrize(
    ("error", "acts", "passes"),
    [
        (AwsError("x", code="Throttling"), False, True),
        (AwsError("x", code="Throttling"), True, True),
        (AwsError("x", code=UNREACHABLE), False, True),
        (AwsError("x", code=UNREACHABLE), True, False),
        (AwsError("x", code="AccessDenied"), False, False),
        (Unreachable("x"), False, True),
        (KubernetesError("x"), False, False),
    ],
)
def test_only_what_passes_by_itself_is_waited_out(
    error: AwsError | KubernetesError, acts: bool, passes: bool
) -> None:
    calls: list[int] = []

    def look() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise error
        return "seen"

    patience = Patience(60, "", sleep=lambda _: None)
    if passes:
        assert patiently(patience, look, acts=acts) == "seen"
        assert len(calls) == 3
    else:
        with pytest.raises(type(error)):
            patiently(patience, look, acts=acts)
        assert len(calls) == 1
