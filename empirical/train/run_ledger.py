"""What is written down about runs that train side by side: curves, divergence, results.

Letters in names: R runs, N held-out sequences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaling_theory.estimate import Estimate, mean_estimate

READINGS = 256
"""Points of a training curve at most; divergence is looked for at each."""

FIRST_READING = 20
"""Steps between readings at least: each waits for the device."""


@dataclass(frozen=True)
class RunResult:
    """What one run gave; a run that diverged has no losses of its end.

    Attributes:
        diverged_at: the step at which divergence was seen, None if it was not.
        heldout_loss: after the last step, mean over the held-out sequences, nats per token.
        start_loss: the same before the first step.
        loss_drop: start less end, paired by sequence.
        curve: (step, mean training loss of the steps since the reading before).
        seconds: wall time of the unit divided by its runs; the only entry that is not determined
            by the configuration.
    """

    diverged_at: int | None
    heldout_loss: Estimate | None
    start_loss: Estimate
    loss_drop: Estimate | None
    curve: tuple[tuple[int, float], ...]
    seconds: float


class Ledger:
    """Readings of the losses of R runs, and which of them have diverged."""

    def __init__(self, runs: int, steps: int, diverged_above: float) -> None:
        self._every = max(FIRST_READING, math.ceil(steps / READINGS))
        self._steps, self._above = steps, diverged_above
        self._unread: list[Tensor] = []
        self._start: NDArray[np.float64] = np.empty((runs, 0))
        self._curves: list[list[tuple[int, float]]] = [[] for _ in range(runs)]
        self._diverged: list[int | None] = [None] * runs
        self.step = 0
        """The last step that has been read."""

    def start(self, heldout_RxN: NDArray[np.float64]) -> None:
        """Losses of the held-out sequences before the first step."""
        self._start = heldout_RxN

    def note(self, losses_R: Tensor) -> None:
        """Losses of one step; they stay on the device until they are read."""
        self._unread.append(losses_R)

    def due(self, step: int) -> bool:
        """Whether this step ends a stretch that is read."""
        return step % self._every == 0 or step == self._steps

    def read(self, step: int, finite_R: Tensor) -> None:
        """Move the stretch to the curves; a loss or weight that is no number is divergence."""
        means = torch.stack(self._unread).double().mean(0).tolist()
        self._unread.clear()
        self.step = step
        starts = self._start.mean(axis=1).tolist()
        for run, (mean, finite) in enumerate(zip(means, finite_R.tolist(), strict=True)):
            if self._diverged[run] is not None:
                continue
            if not (finite and mean <= starts[run] + self._above):  # false for NaN too
                self._diverged[run] = step
            if math.isfinite(mean):
                self._curves[run].append((step, mean))

    @property
    def all_diverged(self) -> bool:
        """Nothing is left to train."""
        return all(step is not None for step in self._diverged)

    def progress(self, step: int) -> dict[str, Any]:
        """As JSON; `tensors` holds the rest."""
        return {"step": step, "curves": self._curves, "diverged": self._diverged}

    def tensors(self) -> dict[str, Tensor]:
        """The part of the state that is an array."""
        return {"start": torch.from_numpy(self._start)}

    def load_state(self, progress: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from `progress` and `tensors`."""
        self.step = progress["step"]
        self._curves = [[(int(s), float(v)) for s, v in curve] for curve in progress["curves"]]
        self._diverged = list(progress["diverged"])
        self._start = tensors["start"].numpy()

    def results(self, heldout_RxN: NDArray[np.float64], seconds: float) -> tuple[RunResult, ...]:
        """One result per run, from the held-out losses after the last step."""
        found = []
        for run, (start, end) in enumerate(zip(self._start, heldout_RxN, strict=True)):
            diverged = self._diverged[run]
            if diverged is None and not np.isfinite(end).all():
                diverged = self._steps
            ended = diverged is None
            found.append(
                RunResult(
                    diverged_at=diverged,
                    heldout_loss=mean_estimate(end) if ended else None,
                    start_loss=mean_estimate(start),
                    loss_drop=mean_estimate(start - end) if ended else None,
                    curve=tuple(self._curves[run]),
                    seconds=seconds / len(self._diverged),
                )
            )
        return tuple(found)
