"""The page in a real browser: sliders by keyboard, numbers, errors, requests, widths."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from math import isclose
from typing import Any

import pytest

from empirical.cli.app import run
from empirical.report.explorer.formulas import FORMULAS
from tests.report.explorer_inputs import HOSTILE, write_inputs
from tests.report.test_explorer_vectors import FILE, PROMISED, differences

pytestmark = pytest.mark.slow

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RIGHT, TAB, UP, DOWN, END = "\ue014", "\ue004", "\ue013", "\ue015", "\ue010"
"""Keys as WebDriver sends them."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium with the page of every input, one group of them named in bad faith."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with its chromedriver on the PATH")
    folder = tmp_path_factory.mktemp("explorer")
    inputs = [word for pair in write_inputs(folder, HOSTILE).items() for word in pair]
    page = folder / "page.html"
    assert run(["report", *inputs, "--no-league", "--out", str(page)]) == 0
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    started = webdriver.Chrome(options=options, service=service)
    try:
        resize(started, 1280)
        # What the browser's own first page says and loads is not this page's.
        started.get_log("browser")
        started.get_log("performance")
        started.get(page.as_uri())
        yield started
    finally:
        started.quit()
        service.stop()


def resize(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def ask(browser: Any, script: str, *arguments: Any) -> Any:
    return browser.execute_script(script, *arguments)


def contents(browser: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        ask(browser, "return document.getElementById('contents').textContent")
    )
    return found


def shown(browser: Any, scene: str) -> dict[str, Any]:
    """The place that the sliders point at, every number in the table, and the drawing."""
    found: dict[str, Any] = ask(
        browser,
        """
        const scene = document.getElementById(arguments[0]);
        const cells = [...scene.querySelectorAll("td[id]")].map((cell) => {
          const data = cell.querySelector("data");
          const ends = cell.querySelector("[data-low]");
          return [cell.id, data && Number(data.value),
                  ends && [Number(ends.dataset.low), Number(ends.dataset.high)]];
        });
        const drawn = [...scene.querySelectorAll(".pinned .curve")];
        const curves = drawn.map((each) => each.getAttribute("d"));
        const said = [...scene.querySelectorAll("output")].map((each) => each.textContent);
        const status = scene.querySelector("[role=status]").textContent;
        return { place: JSON.parse(scene.dataset.place), cells, curves, said, status };
        """,
        scene,
    )
    return found


def check_numbers(scene: dict[str, Any], found: dict[str, Any]) -> int:
    """Every number and interval of the table is the toolkit's at that place; how many there are."""
    numbers = 0
    for name, value, interval in found["cells"]:
        *_, index, way = name.split("-")
        method = scene["methods"][int(index)]
        evaluate = getattr(FORMULAS[method["formula"]], way)
        wanted = (
            evaluate(scene["sources"].get(method["source"]), found["place"]) if evaluate else {}
        )
        assert (value is None) == (wanted.get("learning_rate") is None)
        if value is not None:
            assert isclose(value, wanted["learning_rate"], rel_tol=PROMISED)
            assert not differences(interval, wanted["interval95"], PROMISED)
            numbers += 1
    return numbers


def choose(browser: Any, scene: str, way: str) -> None:
    browser.find_element("css selector", f"input[name='{scene}-show'][value='{way}']").click()


def test_the_page_s_own_formulas_agree(browser: Any) -> None:
    """Another language: the shared vectors, evaluated by the script of the page itself."""
    vectors = json.loads(FILE.read_text(encoding="utf-8"))
    found = ask(
        browser,
        """
        const { sources, vectors } = JSON.parse(arguments[0]);
        return JSON.stringify(vectors.map((each) =>
          window.explorer.formulas[each.formula][each.way](sources[each.source], each.at)));
        """,
        json.dumps(vectors),
    )
    wanted = [vector["answer"] for vector in vectors["vectors"]]
    assert not differences(json.loads(found), wanted, PROMISED)


@pytest.mark.parametrize("scene_at", [0, 1, 2], ids=["next step", "run from here", "fitted law"])
def test_every_slider_moves_by_keyboard(browser: Any, scene_at: int) -> None:
    """Another route: arrow keys move each slider; curves and numbers change to the toolkit's."""
    scene = contents(browser)["scenes"][scene_at]
    name = scene["name"]
    assert check_numbers(scene, shown(browser, name)) >= 4
    for slider in (*scene["sliders"], *scene["tuned"]):
        # A fitted law's horizon cancels in a ratio; the run law has nothing but ratios.
        way = "alone" if slider in scene["sliders"] and name != "measured-run" else "carried"
        choose(browser, name, way)
        before = shown(browser, name)
        identity = f"{name} {slider['name']}".replace(" ", "-")
        knob = browser.find_element("id", identity)
        at = int(knob.get_property("value"))
        knob.send_keys(RIGHT)
        after = shown(browser, name)
        assert int(knob.get_property("value")) == at + 1
        assert knob.get_attribute("aria-valuetext") == slider["texts"][at + 1]
        assert before["place"] != after["place"]
        moved = [b for a, b in zip(before["said"], after["said"], strict=True) if a != b]
        assert moved == [slider["texts"][at + 1]]
        assert before["curves"] != after["curves"]
        assert [cell[1] for cell in before["cells"]] != [cell[1] for cell in after["cells"]]
        check_numbers(scene, after)
        if slider["name"] == "batch_size":
            assert before["status"] != after["status"]
    # The far end of the batch sizes lies outside of what is known, and the table says so.
    browser.find_element("id", f"{name}-batch_size").send_keys(END)
    assert check_numbers(scene, shown(browser, name)) >= 4
    words = browser.find_element("id", name).text
    assert "outside: batch size" in words


def test_steps_kept_is_another_answer_than_tokens_kept(browser: Any) -> None:
    """Closed form: the choice is in the place, and a rule that claims nothing there says so."""
    scene = contents(browser)["scenes"][2]
    first = shown(browser, scene["name"])
    browser.find_element("css selector", "input[name='whole-run-keep'][value='steps']").click()
    second = shown(browser, scene["name"])
    assert second["place"]["keep"] == "steps"
    assert check_numbers(scene, second) < check_numbers(scene, first)
    assert "makes no claim when steps are kept" in browser.find_element("id", "whole-run").text
    browser.find_element("css selector", "input[name='whole-run-keep'][value='tokens']").click()


def test_everything_is_reached_with_the_keyboard(browser: Any) -> None:
    """Measurement: Tab visits every slider, choice and list, and shows where it is."""
    wanted = ask(
        browser,
        "return [...document.querySelectorAll('input[type=range], select, summary')].length",
    )
    ask(browser, "document.activeElement.blur(); window.scrollTo(0, 0)")
    body = browser.find_element("css selector", "body")
    body.click()
    visited, unseen = set(), []
    for _ in range(120):
        browser.switch_to.active_element.send_keys(TAB)
        label, outline = ask(
            browser,
            """
            const at = document.activeElement;
            const kinds = "input[type=range], select, summary";
            const place = [...document.querySelectorAll(kinds)].indexOf(at);
            return [place, getComputedStyle(at).outlineStyle];
            """,
        )
        if label >= 0:
            visited.add(label)
            unseen += [label] if outline == "none" else []
        if len(visited) == wanted:
            break
    assert len(visited) == wanted
    assert not unseen


def test_lists_change_the_drawings(browser: Any) -> None:
    """Measurement: another slice has other cells, as many as the page's data; names stay text."""
    panel = contents(browser)["surfaces"]
    slices, start = panel["slices"], panel["start"]
    count = "return document.querySelectorAll('#surface .cell').length"
    drawing = "return document.getElementById('surface').innerHTML"
    cells = [sum(len(column["cells"]) for column in each["columns"]) for each in slices]
    assert ask(browser, count) == cells[start]
    before = ask(browser, drawing)
    # Up from the last one: the list of the test has two.
    browser.find_element("id", "slice").send_keys(UP if start else DOWN)
    assert ask(browser, count) == cells[1 - start]
    assert ask(browser, drawing) != before
    assert ask(browser, "return document.querySelector('#slice').selectedIndex") == 1 - start
    assert HOSTILE in ask(browser, "return document.querySelector('#slice option').textContent")
    assert ask(browser, "return window.broken") is None
    panels = contents(browser)["truth"][0]["panels"]
    assert ask(browser, "return document.querySelectorAll('#truth-charts svg').length") == len(
        panels
    )


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(browser: Any, width: int) -> None:
    """Measurement: the page does not scroll sideways, opened tables and all."""
    resize(browser, width)
    browser.refresh()
    ask(browser, "document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    inner, wide, charts = ask(
        browser,
        """
        const root = document.documentElement;
        const charts = [...document.querySelectorAll(".canvas svg")];
        return [root.clientWidth, root.scrollWidth,
                Math.max(...charts.map((each) => each.getBoundingClientRect().right))];
        """,
    )
    assert wide <= inner <= width
    assert charts <= inner


def test_the_chart_does_not_hide_the_slider_that_moves_it(browser: Any) -> None:
    """Measurement: on a phone the chart stays in sight, above the slider that has the focus."""
    resize(browser, 390)
    browser.refresh()
    hidden = ask(
        browser,
        """
        return [...document.querySelectorAll(".scene")].flatMap((scene) =>
          [...scene.querySelectorAll("input[type=range]")].filter((input) => {
            input.focus();
            const chart = scene.querySelector(".pinned").getBoundingClientRect();
            const knob = input.getBoundingClientRect();
            return knob.top < chart.bottom || knob.bottom > innerHeight || chart.bottom < 100;
          }).map((input) => input.id));
        """,
    )
    resize(browser, 1280)
    assert hidden == []


def test_no_error_and_no_request(browser: Any) -> None:
    """Measurement: after all of the above, the console is empty and nothing left the machine."""
    assert browser.get_log("browser") == []
    asked = ask(browser, "return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [name for name in asked if not name.startswith("data:")] == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"].startswith("file:")
    }
    assert sent
    assert not [url for url in sent if not url.startswith(("file:", "data:"))]


def test_the_log_would_tell(browser: Any) -> None:
    """Negative control: a forbidden request and a thrown error are both seen."""
    ask(browser, "fetch('https://127.0.0.1:9/').catch(() => 0); setTimeout(() => { throw 1; })")
    ask(browser, "return 1")
    said = " ".join(entry["message"] for entry in browser.get_log("browser"))
    assert "127.0.0.1" in said
