"""Three hundred broken cluster files: each is refused in words, and none ends in a traceback or a hang."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

Lowtide = Callable[..., Any]

OTHER_TYPES: tuple[Any, ...] = (None, True, -1, 3.7, "text", [], [1, "a"], {}, {"a": {"b": []}})
PER_WAY = 60


def truncated(draw: random.Random, good: str) -> bytes:
    return good[: draw.randrange(len(good))].encode()


def with_control_bytes(draw: random.Random, good: str) -> bytes:
    raw = bytearray(good.encode())
    for _ in range(draw.randrange(1, 5)):
        raw[draw.randrange(len(raw))] = draw.choice([0, 1, 7, 27, 127, 128, 255])
    return bytes(raw)


def with_swapped_type(draw: random.Random, good: str) -> bytes:
    content = yaml.safe_load(good)
    holder, key = draw.choice(list(places(content)))
    holder[key] = draw.choice(OTHER_TYPES)
    return yaml.safe_dump(content).encode()


def with_random_key(draw: random.Random, good: str) -> bytes:
    content = yaml.safe_load(good)
    mappings = [
        content,
        *(holder[key] for holder, key in places(content) if isinstance(holder[key], dict)),
    ]
    name = "".join(draw.choices("abcXYZ .:-_/{[&*!\u00e9\U0001f40b", k=draw.randrange(1, 9)))
    draw.choice(mappings)[name] = draw.choice(OTHER_TYPES)
    return yaml.safe_dump(content, allow_unicode=True).encode()


def with_wrong_nesting(draw: random.Random, good: str) -> bytes:
    lines = good.splitlines()
    place = draw.randrange(len(lines))
    lines[place] = draw.choice([" ", "  ", "    ", "\t", "- "]) + lines[place]
    return "\n".join(lines).encode()


WAYS = (truncated, with_control_bytes, with_swapped_type, with_random_key, with_wrong_nesting)


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) for every value of a document."""
    keys = content if isinstance(content, dict) else range(len(content))
    for key in list(keys):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from places(content[key])


@pytest.fixture
def good(lowtide: Lowtide) -> str:
    """The text of a good cluster file."""
    text = lowtide("init", "-f", "-").out
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_broken_file_is_exit_code_two_or_accepted_by_the_published_schema_too(
    lowtide: Lowtide,
    good: str,
    shared_data: Callable[[str], Path],
    way: Callable[[random.Random, str], bytes],
) -> None:
    """Exit code 3 is a file of the right form with a wrong meaning, such as an unknown instance type."""
    schema = json.loads(shared_data("eksctl/clusterconfig_v1alpha5.schema.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    draw = random.Random(way.__name__)  # noqa: S311 - a repeatable variety of files
    for number in range(PER_WAY):
        broken = way(draw, good)
        Path("cluster.yaml").write_bytes(broken)
        ran = lowtide("check", "-o", "json")
        assert ran.code in {0, 2, 3}, (number, ran.err)
        assert "Traceback" not in ran.err, (number, ran.err)
        if ran.code == 0:
            assert validator.is_valid(yaml.safe_load(broken)), (number, broken.decode())
        else:
            assert [one for one in ran.document["findings"] if one["severity"] == "error"], number
