"""A token leads to the page that it was made for, and whatever else is given as one is known to be none."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.local.aws.tokens import place_of, start_of, token_of


@given(place=st.lists(st.integers(min_value=0), min_size=1, max_size=3))
def test_a_token_leads_to_its_page(place: list[int]) -> None:
    assert place_of(token_of(*place), len(place)) == tuple(place)
    assert place_of(token_of(*place), len(place) + 1) is None


@pytest.mark.parametrize(
    "text", ["\N{SUPERSCRIPT TWO}", "-1", " 1", "+1", "1_0", "01", "1.2", "", "9" * 5000]
)
def test_no_other_spelling_of_a_number_is_a_token(text: str) -> None:  # fmt: skip
    encoded = base64.urlsafe_b64encode(text.encode()).decode()
    assert start_of(text) is None or text == ""
    assert start_of(encoded) is None or encoded == ""
    assert start_of(f"!{token_of(1)}") is None


@given(token=st.text(min_size=1))
def test_any_text_is_a_token_of_ours_or_none(token: str) -> None:
    start = start_of(token)
    assert start is None or token_of(start) == token
