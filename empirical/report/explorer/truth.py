"""One-step truth for the page: measured and predicted learning rates over B for each epsilon."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from empirical.report.answer import THEORIES
from empirical.report.grid import panels
from empirical.report.numerals import epsilon_title, miss
from empirical.report.records import Row, Summary
from empirical.report.schema import Report
from empirical.statistics_files import SavedStatistics
from scaling_theory.law import NoOptimalStep
from scaling_theory.surface import CLOSURES

NORMAL_95 = 1.96

Point = dict[str, Any]


def truth_of_report(report: Report) -> list[dict[str, Any]]:
    """Every checkpoint of a demo's record, the late one first."""
    late = _checkpoint(report.checkpoint.step, report.rows, report.summary)
    return [late, *(_checkpoint(e.step, e.rows, e.summary) for e in report.earlier)]


def truth_of_statistics(saved: SavedStatistics) -> list[dict[str, Any]]:
    """The predictions at the measured cells, where no truth was measured beside them."""
    surface = saved.surface
    shown = []
    for epsilon in surface.epsilons.tolist():
        if not isfinite(epsilon):
            continue
        series: dict[str, list[Point]] = {name: [] for name in CLOSURES}
        for name in CLOSURES:
            for batch in surface.batch_sizes.tolist():
                try:
                    found = surface.eta1(batch, epsilon, name)
                except NoOptimalStep:
                    continue
                rate = found.step.learning_rate
                series[name].append(_point(batch, rate.value, found.interval()))
        shown.append({"title": epsilon_title(epsilon / surface.rms_sigma), "series": series})
    return [{"title": "the checkpoint of the statistics", "errors": [], "panels": shown}]


def _checkpoint(step: int, rows: Sequence[Row], summary: Summary | None) -> dict[str, Any]:
    return {
        "title": f"checkpoint after {step:,} steps of training",
        "errors": _errors(summary),
        "panels": [
            {"title": epsilon_title(ratio), "series": _series(group)}
            for ratio, group in panels(rows).items()
        ],
    }


def _errors(summary: Summary | None) -> list[list[str]]:
    found = []
    for name, words in THEORIES.items():
        error = None if summary is None else getattr(summary, name)
        if error is None or error.median_abs_rel_error is None:
            continue
        found.append([words, miss(error.median_abs_rel_error), miss(error.max_abs_rel_error)])
    return found


def _series(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """By theory or measurement; a value that is not positive has no place on the axis."""
    series: dict[str, list[Point]] = {
        "measured": [
            _point(row.batch_size, row.lr_measured, row.lr_measured_ci95, not row.gaussian)
            for row in rows
            if row.lr_measured is not None
        ],
        "line_search": [
            _point(row.batch_size, row.lr_line_search, row.lr_line_search_ci95)
            for row in rows
            if row.lr_line_search is not None
        ],
    }
    for name in THEORIES:
        series[name] = [
            _point(row.batch_size, value, _interval(row, name, value))
            for row in rows
            for value in [getattr(row, f"lr_{name}")]
            if value is not None
        ]
    return {
        name: [point for point in points if point["rate"] > 0]
        for name, points in series.items()
        if any(point["rate"] > 0 for point in points)
    }


def _interval(row: Row, theory: str, value: float) -> tuple[float, float] | None:
    """95 % by the standard error, where the theory states one."""
    error = getattr(row, f"lr_{theory}_standard_error", None)
    return None if error is None else (value - NORMAL_95 * error, value + NORMAL_95 * error)


def _point(
    batch: float, rate: float, interval: tuple[float, float] | None, hollow: bool = False
) -> Point:
    low, high = interval or (None, None)
    return {"batch_size": batch, "rate": rate, "low": low, "high": high, "hollow": hollow}
