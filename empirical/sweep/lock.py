"""One driver per sweep: a lock that the kernel takes back when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from empirical.errors import UsageError
from empirical.sweep.folder import SweepFolder
from empirical.sweep.storage import storage


@contextmanager
def sole_driver(folder: SweepFolder) -> Iterator[None]:
    """Hold the sweep's lock; UsageError where another driver holds it, or it cannot be made.

    What the file says only serves the message: a damaged or deleted text changes nothing.
    """
    with storage(folder.root):
        folder.root.mkdir(parents=True, exist_ok=True)
        # Closed on exec, so that no worker inherits the lock and outlives the driver with it.
        descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "unknown"
            raise UsageError(
                f"another driver ({holder}) is at work on {folder.root}; wait until it ends, or "
                "end it"
            ) from None
        with suppress(OSError):  # on a full disk the lock is held all the same
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def driver_at_work(folder: SweepFolder) -> bool:
    """Whether a driver holds the lock now."""
    try:
        descriptor = os.open(folder.lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
