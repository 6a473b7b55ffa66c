"""Where a report goes: the check before the work, and the all-or-nothing writing after it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from empirical.errors import UsageError
from empirical.report.figures import draw_figures
from empirical.report.figures.canvas import Images
from empirical.report.page import render_page
from empirical.report.schema import KIND, Report, parse_report

RECORD, PAGE, FIGURES, STATISTICS = "report.json", "report.html", "figures", "statistics"

# What may stand in a directory that is about to be replaced; a file manager leaves the last one.
_OURS = {RECORD, PAGE, FIGURES, STATISTICS, ".DS_Store"}
_DRAWN = {".svg", ".png"}


def prepare_output(out: Path, overwrite: bool) -> Path:
    """The absolute directory the report may go to; creates nothing that stays.

    Raises UsageError if `out` exists and `overwrite` is False, if it is a file, if it (or the
    nearest existing directory above it) cannot be written, or if it holds anything but one of
    our reports.
    """
    try:
        place = out.expanduser().resolve()
        if place.exists():
            _check_replaceable(place, overwrite)
        above = next(parent for parent in place.parents if parent.exists())
        if not above.is_dir():
            raise UsageError(
                f"--out {out}: {above} is a file; a directory is wanted there, choose another --out"
            )
        # Permission bits do not tell (root, read-only mounts); trying does.
        tempfile.TemporaryDirectory(prefix=".writable-", dir=above).cleanup()
    except UsageError:
        raise
    except (OSError, RuntimeError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(
            f"--out {out}: cannot be written ({reason}); a writable place is wanted, "
            "choose another --out"
        ) from problem
    return place


def write_report(
    report: Mapping[str, object],
    out_dir: Path,
    also: Callable[[Path], None] = lambda folder: None,
) -> Path:
    """Check `report`, draw it, and put report.json, report.html and figures/ into `out_dir`.

    `also` writes what else goes with it, such as statistics/, into the folder that it is given.

    Everything is written into a hidden directory beside `out_dir` and then takes its place;
    until that moment, and after any failure, an earlier report there is untouched. Call
    `prepare_output` first: a directory that is no report of ours is refused here as well.
    Returns the path of report.html. Raises ReportError for a record outside the schema.
    """
    record = parse_report(report)
    place = out_dir.resolve()
    if place.exists():
        _check_replaceable(place, overwrite=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    fresh, old = staging / "new", staging / "old"
    try:
        fresh.mkdir()
        _fill(fresh, record)
        also(fresh)
        if place.exists():
            place.rename(old)
        fresh.rename(place)
    finally:
        # If even this fails, the earlier report stays in the staging directory.
        if old.exists() and not place.exists():
            old.rename(place)
        shutil.rmtree(staging, ignore_errors=True)
    return place / PAGE


def _fill(directory: Path, record: Report) -> None:
    figures = draw_figures(record)
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    (directory / RECORD).write_text(text + "\n", encoding="utf-8")
    (directory / PAGE).write_text(render_page(record, figures), encoding="utf-8")
    (directory / FIGURES).mkdir()
    for name, images in figures.items():
        _save(directory / FIGURES / name, images)


def _save(stem: Path, images: Images) -> None:
    stem.with_suffix(".svg").write_bytes(images.svg)
    stem.with_suffix(".png").write_bytes(images.png)


def _check_replaceable(place: Path, overwrite: bool) -> None:
    if not place.is_dir():
        raise UsageError(f"--out {place} is a file; a directory is wanted, choose another --out")
    if not overwrite:
        raise UsageError(
            f"--out {place} exists already; add --overwrite to replace the report in it, "
            "or choose another --out"
        )
    if place.is_mount():
        raise UsageError(
            f"--out {place} is a mount point, which cannot be replaced; choose a directory below it"
        )
    names = {entry.name for entry in place.iterdir()}
    if names and not _holds_report(place):
        raise UsageError(
            f"--out {place} holds something that is not a report of this program; "
            "it will not be overwritten, choose another --out"
        )
    figures = [entry.name for entry in (place / FIGURES).glob("*") if entry.suffix not in _DRAWN]
    foreign = sorted([*(names - _OURS), *figures])
    if foreign:
        raise UsageError(
            f"--out {place} holds a report and also {', '.join(foreign[:3])}, which overwriting "
            "would delete; move it away or choose another --out"
        )


def _holds_report(place: Path) -> bool:
    try:
        found = json.loads((place / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND
