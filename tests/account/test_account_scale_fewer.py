"""``scale`` below the wanted number ends nodes: it says how many, and asks."""

from __future__ import annotations

import pytest

from tests.account.conftest import Cloud, Lowtide
from tests.account.test_account_node_groups import NAMED, group, only, scaled


@pytest.mark.parametrize(
    ("most", "words"),
    [
        ("1", "WARNING: 2 nodes end, whatever runs on them"),
        ("2", "WARNING: 1 node ends, whatever runs on it"),
    ],
)
def test_nodes_that_end_are_counted_and_asked_for(
    most: str, words: str, cloud: Cloud, vision: str, lowtide: Lowtide
) -> None:
    group(cloud, DesiredCapacity=3)
    ran = scaled(lowtide, "--max", most, *NAMED)
    assert ran.code == 2, "there is no terminal to ask at"
    assert words in ran.err
    assert f"it wants 3 nodes now, and will want {most}" in ran.err
    assert only(cloud).max_size == 4
    ran = scaled(lowtide, "--max", most, "--yes", *NAMED)
    assert ran.code == 0
    assert words in ran.err
    assert only(cloud).desired == int(most)


def test_where_none_ends_nothing_is_said_of_it(cloud: Cloud, vision: str, lowtide: Lowtide) -> None:
    group(cloud, DesiredCapacity=2)
    ran = scaled(lowtide, "--max", "2", *NAMED)
    assert ran.code == 0
    assert "WARNING" not in ran.err
