"""docs/life.md says for what ``down`` looks."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("boto3")

from lowtide.aws.live.account import Account
from lowtide.aws.live.remains.asking import Asking
from lowtide.aws.live.remains.removing import KINDS
from tests.conftest import ROOT


def _page() -> str:
    page = (ROOT / "docs" / "life.md").read_text("utf-8")
    return " ".join(
        page.partition("## What `down` does")[2].partition("## What can go wrong")[0].split()
    )


def test_the_page_names_every_kind_and_their_number() -> None:
    page = _page().lower()
    words = {"classic load balancer": "classic ones", "EKS node group": "node group"}
    missing = [one for one in KINDS if words.get(one, one).lower() not in page]
    assert missing == []
    assert set(re.findall(r"(\d+) kinds", page)) == {str(len(KINDS))}


def test_the_page_names_every_tag() -> None:
    keys = Asking(Account("us-east-1"), "NAME").tags
    assert [
        one for one in keys if f"`{one}`" not in _page() and f"`{one}=owned`" not in _page()
    ] == []
