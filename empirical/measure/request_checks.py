"""What is refused before anything is measured: numbers of no use, one line each."""

from __future__ import annotations

from math import ceil, inf
from operator import index

from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.problem import Problem
from scaling_theory.noise_scale import FEWEST_BLOCKS

BLOCKS = 64
"""Deviations that are kept where nothing else is asked for."""


def check_whole(**counts: object) -> None:
    """Raise UsageError for the first count, by its name, that is no whole number; None passes."""
    for name, value in counts.items():
        if value is None:
            continue
        try:
            index(value)  # type: ignore[arg-type]  # whatever came: that is asked here
        except TypeError:
            raise UsageError(
                f"{name} is {str(value)[:40]}; a whole number is wanted, such as int({name})"
            ) from None


def check_micro_batch(micro_batch: int, samples: int | None = None, blocks: int = BLOCKS) -> None:
    """Refuse micro-batches that are empty, or too large for an interval from so many samples."""
    if micro_batch < 1:
        raise UsageError(f"micro_batch is {micro_batch}; at least 1 is wanted")
    if samples is None:
        return
    available = min(blocks, ceil(samples / micro_batch))
    if available < FEWEST_BLOCKS:
        raise UsageError(
            f"{samples} samples in micro-batches of {micro_batch} make {available} blocks; at "
            f"least {FEWEST_BLOCKS} are wanted for an interval: give more samples, smaller "
            "micro-batches or more blocks"
        )


def check_adam(problem: Problem, second_moment: Tensor | None, epsilon: float) -> None:
    """Refuse an epsilon or a second moment, [P], that no Adam has."""
    if not 0 <= epsilon < inf:
        raise UsageError(f"epsilon is {epsilon}; a finite number of at least 0 is wanted")
    if second_moment is not None and second_moment.shape != problem.point.shape:
        raise UsageError(
            f"second_moment has shape {tuple(second_moment.shape)}; one number per parameter, "
            f"{tuple(problem.point.shape)}, is wanted"
        )
    if second_moment is not None and not bool(
        ((second_moment >= 0) & second_moment.isfinite()).all()
    ):
        raise UsageError(
            "second_moment holds a number that is negative or not finite; a running mean of "
            "squares is wanted"
        )


def check_steps(batch_size: int, updates: int, subset: int = 32, state_steps: int = 0) -> None:
    """Refuse numbers of no use."""
    if batch_size < 1 or updates < 4 or subset < 1 or state_steps < 0:
        raise UsageError(
            f"batch_size {batch_size}, updates {updates}, subset {subset}, state_steps "
            f"{state_steps} came; at least 1, 4, 1 and 0 are wanted"
        )


def check_batches(batch_size: int, samples: int) -> None:
    """Refuse batches that half of the samples do not make."""
    if batch_size > samples // 2:
        raise UsageError(
            f"{samples} samples came for batches of {batch_size}; half of them judge, so at least "
            f"{2 * batch_size} are wanted: give more samples"
        )
