"""How far a unit is that has not ended: a small file beside its state, written by its worker.

    state/<unit>.json   {"step", "steps", "runs", "tokens_per_second", "seconds", "written"}

Every executor gives it, as it lies in the folder of the sweep: local processes at once; jobs of
Slurm and tasks of Ray as soon as the shared file system shows it, which on NFS takes seconds to a
minute. A unit that waits for its turn has none. It is for the reader only: nothing is decided from
it, and where it cannot be written or read the work goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from empirical.atomic_files import write_atomically
from empirical.train.run_configuration import WorkUnit

SECONDS_BETWEEN_WRITES = 2.0


@dataclass(frozen=True)
class UnitProgress:
    """One unit.

    Attributes:
        step: steps done, of `steps`. runs: trained together.
        tokens_per_second: of all its runs, since this worker began; None before it is known.
        seconds: since this worker began.
        written: when this was so, in seconds of the epoch.
    """

    step: int
    steps: int
    runs: int
    tokens_per_second: float | None
    seconds: float
    written: float

    @property
    def share(self) -> float:
        """Steps done over steps, 0 to 1."""
        return self.step / self.steps

    def seconds_left(self, tokens: int) -> float | None:
        """At the pace so far, for a unit of so many tokens in all; None before it is known."""
        if not self.tokens_per_second:
            return None
        return (1 - self.share) * tokens / self.tokens_per_second


def progress_writer(
    path: Path, unit: WorkUnit, *, clock: Callable[[], float] = time.monotonic
) -> Callable[[int], None]:
    """To be told the steps done, the first time where the worker begins; writes now and then.

    What is over before it would write leaves no file.
    """
    steps, tokens = unit.runs[0].steps, tokens_of(unit)
    begun: tuple[float, int] | None = None
    written = 0.0

    def note(step: int) -> None:
        nonlocal begun, written
        now = clock()
        if begun is None:
            begun, written = (now, step), now
        if now - written < SECONDS_BETWEEN_WRITES:
            return
        written = now
        seconds, done = now - begun[0], (step - begun[1]) / steps * tokens
        pace = done / seconds if done and seconds > 0 else None
        found = UnitProgress(step, steps, len(unit.runs), pace, seconds, time.time())
        with suppress(OSError):
            write_atomically(path, json.dumps(asdict(found)).encode(), durable=False)

    return note


def read_progress(path: Path) -> UnitProgress | None:
    """What the file says; None where it is missing or no progress."""
    try:
        return UnitProgress(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def tokens_of(unit: WorkUnit) -> int:
    """Tokens that the runs of a unit train on together."""
    return sum(run.tokens for run in unit.runs)
