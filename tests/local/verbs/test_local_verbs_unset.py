"""The last words of ``local down``: what to type so that this shell no longer points at the box that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowtide.app.local_home import background_folder
from lowtide.cli.main import run
from lowtide.local.box_folder import Door

PRINTED = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "AWS_ACCESS_KEY_ID": "ASIABOX",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_SESSION_TOKEN": "token",
}


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Door:
    """The door that a killed box left, in a shell without any of its variables."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in PRINTED:
        monkeypatch.delenv(name, raising=False)
    left = Door(url=PRINTED["AWS_ENDPOINT_URL"], token="", pid=1, environment=PRINTED)
    background_folder().mkdir(parents=True)
    left.write(background_folder())
    return left


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY"])
def test_a_shell_of_the_box_is_told_all_that_up_printed(
    door: Door,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, door.environment[name])
    assert run(("local", "down")) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.rstrip().endswith(f"type: unset {' '.join(PRINTED)}")


def test_another_shell_is_told_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", door.environment["AWS_REGION"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert run(("local", "down")) == 0
    assert "unset" not in capsys.readouterr().err
