"""The page: self-contained, escaped, complete."""

from __future__ import annotations

import base64
from html.parser import HTMLParser

import pytest

from empirical.report.figures.canvas import Images
from empirical.report.page import render_page
from empirical.report.schema import parse_report
from tests.report.synthetic import Plain, odd_report, synthetic_report

STAND_IN = Images(b"<svg>wide</svg>", b"png", b"<svg>narrow</svg>")
VOID = {"meta", "link", "img", "source", "br", "hr"}


def render(report: Plain) -> str:
    record = parse_report(report)
    names = ["learning_rate", "surge", "curvature", *(["drift"] if record.earlier else [])]
    return render_page(record, dict.fromkeys(names, STAND_IN))


class Reader(HTMLParser):
    """Collects tags, attributes and text, and insists that tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module", params=[synthetic_report, odd_report], ids=["whole", "odd"])
def page(request: pytest.FixtureRequest) -> str:
    return render(request.param())


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    """Closed form: no address at all; sources are data URIs, links stay on the page."""
    assert "http://" not in page
    assert "https://" not in page
    assert "@import" not in page
    assert "url(" not in page
    for name, value in Reader(page).attributes:
        if name in {"src", "srcset"}:
            assert value.startswith("data:image/svg+xml;base64,")
        if name == "href":
            assert value.startswith(("#", "data:,"))
    assert "default-src 'none'" in page


def test_no_script_and_no_handler(page: str) -> None:
    """Closed form: the page is text and pictures."""
    reader = Reader(page)
    assert not {"script", "iframe", "object", "embed", "form"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


def test_values_of_the_record_are_escaped() -> None:
    """Closed form: a corpus called <script>, markup in a warning and in the command."""
    report = odd_report() | {"command": "demo --text '<img src=x onerror=alert(1)>'"}
    report["model"]["config"]["<i>key</i>"] = "<u>value</u>"
    page = render(report)
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;corpus&#34;)&lt;/script&gt; $x$" in page
    reader = Reader(page)
    assert not {"script", "b", "i", "u"} & set(reader.tags)
    assert "<b>bold</b> & pool too small" in reader.text
    assert "onerror=alert(1)" in reader.text
    assert "<u>value</u>" in reader.text


def test_the_figures_are_inside() -> None:
    """Closed form: each data URI decodes to the bytes that were given."""
    attributes = Reader(render(synthetic_report())).attributes
    for name, wanted in (("src", STAND_IN.svg), ("srcset", STAND_IN.narrow_svg)):
        found = [value for key, value in attributes if key == name]
        assert len(found) == 4
        assert {base64.b64decode(value.partition(",")[2]) for value in found} == {wanted}


def test_every_section_and_every_cell_is_there() -> None:
    """Closed form: headings, one table line per row, provenance to the last digit."""
    report = synthetic_report()
    reader = Reader(render(report))
    for heading in ("Every cell", "Does it surge?", "Early and late", "Warnings", "How it was"):
        assert heading in reader.text
    ids = {value for name, value in reader.attributes if name == "id"}
    assert {f"figure-{name}" for name in ("learning_rate", "surge", "curvature", "drift")} <= ids
    links = {value.removeprefix("#") for name, value in reader.attributes if name == "href"}
    assert links - {"data:,"} <= ids
    shades = [
        v for name, v in reader.attributes if name == "class" and v in {"near", "fair", "far"}
    ]
    # Three theories per row, and the three entries of the key.
    assert len(shades) == 3 * len(report["rows"]) + 3
    for fact in (report["corpus"]["sha256"], "2.13.0", "AMD EPYC 7B13", "4 min 02 s", "1.62 GiB"):
        assert fact in reader.text
    assert "B = 1: the batch gradient is not Gaussian" in reader.text


def test_what_is_missing_is_said() -> None:
    """Closed form: reasons of nulls, undrawn values, unknown drift, unidentified noise scale."""
    text = Reader(render(odd_report())).text
    for reason in (
        "no minimum: curvature -3.1 <= 0",
        "not identified: the interval spans the whole search",
        "1 value is zero or negative and cannot be drawn",
        "Only one checkpoint was measured",
        "not identified, needs about 5,000 more sequences",
        "large-batch value unknown",
        "not recorded",
    ):
        assert reason in text


def test_simulated_noise_appears_only_when_run() -> None:
    """Closed form: the column exists exactly if a cell has the value."""
    report = synthetic_report()
    assert "simulated noise" not in Reader(render(report)).text
    report["rows"][0]["lr_gaussian_simulated"] = 1e-4
    report["summary"]["gaussian_simulated"] = report["summary"]["correlated"]
    text = Reader(render(report)).text
    assert "simulated noise" in text
    assert "not run" in text


def test_a_run_without_warnings_says_so() -> None:
    """Closed form: no notice at the top, "None." in the section."""
    text = Reader(render(synthetic_report() | {"warnings": []})).text
    assert "read before using" not in text
    assert "None." in text
