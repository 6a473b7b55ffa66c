"""Files that are there whole or not at all, and one line where the disk refuses them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError

from empirical.errors import UsageError

PART = ".part"
"""Ending of a file that is being written; its name begins with a dot."""


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A name beside `path` to write under; that file takes the place of `path` in one step.

    Where the block raises, what it wrote is removed and `path` stays as it was. durable: it also
    outlives a power failure. The folder is made. OSError passes; safetensors' own errors of writing
    become one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: another process may be writing the same file.
    part = path.with_name(f".{path.name}.{uuid4().hex[:12]}{PART}")
    try:
        yield part
        if durable:
            _flush(part)
        part.replace(path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    finally:
        part.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the file in one step, as `replacing` does. OSError passes."""
    with replacing(path, durable=durable) as part:
        part.write_bytes(data)


@contextmanager
def refusals(place: str | Path, advice: str = "name another") -> Iterator[None]:
    """Turn what a disk refuses in this block into a UsageError: the place, why, and advice."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{place} cannot be written ({reason}): {advice}") from error


def check_writable(folder: Path, advice: str = "name another") -> None:
    """Refuse, before the work, a folder that could not take what the work leaves; makes nothing.

    Permission bits do not tell (root, read-only mounts); trying does.
    """
    with refusals(folder, advice):
        above = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        tempfile.TemporaryDirectory(prefix=".writable-", dir=above).cleanup()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
