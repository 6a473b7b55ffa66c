"""Numbers as text, the three sentences of the answer, the table in the terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from empirical.report import numerals
from empirical.report.answer import answer
from empirical.report.checkpoints import drift_text
from empirical.report.records import Estimate
from empirical.report.schema import parse_report
from empirical.report.table import groups
from empirical.report.terminal import terminal_summary
from tests.report.synthetic import Plain, odd_report, synthetic_report


def spaced(text: str) -> str:
    return text.replace(numerals.NBSP, " ")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (numerals.scientific(5.43e-4), "5.43 × 10⁻⁴"),
        (numerals.scientific(9.999e-4), "1.00 × 10⁻³"),
        (numerals.scientific(-2e-13, 1), "−2 × 10⁻¹³"),
        (numerals.scientific(0.0), "0"),
        (numerals.plain(0.1), "0.1"),
        (numerals.plain(0.09999), "0.1"),
        (numerals.plain(135_424.0), "135,000"),
        (numerals.plain(9.996), "10"),
        (numerals.plain(1e-7), "1.00 × 10⁻⁷"),
        (numerals.percent(0.0324), "3.2 %"),
        (numerals.percent(-0.0997), "−10 %"),
        (numerals.deviation(1.032, 1.0), "+3.2 %"),
        (numerals.deviation(0.95, 1.0), "−5.0 %"),
        (numerals.deviation(4.5, 1.0), "4.5 ×"),
        (numerals.deviation(0.1, 1.0), "0.1 ×"),
        (numerals.deviation(1e-6, 1.0), "1.0 × 10⁻⁶ ×"),
        (numerals.miss(0.35), "35 %"),
        (numerals.miss(7.4), "a factor of 8.4"),
        (numerals.uncertain(Estimate(value=1.0, standard_error=0.031, samples=9)), "1.00 ± 0.03"),
        (numerals.uncertain(Estimate(value=60.2, standard_error=1.81, samples=9)), "60.2 ± 1.8"),
        (numerals.uncertain(Estimate(value=1834.0, standard_error=92.0, samples=9)), "1,834 ± 92"),
        (
            numerals.uncertain(Estimate(value=-5.43e-4, standard_error=1.2e-5, samples=9)),
            "(−5.43 ± 0.12) × 10⁻⁴",
        ),
        (numerals.uncertain(Estimate(value=0.0, standard_error=0.5, samples=9)), "0.0 ± 0.5"),
        (numerals.uncertain(Estimate(value=2.5, standard_error=0.0, samples=0)), "2.5"),
        (numerals.uncertain(Estimate(value=2.5, standard_error=None, samples=1)), "2.5"),
        (numerals.interval_beside((5.2e-4, 11e-4), 5.43e-4), "5.20 to 11.00"),
        (numerals.times_sigma(0.0), "ε = 0"),
        (numerals.times_sigma(30.0), "ε = 30 rms σ"),
        (numerals.duration(8.31), "8.3 s"),
        (numerals.duration(59.7), "1 min 00 s"),
        (numerals.duration(252.0), "4 min 12 s"),
        (numerals.duration(3599.9), "1 h 00 min"),
        (numerals.size(1_740_000_000), "1.62 GiB"),
        (numerals.size(512), "512 bytes"),
        (numerals.enumerate_words(["a"]), "a"),
        (numerals.enumerate_words(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_numbers_read_well(text: str, wanted: str) -> None:
    """Closed form: written by hand beside each number."""
    assert spaced(text) == wanted


def test_the_answer_quotes_the_record() -> None:
    """Closed form: each number of the sentences is one planted in the record."""
    report = synthetic_report()
    cell = next(r for r in report["rows"] if r["batch_size"] == 64 and r["epsilon"] == 0)
    cell |= {"lr_measured": 4.44e-4, "lr_measured_ci95": [4.2e-4, 4.7e-4]}
    report["summary"]["correlated"] = {
        "median_abs_rel_error": 0.0312,
        "max_abs_rel_error": 0.127,
        "cells": 16,
    }
    report["summary"]["independent"] |= {"max_abs_rel_error": 7.4}
    what, far, surge = map(spaced, answer(parse_report(report)))
    assert "batches of 64 sequences and ε = 0, " in what
    assert "4.44 × 10⁻⁴ (95 % interval 4.20 × 10⁻⁴ to 4.70 × 10⁻⁴)" in what
    assert "off by 3.1 % (worst: 13 %) over the 16 cells" in far
    assert "(worst: a factor of 8.4)" in far
    assert "shows none at ε = 0, 1 and 30 rms σ and cannot tell at ε = 0.1 rms σ" in surge
    assert "independent noise and the article's mean field predict one at ε = 0 and 1" in surge


def test_a_measured_surge_is_announced_and_a_blind_theory_named() -> None:
    """Closed form: verdicts planted the other way round."""
    report = synthetic_report(ratios=(0.0, 1.0))
    report["surge"][0]["measured"] |= {"outcome": "yes", "peak_batch_size": 64}
    report["surge"][0]["measured"]["ratio"] = {
        "value": 1.21,
        "standard_error": 0.05,
        "samples": 9,
    }
    report["surge"][0]["correlated"]["outcome"] = "no"
    surge = spaced(answer(parse_report(report))[2])
    assert "shows one at ε = 0 (peak at B = 64, 1.21 ± 0.05 times the large-batch value)" in surge
    assert "and none at ε = 1 rms σ" in surge
    assert surge.endswith("correlated noise misses one at ε = 0 that is there.")


def test_nothing_measured_is_said_with_its_reason() -> None:
    """Closed form: every measurement and comparison taken away."""
    report = synthetic_report(ratios=(0.0,), earlier=False)
    for row in report["rows"]:
        row |= {"lr_measured": None, "lr_measured_ci95": None, "lr_measured_standard_error": None}
        row["lr_measured_status"] = "no minimum along this direction"
    nothing = {"median_abs_rel_error": None, "max_abs_rel_error": None, "cells": 0}
    report["summary"] = dict.fromkeys(("correlated", "independent", "mean_field"), nothing)
    report["surge"] = []
    what, far, surge = answer(parse_report(report))
    assert "could be measured at this checkpoint (no minimum along this direction)" in what
    assert "could not be compared" in far
    assert "not examined" in surge


def test_the_drift_is_the_ratio_of_the_same_cell() -> None:
    """Closed form: both cells planted; checkpoints differ in sigma, hence in epsilon."""
    report = synthetic_report()
    for rows, rate in ((report["rows"], 6e-4), (report["earlier"][0]["rows"], 2e-4)):
        cell = next(r for r in rows if r["batch_size"] == 64 and r["epsilon"] == 0)
        cell |= {"lr_measured": rate, "lr_measured_ci95": None}
    for row in report["earlier"][0]["rows"]:
        row["epsilon"] *= 1.7
    text = spaced(drift_text(parse_report(report)))
    assert "went from 2.00 × 10⁻⁴ to 6.00 × 10⁻⁴, a factor of 3.0" in text


def test_the_table_shades_by_distance() -> None:
    """Closed form: predictions planted at 7.9, 8.1, 36 % and a negative one."""
    report = synthetic_report(batch_sizes=(4,), ratios=(0.0,), earlier=False)
    row = report["rows"][0]
    row |= {"lr_measured": 1e-3, "lr_measured_ci95": [0.9e-3, 1.1e-3]}
    row |= {"lr_correlated": 0.921e-3, "lr_independent": 1.081e-3, "lr_mean_field": 1.36e-3}
    cells = groups(parse_report(report).rows)[0].lines[0].cells
    assert [cell.shade for cell in cells[2:5]] == ["near", "fair", "far"]
    row["lr_correlated"] = -1e-3
    assert groups(parse_report(report).rows)[0].lines[0].cells[2].shade == "far"


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("make", [synthetic_report, odd_report], ids=["whole", "odd"])
def test_the_terminal_gets_a_plain_table_when_it_is_none(make: type[Plain]) -> None:
    """Closed form: no escape codes, no ragged line ends, the path whole on the last line."""
    place = Path("/a/rather/long/path") / ("x" * 120) / "report.html"
    text = terminal_summary(parse_report(make()), place, io.StringIO())
    assert "\x1b" not in text
    assert numerals.NBSP not in text
    assert all(line == line.rstrip() and len(line) <= 100 for line in text.splitlines()[:-1])
    assert text.splitlines()[-1] == f"report: {place}"


def test_the_table_in_a_terminal_is_styled_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: escape codes appear; at most three batch sizes per epsilon."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    text = terminal_summary(parse_report(synthetic_report()), Path("report.html"), _Screen())
    assert "\x1b[" in text
    assert len(re.findall(r" ± \d+ %", text)) == 3 * 4


def test_markup_in_a_warning_is_not_obeyed() -> None:
    """Closed form: square brackets of a warning reach the reader."""
    report = synthetic_report() | {"warnings": ["[red]pool[/red] too small"]}
    text = terminal_summary(parse_report(report), Path("report.html"), io.StringIO())
    assert "warning: [red]pool[/red] too small" in text
