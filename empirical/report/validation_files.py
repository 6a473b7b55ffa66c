"""Where `validate` puts its figures, its table for a page and its record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from empirical.errors import UsageError
from empirical.judge.claims.claim import Known
from empirical.judge.verdict_slices import HELD
from empirical.judge.verdicts import TableVerdicts
from empirical.report.figures.canvas import Images, render
from empirical.report.figures.validation import draw_validation
from empirical.report.output_folder import check_folder, fill_folder, image_files

RECORD, PAGE = "validate.json", "verdicts.md"


def check_place(directory: Path, tables: Sequence[Path], overwrite: bool) -> None:
    """Raise `UsageError` if `directory` cannot take the files; leaves nothing behind."""
    stems = [path.stem for path in tables]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise UsageError(
            f"two tables are called {twice[0]}, and so would be their figures: "
            "rename one, or judge them one by one"
        )
    figures = [
        f"{figure_name(stem, held)}.{form}"
        for stem in stems
        for held in HELD
        for form in ("png", "svg")
    ]
    check_folder(directory, (RECORD, PAGE, *figures), overwrite)


def figure_name(stem: str, held: str) -> str:
    """One figure per table and kind of slice: fixed tokens and fixed steps never share one."""
    return f"{stem}_{held.replace('-', '_')}"


def draw_validation_figures(found: Sequence[TableVerdicts], known: Known) -> dict[str, Images]:
    """Each figure by its name."""
    figures = {}
    for each in found:
        stem = Path(each.table.source).stem
        for held in HELD:
            slices = [one for one in each.slices if one.held == held]
            if slices:
                draw = partial(draw_validation, slices, known, each.table.unit)
                figures[figure_name(stem, held)] = render(draw)
    return figures


def write_validation(
    directory: Path,
    record: Mapping[str, object],
    page: str,
    found: Sequence[TableVerdicts],
    known: Known,
) -> list[str]:
    """Draw and write everything; the paths written. Other files in `directory` are left alone."""
    numbers = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
    figures = image_files(draw_validation_figures(found, known))
    return fill_folder(directory, {RECORD: numbers, PAGE: page.encode(), **figures})
