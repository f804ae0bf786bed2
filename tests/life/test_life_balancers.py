"""Load balancers are waited for as long as it makes sense, and what holds one is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("boto3")

from lowtide.app.balancers import BALANCERS_S, TELL_S, Ways, delete_balancers
from lowtide.app.patience import Patience
from lowtide.kube.live import kinds

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


def _service(name: str, *finalizers: str, kind: str = "LoadBalancer") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "web",
            "uid": f"uid-{name}",
            "finalizers": list(finalizers),
        },
        "spec": {"type": kind},
    }


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Api:
    """Services of an API server: a deleted one goes when its finalizer does, at the second that a test says."""

    def __init__(self, clock: Clock, **gone_at: float) -> None:
        self._clock = clock
        self._gone_at = gone_at
        self.services = [_service(name, FINALIZER) for name in gone_at]
        self.services.append(_service("inner", kind="ClusterIP"))
        self.deleted: list[str] = []

    def list(self, kind: kinds.Kind) -> Any:
        return SimpleNamespace(items=self.services if kind is kinds.SERVICE else [])

    def delete(self, _kind: kinds.Kind, name: str, *, namespace: str) -> None:
        self.deleted.append(f"{namespace}/{name}")

    def get(self, _kind: kinds.Kind, name: str, _namespace: str) -> dict[str, Any] | None:
        if self._clock() >= self._gone_at[name]:
            return None
        return next(one for one in self.services if one["metadata"]["name"] == name)


class Run:
    """What is said of it while it goes on."""

    def __init__(self, timeout_s: float, **gone_at: float) -> None:
        self.clock = Clock()
        self.api = Api(self.clock, **gone_at)
        self.said: list[tuple[float, str, str, str]] = []
        self.notes: list[str] = []
        api: Any = self.api
        delete_balancers(
            api,
            Ways(
                patience=Patience(
                    timeout_s, "lowtide down", sleep=self.clock.sleep, clock=self.clock
                ),
                before_act=lambda: None,
                say=lambda *words: self.said.append((self.clock(), *words)),
                note=self.notes.append,
            ),
        )

    def about(self, name: str) -> list[str]:
        return [state for _, subject, state, _ in self.said if subject == f"Service web/{name}"]


FOREVER = float("inf")


def test_those_that_go_are_told_and_nothing_else_is_deleted() -> None:
    run = Run(5400.0, a=3.0, b=12.0)
    assert run.api.deleted == ["web/a", "web/b"]
    for name in "ab":
        assert run.about(name)[-1] == "deleted, with its load balancer"
    assert run.notes == []
    assert run.clock() < TELL_S


@pytest.mark.parametrize(
    ("timeout_s", "waited_s"), [(5400.0, BALANCERS_S), (300.0, 150.0), (60.0, 30.0)]
)
def test_one_that_never_goes_leaves_the_stacks_their_part_of_the_time(
    timeout_s: float, waited_s: float
) -> None:
    run = Run(timeout_s, stuck=FOREVER)
    assert run.clock() == waited_s
    assert run.notes == [
        f"Service web/stuck: no controller took the load balancer away in {waited_s:.0f} s; held by finalizer {FINALIZER}"
    ]


def test_what_is_waited_for_is_said_once_with_what_holds_it() -> None:
    run = Run(5400.0, quick=2.0, stuck=FOREVER)
    told = [one for one in run.said if "is still there" in one[2]]
    assert [(one[0], one[1], one[3]) for one in told] == [
        (TELL_S, "Service web/stuck", f"held by finalizer {FINALIZER}")
    ]
    assert told[0][2].endswith("waited for 570 s more")
    assert run.about("quick")[-1] == "deleted, with its load balancer"


def test_services_of_one_name_in_two_namespaces_are_two() -> None:
    clock = Clock()
    api: Any = Api(clock, web=FOREVER)
    other = _service("web", FINALIZER)
    other["metadata"]["namespace"] = "shop"
    api.services.append(other)
    notes: list[str] = []
    patience = Patience(60.0, "lowtide down", sleep=clock.sleep, clock=clock)
    ways = Ways(patience=patience, before_act=lambda: None, say=lambda *_: None, note=notes.append)
    delete_balancers(api, ways)
    assert [one.partition(":")[0] for one in notes] == ["Service web/web", "Service shop/web"]


def test_where_none_has_a_balancer_nothing_is_waited_for() -> None:
    run = Run(5400.0)
    assert (run.api.deleted, run.clock()) == ([], 0.0)
