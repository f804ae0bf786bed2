"""What the product imports is what an installation without the developers' tools brings.

Why it exists: the developers' environment has every package, so an import that no extra declares fails at users alone.
"""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lowtide.app import local_home

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
_EXTRAS: dict[str, list[str]] = _PROJECT["optional-dependencies"]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0].lower().replace("_", "-")


def _with_what_they_bring(requirements: list[str]) -> set[str]:
    """Return the names of distributions and all that these require without an extra; one not installed stands alone."""
    found: set[str] = set()
    waiting = [_name(one) for one in requirements]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        waiting += [_name(one) for one in needs if "extra ==" not in one]
    return found


def _imported(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules = [node.module]
            else:
                continue
            for module in modules:
                top = module.split(".", maxsplit=1)[0]
                if top != "lowtide" and top not in sys.stdlib_module_names:
                    yield top, str(path.relative_to(_ROOT))


@pytest.mark.parametrize(
    ("room", "extras"),
    [("local", ["local"]), ("report", ["report"]), ("", ["local", "report", "parquet"])],
)
def test_every_package_that_a_room_imports_is_declared_outside_the_developers_tools(
    room: str, extras: list[str]
) -> None:
    declared = _with_what_they_bring(
        [*_PROJECT["dependencies"], *(one for extra in extras for one in _EXTRAS[extra])]
    )
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        f"{top} ({path})"
        for top, path in _imported(_ROOT / "src" / "lowtide" / room)
        if not declared & {one.lower().replace("_", "-") for one in providers.get(top, [top])}
    }
    assert not undeclared


def test_the_box_looks_for_every_package_of_its_extra_before_it_starts() -> None:
    providers = importlib.metadata.packages_distributions()
    looked_for = {one.lower() for top in local_home.EXTRA for one in providers.get(top, [top])}
    assert {_name(one) for one in _EXTRAS["local"]} <= looked_for
