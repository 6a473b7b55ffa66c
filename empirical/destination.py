"""Where a run writes: checked before the work, filled beside it, put in place in one step."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from empirical.errors import UsageError

RECORD_NAME = "report.json"
"""The file by which a directory is known as one that an earlier run wrote."""


def check_destination(out: Path, *, overwrite: bool) -> None:
    """Make sure that a run may write the directory `out`, and write nothing.

    With `overwrite`, a directory that holds the report of an earlier run may be replaced; any
    other directory with something in it may not, whatever is asked.

    Raises:
        UsageError: `out` is in use or cannot be made.
    """
    if out.exists() or out.is_symlink():
        _check_existing(out, overwrite=overwrite)
    home = _nearest_existing(out.parent)
    if not home.is_dir():
        raise UsageError(
            f"cannot write {out}: {home} is a file, wanted a directory; choose another --out"
        )
    if not os.access(home, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {out}: no permission in {home}; choose another --out")


def _check_existing(out: Path, *, overwrite: bool) -> None:
    if not out.is_dir():
        raise UsageError(
            f"cannot write {out}: it is a file, wanted a directory; choose another --out"
        )
    if out.is_mount():
        raise UsageError(
            f"cannot write {out}: it is a mount point, which cannot be replaced in one step; "
            "choose a directory inside it as --out"
        )
    if not any(out.iterdir()):
        return
    if not (out / RECORD_NAME).is_file():
        raise UsageError(
            f"cannot write {out}: it holds files but no {RECORD_NAME} of an earlier run; "
            "choose another --out or empty it"
        )
    if not overwrite:
        raise UsageError(
            f"cannot write {out}: it holds the report of an earlier run; "
            "add --overwrite to replace it or choose another --out"
        )


def _nearest_existing(path: Path) -> Path:
    """`path`, or the closest of its parents that exists as a file or a directory."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


@contextmanager
def staged(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A new directory beside `out` that takes the place of `out` when the block ends well.

    When the block raises, it goes, and so do the parents of `out` made for it: nothing is
    written by halves, and an earlier report stays.

    Raises:
        UsageError: as `check_destination`, before the block.
    """
    check_destination(out, overwrite=overwrite)
    # A link to a directory stays a link; what it points to is replaced.
    out = out.resolve()
    home = _nearest_existing(out.parent)
    new_parents = [parent for parent in out.parents if home in parent.parents]
    stage = _sibling(out, "part")
    try:
        try:
            stage.mkdir(parents=True)
        except OSError as error:
            raise UsageError(
                f"cannot write {out}: {error.strerror}; choose another --out"
            ) from None
        yield stage
        _put_in_place(stage, out)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        for parent in new_parents:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


def _sibling(out: Path, role: str) -> Path:
    """A hidden name beside `out` that nothing else has."""
    return out.parent / f".{out.name}.{secrets.token_hex(4)}.{role}"


def _put_in_place(stage: Path, out: Path) -> None:
    """Rename `stage` to `out`; what was there goes only after."""
    if not out.exists():
        stage.rename(out)
        return
    old = _sibling(out, "old")
    out.rename(old)
    try:
        stage.rename(out)
    except BaseException:
        old.rename(out)
        raise
    shutil.rmtree(old)
