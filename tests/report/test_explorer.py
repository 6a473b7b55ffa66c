"""The page to explore: self-contained, escaped, its numbers those of the inputs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from empirical.report.explorer.page import LEVELS
from empirical.statistics_files import write_statistics
from tests.conftest import Shell
from tests.report.explorer_inputs import BATCHES, EPSILONS, HOSTILE, law, write_inputs, write_runs
from tests.report.synthetic import synthetic_report
from tests.transfer.surfaces import saved


class Page(HTMLParser):
    """Tags, attributes, and what stands in each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.words = ""
        self._within = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within != "style":
            self.words += data

    @property
    def contents(self) -> dict[str, Any]:
        """What the script works with."""
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found


def written(shell: Shell, folder: Path, *options: str) -> Page:
    out = folder / "page.html"
    code, _, problem = shell("report", *options, "--out", str(out), "--overwrite")
    assert code == 0, problem
    return Page(out.read_text(encoding="utf-8"))


def all_of(inputs: dict[str, str]) -> list[str]:
    return [word for pair in inputs.items() for word in pair]


@pytest.fixture
def page(shell: Shell, tmp_path: Path) -> Page:
    """Everything but the league."""
    return written(shell, tmp_path, *all_of(write_inputs(tmp_path)), "--no-league")


def test_nothing_is_loaded_from_anywhere(page: Page, tmp_path: Path) -> None:
    """Closed form: no address in the file, no element that loads, links stay on the page."""
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for address in ("http:", "https:", "//cdn", "@import", "url(", "fetch(", "XMLHttpRequest"):
        assert address not in text
    assert not {"iframe", "object", "embed", "form", "img", "base"} & set(page.tags)
    for name, value in page.attributes:
        assert name != "src"
        assert not name.startswith("on")
        if name == "href":
            assert value.startswith(("#", "data:,"))
    links = {value[1:] for name, value in page.attributes if name == "href" and value[0] == "#"}
    assert links <= {value for name, value in page.attributes if name == "id"}


def test_the_policy_allows_this_script_and_no_other(page: Page) -> None:
    """Another library: hashlib on the script as a browser reads it, against the policy."""
    assert len(page.scripts) == 2
    digest = hashlib.sha256(page.scripts[1].encode()).digest()
    wanted = f"script-src 'sha256-{base64.b64encode(digest).decode()}'"
    (policy,) = (value for name, value in page.attributes if name == "content" and "src" in value)
    assert policy.startswith("default-src 'none'")
    assert wanted in policy
    assert "connect-src" not in policy


def test_names_from_the_inputs_cannot_become_markup(shell: Shell, tmp_path: Path) -> None:
    """Closed form: a group called </script><script>... is text everywhere, the league included."""
    page = written(shell, tmp_path, "--runs", str(write_runs(tmp_path / "<b>runs<i>.csv", HOSTILE)))
    assert len(page.scripts) == 2
    assert not {"img", "b", "i"} & set(page.tags)
    assert page.contents["surfaces"]["slices"][0]["label"].startswith(HOSTILE)
    assert "<b>runs<i>.csv" in page.words
    assert "window.broken" not in page.scripts[1]
    assert "canonical" in page.words


def test_the_surfaces_are_the_runs(page: Page) -> None:
    """Slow brute force: mean loss over seeds of the table's own rows, cell by cell; counts."""
    slices = page.contents["surfaces"]["slices"]
    assert len(slices) == len(EPSILONS)
    for found in slices:
        assert [column["batch_size"] for column in found["columns"]] == list(BATCHES)
        for column in found["columns"]:
            trained = [cell for cell in column["cells"] if cell["loss"] is not None]
            assert len(trained) == 12 and len(column["cells"]) == 13
            assert [cell["runs"] for cell in trained] == [2] * 12
            assert column["cells"][-1] | {"rate": 0} == {
                "rate": 0, "loss": None, "runs": 0, "diverged": 2,
            }  # fmt: skip
    kinds = [[column["optimum"]["kind"] for column in found["columns"]] for found in slices]
    # The whole grid of that batch size lies below its optimum, and its top diverges.
    assert kinds == [["inside", "inside", "inside", "edge"], ["inside"] * 4]
    for found, epsilon in zip(slices, EPSILONS, strict=True):
        for column in found["columns"][:3]:
            planted = 1e-3 * (1 + 30 * epsilon) * column["batch_size"] ** 0.4
            assert column["optimum"]["low"] / 1.2 < planted < column["optimum"]["high"] * 1.2


def test_the_truth_is_the_demo_record(page: Page) -> None:
    """Closed form: every measured and predicted number and interval, as in the record."""
    report = synthetic_report()
    shown = page.contents["truth"][0]["panels"]
    found = {
        (point["batch_size"], point["rate"], point["low"], point["high"])
        for panel in shown
        for point in panel["series"]["measured"]
    }
    wanted = {
        (row["batch_size"], row["lr_measured"], *row["lr_measured_ci95"]) for row in report["rows"]
    }
    assert found == wanted
    predicted = {p["rate"] for panel in shown for p in panel["series"]["correlated"]}
    assert predicted == {row["lr_correlated"] for row in report["rows"]}


def test_the_sliders_hold_what_was_measured(page: Page) -> None:
    """Closed form: measured batch sizes and epsilons are stops, and each text is its value."""
    step, begun, run = page.contents["scenes"]
    batches, epsilons = (slider["values"] for slider in step["sliders"])
    surface = saved().surface
    assert set(surface.batch_sizes.tolist()) <= set(batches)
    assert set(surface.epsilons[:-1].tolist()) <= set(epsilons)
    assert batches == sorted(set(batches)) and epsilons == sorted(set(epsilons))
    for scene in (step, begun, run):
        for slider in (*scene["sliders"], *scene["tuned"]):
            assert len(slider["values"]) == len(slider["texts"]) == len(set(slider["texts"]))
    tokens = run["sliders"][1]
    assert tokens["name"] == "tokens"
    assert tokens["values"][0] >= 1e8 / 4 and tokens["values"][-1] <= 2e9 * 4
    assert run["sources"]["law"]["values"] == list(law().parameters.values())


def test_the_league_is_that_of_the_fit(shell: Shell, tmp_path: Path) -> None:
    """Another route: the page from runs and the page from fit's record show the same league."""
    runs = str(write_runs(tmp_path / "runs.csv"))
    assert shell("fit", runs, "--out", str(tmp_path / "fit"))[0] == 0
    record = json.loads((tmp_path / "fit" / "fit.json").read_text(encoding="utf-8"))
    once = written(shell, tmp_path, "--runs", runs)
    again = written(shell, tmp_path, "--fit", str(tmp_path / "fit" / "fit.json"))
    for page in (once, again):
        for row in record["league"]:
            assert row["formula"] in page.words
            for score in row["held_out"].values():
                assert f"{score['rms_ln_eta']:.3f}" in page.words
    assert once.contents["scenes"][0]["name"] == "whole-run"
    assert again.contents["surfaces"] is None


def test_other_runs_are_named_as_such(page: Page) -> None:
    """Closed form: the law of the test was fitted to another table than the one shown."""
    assert "comes from other runs" in page.words


def test_statistics_beside_a_demo_are_used(shell: Shell, tmp_path: Path) -> None:
    """Closed form: what `demo` leaves in one folder is one page; without them, no what-if."""
    (tmp_path / "report.json").write_text(json.dumps(synthetic_report()), encoding="utf-8")
    demo = str(tmp_path / "report.json")
    assert written(shell, tmp_path, "--demo", demo).contents["scenes"] == []
    write_statistics(tmp_path / "statistics", saved())
    scenes = written(shell, tmp_path, "--demo", demo).contents["scenes"]
    assert [scene["name"] for scene in scenes] == ["next-step", "measured-run"]


def test_runs_without_a_law_are_still_shown(shell: Shell, tmp_path: Path) -> None:
    """Closed form: one learning rate per batch size has no optimum; the page says so."""
    path = tmp_path / "few.csv"
    path.write_text("batch_size,batch_unit,lr,loss\n4,seq,0.1,2\n8,seq,0.1,1.9\n")
    page = written(shell, tmp_path, "--runs", str(path))
    assert "No law could be fitted" in page.words
    assert [c["optimum"]["kind"] for c in page.contents["surfaces"]["slices"][0]["columns"]] == [
        "unknown",
        "unknown",
    ]


def test_wrong_use_is_one_line(shell: Shell, tmp_path: Path) -> None:
    """Closed form: nothing given, a page that is there already, files that are no such record."""
    runs = str(write_runs(tmp_path / "runs.csv"))
    out = tmp_path / "page.html"
    out.write_text("mine")
    for options, said in (
        ([], "nothing to show"),
        (["--runs", runs, "--out", str(out)], "--overwrite"),
        (["--runs", runs, "--out", str(tmp_path)], "is a directory"),
        (["--fit", str(out)], "no JSON"),
        (["--demo", runs], "schema"),
    ):
        code, _, problem = shell("report", *options)
        assert (code, problem.count("\n")) == (2, 1)
        assert said in problem
    assert out.read_text() == "mine"


def test_the_levels_of_colour_are_the_script_s(page: Page) -> None:
    """Closed form: the thresholds in the legend are those that colour the cells."""
    found = re.search(r"const LEVELS = \[([^\]]*)\]", page.scripts[1])
    assert found is not None
    assert tuple(map(float, found[1].split(","))) == LEVELS
