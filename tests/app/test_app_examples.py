"""The example that ships with lowtide is found in a checkout and in an installed package alike."""

from __future__ import annotations

from pathlib import Path

import pytest

import lowtide
from lowtide.app.examples import example_folder
from lowtide.model.errors import LowtideError


def test_the_example_of_this_checkout_is_found() -> None:
    assert (example_folder() / "cluster.yaml").is_file()


def test_an_installed_package_carries_the_example_beside_its_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "lowtide"
    folder = package / "examples" / "noble-gpu"
    folder.mkdir(parents=True)
    (folder / "cluster.yaml").write_text("")
    monkeypatch.setattr(lowtide, "__file__", str(package / "__init__.py"))
    assert example_folder() == folder


def test_an_installation_without_the_example_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lowtide, "__file__", str(tmp_path / "a" / "b" / "__init__.py"))
    with pytest.raises(LowtideError) as raised:
        example_folder()
    assert "pip install" in raised.value.fix
