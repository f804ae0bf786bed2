"""An embedded AWS that this process talks to by the ordinary environment, and a file of a cluster in an empty folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="needs lowtide[local]")

from lowtide.aws.live.account import Account
from lowtide.cli.main import run
from lowtide.local.aws import faults
from lowtide.local.aws.settings import Settings
from lowtide.local.serve import Serving

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Cloud:
    """A served box, and every call that reached it as (service, operation, params)."""

    served: Serving
    calls: list[tuple[str, str, dict[str, Any]]]

    @property
    def account(self) -> Account:
        return Account(REGION)

    def client(self, service: str) -> Any:
        return self.account.client(service)

    def operations(self) -> set[str]:
        return {f"{service}:{operation}" for service, operation, _ in self.calls}

    def fault(self, **fields: Any) -> None:
        """Let something go wrong, as `lowtide local fault` does."""
        with self.served.box.lock:
            faults.add(self.served.box, fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str


Lowtide = Callable[..., Ran]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A box without control planes, in the environment of this test."""
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(Serving(Settings(folder=tmp_path / "box", speed=200.0)))
        for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("LOWTIDE_PRICES", "")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        calls: list[tuple[str, str, dict[str, Any]]] = []

        def note(box: Any, call: Any) -> None:
            if call.caller.arn != box.itself.arn:
                calls.append((call.service, call.operation, dict(call.params)))

        served.box.faults.insert(0, note)
        yield Cloud(served, calls)


@pytest.fixture
def lowtide(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Lowtide:
    """A function that runs a command line in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return Ran(code=code, out=out, err=err)

    return call
