"""The end of a run in the terminal: a short table, the theories' errors, where the report is."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from empirical.report.answer import THEORIES
from empirical.report.grid import batch_sizes, panels
from empirical.report.numerals import NBSP, deviation, miss, plain, scientific
from empirical.report.records import Row
from empirical.report.schema import Report

_PLAIN_WIDTH = 100


def terminal_summary(report: Report, location: Path, stream: TextIO) -> str:
    """Text to print: coloured and fitted where `stream` is a terminal, plain otherwise."""
    terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if terminal else _PLAIN_WIDTH
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=terminal, width=width, highlight=False)
    console.print(_rates(report, terminal))
    console.print(_errors(report, terminal))
    for warning in report.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    # The path stays whole and on a line of its own, so that it can be selected and opened.
    console.print(Text(f"report: {location}", style="bold"), soft_wrap=True)
    lines = buffer.getvalue().replace(NBSP, " ").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _rates(report: Report, terminal: bool) -> Table:
    table = _table(
        terminal, f"optimal learning rate at step {report.checkpoint.step:,}, error of predictions"
    )
    for heading in ("ε / rms σ", "B", "measured", "correlated", "independent", "mean field"):
        table.add_column(heading, justify="right", no_wrap=True)
    for ratio, rows in panels(_few(report)).items():
        for place, row in enumerate(rows):
            table.add_row(
                plain(ratio) if place == 0 else "",
                f"{row.batch_size:,}",
                _measured(row),
                *(
                    _deviation(predicted, row.lr_measured)
                    for predicted in (row.lr_correlated, row.lr_independent, row.lr_mean_field)
                ),
                end_section=place == len(rows) - 1,
            )
    return table


def _errors(report: Report, terminal: bool) -> Table:
    table = _table(terminal, "error of each theory over B in 4…256")
    for heading in ("theory", "median", "worst", "cells"):
        table.add_column(heading, justify="left" if heading == "theory" else "right")
    for name, words in THEORIES.items():
        error = getattr(report.summary, name)
        if error is None:
            continue
        median, worst = error.median_abs_rel_error, error.max_abs_rel_error
        table.add_row(
            words,
            "none" if median is None else miss(median),
            "none" if worst is None else miss(worst),
            str(error.cells),
        )
    return table


def _table(terminal: bool, title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD if terminal else None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )


def _few(report: Report) -> list[Row]:
    """Rows of at most three batch sizes: the smallest, the middle and the largest."""
    sizes = batch_sizes(report.rows)
    kept = {sizes[0], sizes[len(sizes) // 2], sizes[-1]}
    return [row for row in report.rows if row.batch_size in kept]


def _measured(row: Row) -> str:
    if row.lr_measured is None:
        return "none"
    error = row.lr_measured_standard_error
    relative = f" ± {100 * error / abs(row.lr_measured):.0f} %" if error and row.lr_measured else ""
    return scientific(row.lr_measured) + relative


def _deviation(predicted: float | None, measured: float | None) -> str:
    return "none" if predicted is None or not measured else deviation(predicted, measured)
