"""What runs against AWS is what runs against the embedded AWS: outside ``local`` nothing asks which of the two it is.

Code that took another way beside a box would make every test in a box worthless. Who may know of a box, or of an
address on this machine, is listed here with its reason; anything else fails this test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

SOURCE = ROOT / "src" / "lowtide"
#: What gives such a branch away.
SIGNS = {
    "endpoint": r"AWS_ENDPOINT_URL|\bendpoint_url\b",
    "loopback": r"\b127(\.|\()|\blocalhost\b|::1|\bis_loopback\b",
    "moto": r"\bmoto\b",
    "box": r"\blowtide\.local\b(?!-)",
    "test": r"(?i)pytest|unittest|\b123456789012\b",
}
#: The verbs of ``lowtide local`` and of the demo work on a box: that is what they are for.
BOX = {"box"}
KNOWN: dict[str, set[str]] = {
    "app/demo_local.py": BOX,
    "app/local_aws.py": BOX,
    "app/local_box.py": BOX,
    "app/local_build.py": BOX,
    "app/local_door.py": BOX | {"endpoint"},  # the box that the pasted lines name is the one meant
    "app/local_down.py": BOX,
    "app/local_home.py": BOX | {"moto"},  # what lowtide[local] installs
    "app/local_logs.py": BOX,
    "app/local_status.py": BOX,
    "app/local_up.py": BOX,
    # Prices that an endpoint of one's own told count for it alone, whoever serves there.
    "app/price_cache.py": {"endpoint", "loopback"},
    "aws/live/session.py": {"endpoint"},  # named in what to look at when AWS cannot be reached
    "cli/local_aws.py": {"endpoint"},  # help
    "cli/local_build.py": BOX,
    "cli/local_fault.py": {"endpoint"},  # help
}


def spoken(tree: ast.Module) -> Iterator[str]:
    """Return the texts of a module that act: names, imports, and strings that are no docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                yield node.value
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.Attribute):
            yield node.attr


def signs_in(text: str) -> set[str]:
    said = "\n".join(spoken(ast.parse(text)))
    return {name for name, pattern in SIGNS.items() if re.search(pattern, said)}


def test_only_the_named_modules_know_of_a_box_or_of_an_address_on_this_machine() -> None:
    local = SOURCE / "local"
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if not path.is_relative_to(local) and (signs := signs_in(path.read_text("utf-8"))):
            found[str(Path(path).relative_to(SOURCE))] = signs
    assert found == KNOWN


def test_a_branch_on_a_box_is_seen_and_words_about_it_are_not() -> None:
    assert signs_in('if "127.0.0.1" in url: pass') == {"loopback"}
    assert signs_in('os.environ.get("AWS_ENDPOINT_URL_EKS")') == {"endpoint"}
    assert signs_in("boto3.client('eks', endpoint_url=url)") == {"endpoint"}
    assert signs_in("from lowtide import local\nlocal.box") == {"box"}
    assert signs_in("import moto") == {"moto"}
    assert signs_in('if account == "123456789012": pass') == {"test"}
    assert signs_in('"""It works with moto at localhost, AWS_ENDPOINT_URL set."""\n# moto') == set()
