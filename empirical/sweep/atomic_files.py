"""Files that are there whole or not at all, and what a failing disk is called."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard
from uuid import uuid4

from empirical.errors import UsageError

PART = ".part"

# What the disk refuses whatever is computed: another attempt meets the same.
DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}
)


class StorageError(UsageError):
    """The disk refused; what was recorded before is still there."""


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the file in one step; `durable` also outlives a power failure. OSError passes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: a worker of a dead driver may be writing the same file.
    part = path.with_name(f".{path.name}.{uuid4().hex[:12]}{PART}")
    try:
        with open(part, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def storage(place: Path) -> Iterator[None]:
    """Turn what a disk refuses in this block into one line that says what to do."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise storage_error(place, error) from error


def is_disk_error(error: BaseException | None) -> TypeGuard[OSError]:
    """Whether the disk is to blame; a library that writes files may leave out the number."""
    return isinstance(error, OSError) and (error.errno is None or error.errno in DISK_ERRORS)


def storage_error(place: Path, error: OSError | sqlite3.OperationalError) -> StorageError:
    """The line for an error of the system or of SQLite."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    full = any(words in reason for words in ("full", "No space", "quota"))
    advice = "free some space" if full else "make it writable"
    return StorageError(
        f"{place} cannot be written ({reason}): nothing recorded is lost; {advice} and resume"
    )
