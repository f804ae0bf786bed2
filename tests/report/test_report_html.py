from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from lowtide.model.errors import LowtideError
from lowtide.model.simulation import Simulation
from lowtide.report import html
from lowtide.report.html import simulation_html

MOST_BYTES = 1_500_000


@pytest.fixture(autouse=True)
def _needs_the_report_extra(request: pytest.FixtureRequest) -> None:
    if "without_the_extra" not in request.node.name:
        pytest.importorskip("vl_convert", reason="needs the extra lowtide[report]")


class Page(HTMLParser):
    """What a browser would read of the page: its elements, texts and scripts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self.styles: list[str] = []
        self._inside = ""
        self._type: str | None = None
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside, self._type = tag, dict(attrs).get("type")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append((self._type, data))
        elif self._inside == "style":
            self.styles.append(data)
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    @property
    def data(self) -> dict[str, Any]:
        (found,) = [text for kind, text in self.scripts if kind == "application/json"]
        parsed: dict[str, Any] = json.loads(found)
        return parsed


def test_the_page_tells_the_headline_the_cost_and_the_baselines(tide: Simulation) -> None:
    text = Page(simulation_html(tide)).text
    assert "20 pods ran, the first after 3m41s." in text
    assert "0 → 10 → 0 → 10 → 0 GPU nodes in 3 zones." in text
    assert "\N{MINUS SIGN}80 %" in text
    assert "this run is 22 % above" in text
    assert "GPU nodes, spot$2.5472 %" in text


def test_the_same_simulation_gives_the_same_bytes(tide: Simulation) -> None:
    assert simulation_html(tide) == simulation_html(tide)


def test_nothing_is_loaded_from_anywhere(tide: Simulation) -> None:
    page = Page(simulation_html(tide))
    loading = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}
    loaded = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in loading and not (value or "").startswith("#")
    ]
    assert loaded == []
    assert {tag for tag, _ in page.elements}.isdisjoint({"link", "iframe", "img", "object"})
    assert not any(re.search(r"@import|url\(", style) for style in page.styles)


def test_the_policy_allows_the_pages_own_code_by_hash_and_no_network(tide: Simulation) -> None:
    page = Page(simulation_html(tide))
    policy = next(
        attributes["content"] or ""
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    code = [text for kind, text in page.scripts if kind is None]
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].split() == [digest(text) for text in code]
    assert rules["style-src"].split() == [digest(text) for text in page.styles]
    assert "unsafe" not in policy
    assert "connect-src" not in rules


def test_the_plot_library_is_in_the_page_once(tide: Simulation) -> None:
    page = Page(simulation_html(tide))
    big = [text for kind, text in page.scripts if kind is None and len(text) > 100_000]
    assert len(big) == 1
    assert len(page.data["charts"]) == 5


def test_plot_data_are_rows_of_numbers_that_end_with_the_run(tide: Simulation) -> None:
    data = Page(simulation_html(tide)).data
    assert data["zones"] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    assert {len(row) for row in data["rows"]} == {len(data["columns"])}
    column = data["columns"].index
    assert max(row[column("nodes")] for row in data["rows"]) == 10
    assert max(row[column("z0")] for row in data["rows"]) == 4
    assert max(row[column("paid")] for row in data["rows"]) == 10
    assert data["rows"][-1][column("t")] == data["end"] == 8520


def test_a_long_run_stays_small_keeps_its_peaks_and_says_what_it_leaves_out(
    long_run: Callable[[int], Simulation],
) -> None:
    source = simulation_html(long_run(20_000))
    page = Page(source)
    assert len(source.encode()) < MOST_BYTES
    assert len(page.data["rows"]) < 1_300
    pending = page.data["columns"].index("pending")
    assert max(row[pending] for row in page.data["rows"]) == 777
    assert re.search(r"Plots show [\d,]+ of 20,000 changes; every peak is kept\.", page.text)
    assert re.search(r"through the first [\d,]+ of 20,000; -o json has all\.", page.text)


def test_huge_reasons_and_many_refused_pods_do_not_make_the_page_big(
    tide: Simulation, refused: Simulation
) -> None:
    (group,) = refused.pods.refused
    many = replace(
        group,
        pods=tuple(f"default/pod-{n}" for n in range(50_000)),
        reasons={f"node/ip-{n}": ("Insufficient nvidia.com/gpu",) for n in range(5_000)},
    )
    decision = replace(tide.decisions[0], why="x" * 100_000)
    source = simulation_html(
        replace(
            refused,
            pods=replace(refused.pods, refused=(many,)),
            decisions=(decision,) * 50,
        )
    )
    assert len(source.encode()) < MOST_BYTES
    assert "and 49,960 more" in source


def test_names_and_reasons_of_users_stay_text(refused: Simulation) -> None:
    source = simulation_html(refused)
    page = Page(source)
    assert "img" not in {tag for tag, _ in page.elements}
    assert "evil-</script><img src=x onerror=alert(1)>{{style}}\\x1b[31m" in page.text
    assert "\x1b" not in source
    assert "</script>" in page.data["decisions"][0][1]
    assert len([kind for kind, _ in page.scripts if kind is None]) == 2


def test_refused_pods_and_notices_are_said_at_the_top_and_explained_below(
    refused: Simulation,
) -> None:
    page = Page(simulation_html(refused))
    roles = [attributes.get("role") for _, attributes in page.elements]
    assert {"alert", "note"} <= set(roles)
    assert "4 pods never ran: no group tolerates the pod." in page.text
    assert "node/ip-10-0-0-10Insufficient nvidia.com/gpu" in page.text
    assert ("a", {"href": "#refused"}) in page.elements


def test_a_run_with_nothing_in_it_makes_a_page_too(quiet: Simulation) -> None:
    page = Page(simulation_html(quiet))
    assert "No pod was asked for." in page.text
    assert "Pods that never ran" not in page.text
    empty = Page(simulation_html(replace(quiet, states=())))
    assert [chart["id"] for chart in empty.data["charts"]] == ["baselines"]


def test_every_part_has_a_heading_and_every_control_a_name(tide: Simulation) -> None:
    page = Page(simulation_html(tide))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    labelled = [
        attributes["aria-labelledby"]
        for tag, attributes in page.elements
        if tag in {"section", "figure"}
    ]
    assert labelled
    assert set(labelled) <= ids
    assert [tag for tag, _ in page.elements if tag == "h1"] == ["h1"]
    assert ("html", {"lang": "en"}) in page.elements


def test_without_the_extra_the_error_says_what_to_install(
    tide: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    html._bundle.cache_clear()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(LowtideError) as caught:
        simulation_html(tide)
    assert "pip install -e '.[report]'" in caught.value.fix
    assert caught.value.exit_code == 1
