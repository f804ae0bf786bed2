"""Three hundred broken cluster files: each ends in findings, or the published schema accepts it too."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml

from lowtide.model.errors import InputError
from lowtide.spec import document as doc
from tests.conftest import find_shared
from tests.spec.cluster_texts import FULL, HEAD, read_or_refuse, seeded

SCHEMA = "eksctl/clusterconfig_v1alpha5.schema.json"
_JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2.5,
    "",
    "x",
    "true:NoSchedule",
    [],
    {},
    [1],
    {"a": "b"},
    [None],
)


def _containers(data: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of the data."""
    if isinstance(data, dict):
        pairs = list(data.items())
    elif isinstance(data, list):
        pairs = list(enumerate(data))
    else:
        return []
    below = [one for _, value in pairs for one in _containers(value)]
    return [(data, key) for key, _ in pairs] + below


def truncated(rng: random.Random) -> str:
    return FULL[: rng.randrange(len(FULL))]


def with_swapped_types(rng: random.Random) -> str:
    data = yaml.safe_load(FULL)
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(_containers(data))
        container[key] = rng.choice(_JUNK)
    return json.dumps(data, indent=1)


def with_wrong_nesting(rng: random.Random) -> str:
    data = yaml.safe_load(FULL)
    source, key = rng.choice(_containers(data))
    target, place = rng.choice(_containers(data))
    moved = json.loads(json.dumps(source[key]))
    if isinstance(target, dict):
        target[str(key)] = moved
    else:
        target[place] = moved
    return yaml.safe_dump(data, sort_keys=False)


def with_moved_lines(rng: random.Random) -> str:
    lines = FULL.splitlines()
    for _ in range(rng.randint(1, 4)):
        index = rng.randrange(len(lines))
        lines[index] = rng.choice((" ", "   ", "\t", "- ")) + lines[index]
    return "\n".join(lines)


def with_random_keys(rng: random.Random) -> str:
    data = yaml.safe_load(FULL)
    mappings = [(owner, key) for owner, key in _containers(data) if isinstance(owner, dict)]
    owner, key = rng.choice(mappings)
    letters = list(str(key))
    letters[rng.randrange(len(letters))] = rng.choice("abcXYZ_-./ 1")
    owner["".join(letters)] = owner.pop(key)
    return yaml.safe_dump(data, sort_keys=False)


def with_control_bytes(rng: random.Random) -> str:
    index = rng.randrange(len(FULL))
    return FULL[:index] + rng.choice("\x00\x01\x08\x1b\x7f\x84\ufffe") + FULL[index:]


def with_noise(rng: random.Random) -> str:
    text = list(FULL)
    for _ in range(rng.randint(1, 6)):
        text[rng.randrange(len(text))] = rng.choice("{}[]:,&*!|>'\"%@`#-?~\n 0a")
    return "".join(text)


MUTATIONS: tuple[Callable[[random.Random], str], ...] = (
    truncated,
    with_swapped_types,
    with_wrong_nesting,
    with_moved_lines,
    with_random_keys,
    with_control_bytes,
    with_noise,
)


def is_read(text: str) -> bool:
    """Return whether the text was read; what is read must satisfy the published schema."""
    result = read_or_refuse(text, "broken.yaml")
    if isinstance(result, InputError):
        assert result.findings
        assert all(one.mark.line and one.message for one in result.findings)
        assert result.why
        assert result.where.startswith("broken.yaml:")
        return False
    path = find_shared(SCHEMA)
    if path is not None:
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft7Validator(schema).validate(result.document.data)
    return True


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_broken_files_end_in_findings(mutation: Callable[[random.Random], str]) -> None:
    rng = seeded(mutation.__name__)
    read = sum(is_read(mutation(rng)) for _ in range(43))
    assert read < 43  # a mutation that breaks nothing would prove nothing


def test_the_file_they_are_made_from_is_read() -> None:
    assert is_read(FULL)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_many_more_broken_files_end_in_findings(seed: int) -> None:
    rng = seeded(seed)
    for _ in range(50):
        is_read(rng.choice(MUTATIONS)(rng))


@pytest.mark.parametrize("seed", range(4))
def test_two_megabytes_of_garbage_end_in_a_finding(seed: int) -> None:
    rng = seeded(seed)
    alphabet = ("ab {}:\n", "-[],\n a", "".join(map(chr, range(32, 127))), "\x00\xff \n")[seed]
    text = "".join(rng.choices(alphabet, k=2_000_000))
    result = read_or_refuse(text)
    assert isinstance(result, InputError)
    assert 0 < len(result.findings) <= doc.MAX_FINDINGS


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}{'k' * 1_000_000}: 1\n",
        HEAD.replace("tide", "é" * 1_000_000),
        f"{HEAD}nodeGroups: [{{name: a, labels: {{a: '{'v' * 1_000_000}'}}}}]\n",
        f"{HEAD}{'k' * 1_000_000}: 1\n{'k' * 1_000_000}: 1\n",
    ],
    ids=["key", "value", "label", "duplicate"],
)
def test_a_megabyte_in_the_wrong_place_is_not_repeated_in_the_message(text: str) -> None:
    result = read_or_refuse(text)
    assert isinstance(result, InputError)
    assert all(len(one.message + one.path + one.fix) < 2000 for one in result.findings)
