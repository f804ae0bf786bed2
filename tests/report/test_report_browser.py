"""The page in a real browser: the system's Chromium, driven by the system's chromedriver."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lowtide.model.simulation import Simulation
from lowtide.report.html import simulation_html

pytestmark = pytest.mark.slow

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: How long a busy machine may take to draw; no figure is made of it.
PATIENCE_S = 60


def _first_on_path(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(
            f"needs {' or '.join(names)} (Debian: apt-get install chromium chromium-driver)"
        )
    return found


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A headless Chromium with an empty profile that keeps its console."""
    pytest.importorskip("vl_convert", reason="needs the extra lowtide[report]")
    webdriver = pytest.importorskip("selenium.webdriver")
    service = pytest.importorskip("selenium.webdriver.chrome.service")
    options = webdriver.ChromeOptions()
    options.binary_location = _first_on_path("chromium", "chromium-browser")
    for argument in (
        *ARGUMENTS,
        "--window-size=1280,1000",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=service.Service(_first_on_path("chromedriver"))
    )
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Callable[[Simulation], None]:
    """A function that opens a simulation's page and waits until its plots are drawn."""

    def open_it(simulation: Simulation) -> None:
        file = tmp_path / "report.html"
        file.write_text(simulation_html(simulation), encoding="utf-8")
        browser.get(file.as_uri())
        wait_until_drawn(browser, 1)

    return open_it


def wait_until(browser: Any, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, PATIENCE_S).until(lambda driver: driver.execute_script(script))


def wait_until_drawn(browser: Any, times: int) -> None:
    wait_until(browser, f"return Number(document.documentElement.dataset.drawn) >= {times}")


def resize(browser: Any, width: int, height: int) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )


def marks(browser: Any, chart: str, kind: str) -> list[str]:
    """Return the outlines of the drawn marks of a kind (area, rect, line, text) of a plot."""
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll(`#plot-${arguments[0]} svg .mark-${arguments[1]}"
        ".role-mark path`)].map(path => path.getAttribute('d'))",
        chart,
        kind,
    )
    return found


def axis_labels(browser: Any, chart: str) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll(`#plot-${arguments[0]} .role-axis-label text`)]"
        ".map(text => text.textContent)",
        chart,
    )
    return found


def background(browser: Any) -> tuple[int, ...]:
    color = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    return tuple(int(part) for part in color[len("rgb(") : -1].split(","))


def assert_no_complaint(browser: Any) -> None:
    """Nothing at all in the console: no error, no refused resource, no warning."""
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_plots_are_drawn_in_both_themes_and_follow_the_button(
    browser: Any, open_page: Callable[[Simulation], None], tide: Simulation
) -> None:
    open_page(tide)
    light, light_ink = background(browser), label_color(browser)
    assert min(light) > 200
    assert_plots_are_drawn(browser)
    browser.find_element("id", "theme").click()
    wait_until_drawn(browser, 2)
    assert max(background(browser)) < 60
    assert label_color(browser) != light_ink
    assert_plots_are_drawn(browser)
    browser.find_element("id", "theme").click()
    wait_until_drawn(browser, 3)
    assert (background(browser), label_color(browser)) == (light, light_ink)
    assert_no_complaint(browser)


def assert_plots_are_drawn(browser: Any) -> None:
    assert len(marks(browser, "nodes", "area")) == 3
    for chart, layers in (("pods", 2), ("gpus", 2), ("price", 1)):
        assert len(marks(browser, chart, "area")) == layers
    assert all(len(path) > 100 for path in marks(browser, "nodes", "area"))
    assert len(marks(browser, "baselines", "rect")) == 4
    assert "30m" in axis_labels(browser, "nodes")
    assert "10" in axis_labels(browser, "nodes")


def label_color(browser: Any) -> str:
    color: str = browser.execute_script(
        "return document.querySelector('#plot-nodes .role-axis-label text').getAttribute('fill')"
    )
    return color


def test_a_system_in_dark_mode_gets_a_dark_page(
    browser: Any, open_page: Callable[[Simulation], None], tide: Simulation
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    open_page(tide)
    assert max(background(browser)) < 60
    assert browser.find_element("id", "theme").text.endswith("Light")
    assert_no_complaint(browser)


def test_pointing_at_a_plot_tells_the_exact_values(
    browser: Any, open_page: Callable[[Simulation], None], tide: Simulation
) -> None:
    from selenium.webdriver import ActionChains

    open_page(tide)
    plot = browser.find_element("id", "plot-nodes")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    ActionChains(browser).move_to_element_with_offset(plot, -plot.size["width"] // 4, 0).perform()
    wait_until(browser, "return document.querySelector('#vg-tooltip-element.visible') !== null")
    said = browser.find_element("id", "vg-tooltip-element").text
    assert "GPU nodes 10" in said
    assert "us-east-1a 4" in said
    assert "us-east-1c 3" in said
    assert_no_complaint(browser)


def test_dragging_across_one_plot_zooms_all_and_the_buttons_move_the_window(
    browser: Any, open_page: Callable[[Simulation], None], tide: Simulation
) -> None:
    from selenium.webdriver import ActionChains

    open_page(tide)
    window = browser.find_element("id", "window")
    assert window.text == "0:00:00 to 2:22:00"
    plot = browser.find_element("id", "plot-nodes")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    half = plot.size["width"] // 2
    ActionChains(browser).move_to_element_with_offset(
        plot, -half + 20, 0
    ).click_and_hold().move_by_offset(half - 60, 0).move_by_offset(40, 0).release().perform()
    wait_until(browser, "return !document.querySelector('#window').textContent.endsWith('2:22:00')")
    wait_until(
        browser,
        "return ![...document.querySelectorAll('#plot-price .role-axis-label text')]"
        ".some(text => text.textContent === '2h')",
    )
    assert axis_labels(browser, "pods") != axis_labels(browser, "baselines")
    narrow = window.text
    browser.find_element("css selector", "[data-zoom=in]").click()
    assert window.text not in {narrow, "0:00:00 to 2:22:00"}
    browser.find_element("css selector", "[data-zoom=on]").click()
    assert not window.text.startswith("0:00:00")
    browser.find_element("css selector", "[data-zoom=all]").click()
    assert window.text == "0:00:00 to 2:22:00"
    assert_no_complaint(browser)


def test_decisions_are_filtered_by_words_and_by_actor_and_mark_their_time(
    browser: Any, open_page: Callable[[Simulation], None], tide: Simulation
) -> None:
    from selenium.webdriver.support.ui import Select

    open_page(tide)
    shown = browser.find_element("id", "shown")
    assert shown.text == "50 of 50 shown"
    search = browser.find_element("id", "search")
    search.send_keys("GPU-SPOT-B desired")
    assert shown.text == "2 of 50 shown"
    search.clear()
    search.send_keys("x")
    search.clear()
    search.send_keys(" ")
    actors = Select(browser.find_element("id", "actor"))
    assert [one.text for one in actors.options] == [
        "everybody",
        "autoscaler",
        "scenario",
        "scheduler",
    ]
    actors.select_by_visible_text("scenario")
    assert shown.text == "4 of 50 shown"
    visible = browser.execute_script(
        "return [...document.querySelectorAll('#rows tr')].filter(row => row.offsetParent).length"
    )
    assert visible == 4
    browser.find_element(
        "css selector", "#rows tr:not([hidden]) + tr:not([hidden]), #rows button"
    ).click()
    wait_until(
        browser, "return document.querySelector('#plot-nodes .mark-rule.role-mark line') !== null"
    )
    assert len(browser.find_elements("css selector", "#rows tr.marked")) == 1
    assert_no_complaint(browser)


def test_the_page_fits_a_phone(
    browser: Any, open_page: Callable[[Simulation], None], tide: Simulation, refused: Simulation
) -> None:
    resize(browser, 390, 844)
    for simulation in (tide, refused):
        open_page(simulation)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
        plots = browser.execute_script(
            "return [...document.querySelectorAll('.plot svg')].map(svg => svg.getBoundingClientRect().width)"
        )
        assert len(plots) == 5
        assert all(200 < width < 390 for width in plots)
        assert_no_complaint(browser)


def test_plots_follow_the_width_of_the_window(
    browser: Any, open_page: Callable[[Simulation], None], tide: Simulation
) -> None:
    open_page(tide)
    resize(browser, 390, 844)
    wait_until(
        browser,
        "return document.querySelector('#plot-nodes svg').getBoundingClientRect().width < 390",
    )
    resize(browser, 1280, 1000)
    wait_until(
        browser,
        "return document.querySelector('#plot-nodes svg').getBoundingClientRect().width > 400",
    )
    assert_no_complaint(browser)


@pytest.mark.parametrize("case", ["quiet", "refused", "long"])
def test_odd_runs_are_drawn_without_a_complaint(
    browser: Any,
    open_page: Callable[[Simulation], None],
    quiet: Simulation,
    refused: Simulation,
    long_run: Callable[[int], Simulation],
    case: str,
) -> None:
    simulation = {"quiet": quiet, "refused": refused, "long": long_run(20_000)}[case]
    open_page(simulation)
    assert len(browser.find_elements("css selector", ".plot svg")) == 5
    assert browser.find_elements("tag name", "img") == []
    assert_no_complaint(browser)
