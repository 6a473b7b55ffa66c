"""Where `fit` puts its figures and numbers: checked before the work, written one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from empirical.judge.fit import Fit
from empirical.judge.fit_data import Optima
from empirical.report.figures.canvas import Images, render
from empirical.report.figures.laws import draw_laws, draw_residuals
from empirical.report.output_folder import check_folder, fill_folder, image_files

RECORD = "fit.json"
FIGURES = ("laws", "law_residuals")
NAMES = (RECORD, *(f"{name}.{form}" for name in FIGURES for form in ("png", "svg")))


def check_place(directory: Path, overwrite: bool) -> None:
    """Raise `UsageError` if `directory` cannot take the files; leaves nothing behind."""
    check_folder(directory, NAMES, overwrite)


def draw_law_figures(data: Optima, fit: Fit, rival: Fit | None, unit: str) -> dict[str, Images]:
    """Each figure by its name."""
    return {
        "laws": render(lambda wide: draw_laws(data, fit, rival, unit, wide)),
        "law_residuals": render(lambda wide: draw_residuals(data, fit, unit, wide)),
    }


def write_law_figures(
    directory: Path,
    record: Mapping[str, object],
    data: Optima,
    fit: Fit,
    rival: Fit | None,
    unit: str,
) -> list[str]:
    """Draw and write everything; the paths written. Other files in `directory` are left alone."""
    numbers = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
    figures = image_files(draw_law_figures(data, fit, rival, unit))
    return fill_folder(directory, {RECORD: numbers, **figures})
