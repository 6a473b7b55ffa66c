"""The table of every cell for the page: texts, and how close each prediction is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from empirical.report.grid import panels
from empirical.report.numerals import (
    deviation,
    epsilon_title,
    interval_beside,
    plain,
    scientific,
    times_sigma,
)
from empirical.report.records import NOT_RUN, OK, Row

# Shading of predictions by |prediction / measurement - 1|: what is usable, what is not.
NEAR, FAIR = 0.08, 0.35


@dataclass(frozen=True)
class Cell:
    """Main text, small text under it, and the class that shades it ("" for none)."""

    text: str
    remark: str = ""
    shade: str = ""


@dataclass(frozen=True)
class Line:
    """One batch size: cells in the order of `headings`; hollow where not Gaussian."""

    batch_size: str
    cells: tuple[Cell, ...]
    gaussian: bool


@dataclass(frozen=True)
class Group:
    """The lines of one epsilon."""

    title: str
    lines: tuple[Line, ...]


def headings(rows: Sequence[Row]) -> list[str]:
    """Column names after the batch size; simulated noise only where some cell has it."""
    simulated = ["simulated noise"] if _simulated(rows) else []
    return [
        "measured",
        "line search",
        "correlated noise",
        "independent noise",
        "mean field (2.8)",
        *simulated,
        "both truths agree",
        "excess kurtosis",
    ]


def groups(rows: Sequence[Row]) -> list[Group]:
    """All rows, grouped by epsilon."""
    simulated = _simulated(rows)
    return [
        Group(epsilon_title(ratio), tuple(_line(row, simulated) for row in group))
        for ratio, group in panels(rows).items()
    ]


def mean_field_inputs(rows: Sequence[Row]) -> list[str]:
    """What equation 2.8 was fed with, one text per epsilon."""
    texts = []
    for ratio, group in panels(rows).items():
        field = group[0].mean_field
        noise = "none" if field.kappa_squared is None else plain(field.kappa_squared)
        kind = field.kappa_squared_kind
        texts.append(f"{times_sigma(ratio)}: c = {plain(field.c, 4)}, κ² = {noise} ({kind})")
    return texts


def _simulated(rows: Sequence[Row]) -> bool:
    return any(row.lr_gaussian_simulated is not None for row in rows)


def _line(row: Row, simulated: bool) -> Line:
    cells = [
        _truth(row.lr_measured, row.lr_measured_ci95, row.lr_measured_status),
        _truth(row.lr_line_search, row.lr_line_search_ci95, row.line_search_status),
        _prediction(row, row.lr_correlated, row.lr_correlated_status),
        _prediction(row, row.lr_independent, row.lr_independent_status),
        _prediction(row, row.lr_mean_field, row.mean_field.status),
    ]
    if simulated:
        status = row.lr_gaussian_simulated_status or NOT_RUN
        cells.append(_prediction(row, row.lr_gaussian_simulated, status))
    kurtosis = "unknown" if row.kurtosis is None else plain(row.kurtosis, 2)
    cells += [
        Cell(row.quadratic_agrees),
        Cell(kurtosis, "" if row.gaussian else "not Gaussian"),
    ]
    return Line(f"{row.batch_size:,}", tuple(cells), row.gaussian)


def _truth(value: float | None, interval: tuple[float, float] | None, status: str) -> Cell:
    if value is None:
        return Cell("none", status)
    remarks = [interval_beside(interval, value)] if interval else []
    return Cell(scientific(value), "; ".join([*remarks, *([] if status == OK else [status])]))


def _prediction(row: Row, value: float | None, status: str) -> Cell:
    if value is None:
        return Cell("none", status)
    if not row.lr_measured:
        return Cell(scientific(value))
    error = abs(value / row.lr_measured - 1)
    shade = "near" if error <= NEAR else "fair" if error <= FAIR else "far"
    return Cell(scientific(value), deviation(value, row.lr_measured), shade)


def shading_legend() -> list[tuple[str, str]]:
    """(class, meaning) of the shades."""
    return [
        ("near", f"within {plain(100 * NEAR)} % of the measurement"),
        ("fair", f"within {plain(100 * FAIR)} %"),
        ("far", "further off"),
    ]
