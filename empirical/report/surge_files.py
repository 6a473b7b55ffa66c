"""Where `surge` puts its figures and numbers: checked before the work, written one by one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from empirical.errors import UsageError
from empirical.report.figures.canvas import Images, render
from empirical.report.surge_curves import draw_curves
from empirical.report.surge_map import draw_phase_map
from scaling_theory.surge_map import SurgeMap

RECORD = "surge.json"
FIGURES = ("surge_curves", "surge_phase_map")
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


def write_files(
    directory: Path, record: Mapping[str, object], lines: SurgeMap, phase: SurgeMap
) -> list[str]:
    """Draw and write everything; the paths written. Other files in `directory` are left alone."""
    contents = {RECORD: (json.dumps(record, indent=1, allow_nan=False) + "\n").encode()}
    for name, images in draw_surge_maps(lines, phase).items():
        contents |= {f"{name}.png": images.png, f"{name}.svg": images.svg}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            part = directory / f".{name}.part"
            part.write_bytes(data)
            part.replace(directory / name)
    except OSError as problem:
        raise UsageError(
            f"--out {directory} cannot be written ({problem.strerror}); choose another"
        ) from problem
    return [str(directory / name) for name in contents]


def draw_surge_maps(lines: SurgeMap, phase: SurgeMap) -> dict[str, Images]:
    """The two figures by the name of their files: few epsilons as lines, many as a map."""
    return {
        "surge_curves": render(partial(draw_curves, lines)),
        "surge_phase_map": render(partial(draw_phase_map, phase)),
    }
