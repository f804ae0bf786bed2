"""Ctrl-C at every step of ``up`` and ``down``: exit code 130, a last line with the command that goes on, and nothing is held any more."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from lowtide.app import down, down_plan, kubeconfig, preflight, proving, sweep, up, up_plan
from lowtide.app.converging import Convergence
from lowtide.app.sweep import Sweeper
from lowtide.aws.live.account import Account
from lowtide.aws.live.remains.removing import remove
from lowtide.aws.live.stacks import Stacks
from lowtide.cli.main import run
from lowtide.kube.live import kinds
from lowtide.model import names
from tests.life import leftovers
from tests.life.leftovers import client, tags

if TYPE_CHECKING:
    from lowtide.local.serve import Serving

NAME = "noble-gpu-example"
FIRST = f"lowtide-{NAME}-cluster"
QUEUE: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


Patched = Callable[[Any, str, Any], None]


def interrupted(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def after(real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call that is made, and then Ctrl-C comes."""

    def called(*arguments: Any, **named: Any) -> Any:
        real(*arguments, **named)
        raise KeyboardInterrupt

    return called


class AtTheQuestion:
    """A terminal at which somebody types Ctrl-C."""

    def isatty(self) -> bool:
        return True

    def readline(self, *_: int) -> str:
        raise KeyboardInterrupt


class Inside:
    """A cluster with an autoscaler, a GPU node and a pod on it; it stands for ``kube.live.client.Cluster``.

    Ctrl-C comes at the call that ``ends_at`` names.
    """

    def __init__(self, ends_at: str = "") -> None:
        self.ends_at = ends_at
        self.calls: list[str] = []
        self.has_proof = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **_: Any) -> Any:
            self.calls.append(name)
            answer = self._answer(name, *arguments)
            if name == self.ends_at and (name != "get" or self.has_proof):
                raise KeyboardInterrupt
            return answer

        return call

    def _answer(self, name: str, *arguments: Any) -> Any:
        if name == "list":
            return _Listing(self._listed(arguments[0]))
        if name in {"create", "delete"}:
            self.has_proof = name == "create"
        return {"status": {"phase": "Pending"}} if name == "get" and self.has_proof else None

    def _listed(self, kind: Any) -> tuple[dict[str, Any], ...]:
        if kind is kinds.NODE:
            labels = {names.ACCELERATOR: "nvidia-tesla-t4"}
            return ({"metadata": {"name": "n", "labels": labels}, "spec": {}, "status": {}},)
        if kind is kinds.POD:
            metadata = {"name": "job", "namespace": "default", "uid": "1"}
            return ({"metadata": metadata, "spec": {"nodeName": "n"}, "status": {}},)
        return ()


class _Listing:
    def __init__(self, items: tuple[dict[str, Any], ...]) -> None:
        self.items = items


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Patched:
    return monkeypatch.setattr


def _is_broken_off(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 130
    said = capsys.readouterr()
    go_on = [one for one in arguments if one != "--yes"]
    last = said.err.rstrip().splitlines()[-1]
    assert last == (
        f"Interrupted. What AWS has begun goes on there; go on with: lowtide {' '.join(go_on)}"
    )
    assert "Traceback" not in said.err
    leases = client("ssm").get_parameters_by_path(Path=f"/lowtide/{NAME}/lease")["Parameters"]
    assert leases == []


def _change_sets() -> list[str]:
    api = client("cloudformation")
    return [
        one["ChangeSetName"]
        for stack in Stacks(Account("us-east-1")).all()
        for one in api.list_change_sets(StackName=stack.id)["Summaries"]
    ]


def _stack() -> None:
    leftovers.stack(FIRST, NAME, QUEUE)


# up


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (up_plan, "refuse_held"),
        (up_plan, "look_at"),
        (preflight, "read_facts"),
        (up, "lease_of"),
    ],
)
def test_up_is_broken_off_while_it_looks(
    where: Any, name: str, served: Serving, patched: Patched, capsys: pytest.CaptureFixture[str]
) -> None:
    patched(where, name, interrupted)
    _is_broken_off(["up", "--yes"], capsys)
    assert list(Stacks(Account("us-east-1")).all()) == []


@pytest.mark.parametrize("name", ["ask_change", "change"])
def test_up_is_broken_off_while_change_sets_are_asked_for_and_they_go(
    name: str, served: Serving, patched: Patched, capsys: pytest.CaptureFixture[str]
) -> None:
    _stack()
    patched(Stacks, name, after(getattr(Stacks, name)))
    _is_broken_off(["up", "--yes"], capsys)
    assert _change_sets() == []


@pytest.mark.parametrize("verb", ["up", "down"])
def test_both_are_broken_off_at_the_question(
    verb: str, served: Serving, patched: Patched, capsys: pytest.CaptureFixture[str]
) -> None:
    _stack()
    patched(sys, "stdin", AtTheQuestion())
    _is_broken_off([verb], capsys)
    assert [one.name for one in Stacks(Account("us-east-1")).all()] == [FIRST]


def test_up_is_broken_off_when_a_stack_has_begun(
    served: Serving, patched: Patched, capsys: pytest.CaptureFixture[str]
) -> None:
    patched(Stacks, "create", after(Stacks.create))
    _is_broken_off(["up", "--yes"], capsys)
    assert [one.name for one in Stacks(Account("us-east-1")).all()] == [FIRST], "it goes on there"


@pytest.fixture
def as_if_made(patched: Patched) -> Inside:
    """Let ``up`` take all stacks for made, and meet a cluster that is played."""
    inside = Inside()
    patched(Convergence, "run", lambda *_: ())
    patched(up, "connected", lambda *_: inside)
    patched(up, "wait_for_nodes", lambda *_, **__: 1)
    patched(up, "wait_for_rollouts", lambda *_, **__: None)
    patched(up, "apply_all", lambda *_: ())
    patched(kubeconfig, "update_kubeconfig", lambda *_, **__: type("Written", (), {"file": "k"}))
    return inside


@pytest.mark.parametrize(
    "name", ["wait_for_nodes", "apply_all", "wait_for_rollouts", "find_cluster"]
)
def test_up_is_broken_off_while_it_waits_and_installs(
    name: str,
    served: Serving,
    as_if_made: Inside,
    patched: Patched,
    capsys: pytest.CaptureFixture[str],
) -> None:
    patched(up, name, interrupted)
    _is_broken_off(["up", "--yes"], capsys)
    assert as_if_made.calls[-1:] == ["close"] or name == "find_cluster"


@pytest.mark.parametrize("ends_at", ["list", "create", "get"])
def test_up_is_broken_off_while_it_proves_and_no_pod_goes_on_to_buy_a_node(
    ends_at: str,
    served: Serving,
    as_if_made: Inside,
    patched: Patched,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_if_made.ends_at = ends_at
    if ends_at != "list":
        patched(proving, "_gpu_nodes", lambda *_: ())
    _is_broken_off(["up", "--yes", "--prove"], capsys)
    assert as_if_made.calls.count("delete") == 2, "before it began, and now"
    assert not as_if_made.has_proof


# down


def test_down_is_broken_off_while_it_looks(
    served: Serving, patched: Patched, capsys: pytest.CaptureFixture[str]
) -> None:
    _stack()
    for where, name in (
        (down_plan, "refuse_held"),
        (down_plan, "refuse_neighbours"),
        (Sweeper, "look"),
        (down, "lease_of"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(where, name, interrupted)
            _is_broken_off(["down", "--yes"], capsys)
    assert [one.name for one in Stacks(Account("us-east-1")).all()] == [FIRST]


@pytest.fixture
def living(served: Serving) -> None:
    """An EKS cluster of lowtide's that EKS says is ACTIVE, and a stack."""
    _stack()
    leftovers.eks_cluster(NAME, {names.CLUSTER_TAG: NAME})
    while client("eks").describe_cluster(name=NAME)["cluster"]["status"] != "ACTIVE":
        time.sleep(0.05)


@pytest.mark.parametrize("ends_at", ["list", "patch", "evict"])
def test_down_is_broken_off_while_it_empties_and_drains(
    ends_at: str, living: None, patched: Patched, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = Inside(ends_at)
    patched(down, "connected_to", lambda *_: inside)
    _is_broken_off(["down", "--yes"], capsys)
    assert inside.calls[-2:] == [ends_at, "close"]
    assert [one.name for one in Stacks(Account("us-east-1")).all()] == [FIRST]


def test_down_is_broken_off_when_a_deletion_has_begun(
    served: Serving, patched: Patched, capsys: pytest.CaptureFixture[str]
) -> None:
    _stack()
    patched(Stacks, "remove", after(Stacks.remove))
    _is_broken_off(["down", "--yes"], capsys)


@pytest.mark.parametrize("when", [after, lambda _: interrupted])
def test_down_is_broken_off_while_it_sweeps(
    when: Callable[[Any], Any],
    served: Serving,
    patched: Patched,
    capsys: pytest.CaptureFixture[str],
) -> None:
    leftovers.volume(tags({names.CLUSTER_TAG: NAME}))
    client("ec2").allocate_address(
        Domain="vpc", **leftovers.said("elastic-ip", tags({names.CLUSTER_TAG: NAME}))
    )
    patched(sweep, "remove", when(remove))
    _is_broken_off(["down", "--yes", "--sweep"], capsys)
