"""Where `fit` puts its figures and numbers: checked before the work, written one by one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from empirical.errors import UsageError
from empirical.judge.fit import Fit
from empirical.judge.fit_data import Optima
from empirical.report.figures.canvas import Images, render
from empirical.report.figures.laws import draw_laws, draw_residuals

RECORD = "fit.json"
FIGURES = ("laws", "law_residuals")
NAMES = (RECORD, *(f"{name}.{form}" for name in FIGURES for form in ("png", "svg")))


def check_place(directory: Path, overwrite: bool) -> None:
    """Raise `UsageError` if `directory` cannot take the files; leaves nothing behind."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"--out {directory} is a file; a directory is wanted, choose another")
    present = [name for name in NAMES if (directory / name).exists()]
    if present and not overwrite:
        raise UsageError(
            f"--out {directory} holds {present[0]} of an earlier run; add --overwrite to replace "
            "it, or choose another --out"
        )
    try:
        above = next(p for p in (directory, *directory.absolute().parents) if p.exists())
        # Permission bits do not tell (root, read-only mounts); trying does.
        tempfile.TemporaryDirectory(prefix=".writable-", dir=above).cleanup()
    except OSError as problem:
        raise UsageError(
            f"--out {directory} cannot be written ({problem.strerror}); choose another"
        ) from problem


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
    contents = {RECORD: (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()}
    for name, images in draw_law_figures(data, fit, rival, unit).items():
        contents |= {f"{name}.png": images.png, f"{name}.svg": images.svg}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            part = directory / f".{name}.part"
            part.write_bytes(content)
            part.replace(directory / name)
    except OSError as problem:
        raise UsageError(
            f"--out {directory} cannot be written ({problem.strerror}); choose another"
        ) from problem
    return [str(directory / name) for name in contents]
