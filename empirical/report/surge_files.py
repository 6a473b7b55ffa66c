"""Where `surge` puts its figures and numbers: checked before the work, written one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from empirical.report.figures.canvas import Images, render
from empirical.report.output_folder import check_folder, fill_folder, image_files
from empirical.report.surge_curves import draw_curves
from empirical.report.surge_map import draw_phase_map
from scaling_theory.surge_map import SurgeMap

RECORD = "surge.json"
FIGURES = ("surge_curves", "surge_phase_map")
NAMES = (RECORD, *(f"{name}.{form}" for name in FIGURES for form in ("png", "svg")))


def check_place(directory: Path, overwrite: bool) -> None:
    """Raise `UsageError` if `directory` cannot take the files; leaves nothing behind."""
    check_folder(directory, NAMES, overwrite)


def write_files(
    directory: Path, record: Mapping[str, object], lines: SurgeMap, phase: SurgeMap
) -> list[str]:
    """Draw and write everything; the paths written. Other files in `directory` are left alone."""
    numbers = (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()
    figures = image_files(draw_surge_maps(lines, phase))
    return fill_folder(directory, {RECORD: numbers, **figures})


def draw_surge_maps(lines: SurgeMap, phase: SurgeMap) -> dict[str, Images]:
    """The two figures by the name of their files: few epsilons as lines, many as a map."""
    return {
        "surge_curves": render(partial(draw_curves, lines)),
        "surge_phase_map": render(partial(draw_phase_map, phase)),
    }
