"""What a failing disk is called: nothing that was recorded is lost, and what to do."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

from empirical.errors import UsageError

# What the disk refuses whatever is computed: another attempt meets the same.
DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}
)


class StorageError(UsageError):
    """The disk refused; what was recorded before is still there."""


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
