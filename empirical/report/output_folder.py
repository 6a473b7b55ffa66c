"""A folder for the figures and numbers of one answer: checked before the work, then filled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from empirical.atomic_files import refusals, write_atomically
from empirical.errors import UsageError
from empirical.report.figures.canvas import Images


def check_folder(directory: Path, names: Iterable[str], overwrite: bool) -> None:
    """Raise `UsageError` if `directory` cannot take these files; leaves nothing behind."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"--out {directory} is a file; a directory is wanted, choose another")
    present = [name for name in names if (directory / name).exists()]
    if present and not overwrite:
        raise UsageError(
            f"--out {directory} holds {present[0]} of an earlier run; add --overwrite to replace "
            "it, or choose another --out"
        )
    with _refusals(directory):
        above = next(p for p in (directory, *directory.absolute().parents) if p.exists())
        # Permission bits do not tell (root, read-only mounts); trying does.
        tempfile.TemporaryDirectory(prefix=".writable-", dir=above).cleanup()


def fill_folder(directory: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Write the files one by one, each whole; the paths written. Other files are left alone."""
    with _refusals(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            write_atomically(directory / name, data)
    return [str(directory / name) for name in contents]


def image_files(figures: Mapping[str, Images]) -> dict[str, bytes]:
    """The wide form of each figure as PNG and SVG, by the name of its file."""
    files: dict[str, bytes] = {}
    for name, images in figures.items():
        files |= {f"{name}.png": images.png, f"{name}.svg": images.svg}
    return files


def _refusals(directory: Path) -> AbstractContextManager[None]:
    return refusals(f"--out {directory}", "choose another")
