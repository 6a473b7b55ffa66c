"""The runs of one grid reduced to one loss per learning rate, seed effects taken out.

Runs of one seed see the same batches and start from the same weights, so that their losses go up
and down together. The model is additive, loss = f(ln eta) + s(seed) + noise; least squares for f
and s together compares learning rates within seeds, and what it leaves over measures the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike

from empirical.errors import UsageError
from empirical.judge.noise_level import Residual

SAME_RATE = 1e-3
"""Learning rates closer than this share are one."""


@dataclass(frozen=True)
class GridLosses:
    """Losses of one grid by learning rate.

    Attributes:
        x: ln eta of the learning rates with a finite loss, ascending, [n].
        loss: mean loss there, seed effects taken out, [n].
        relative_covariance: of `loss`, in units of the variance of one run, [n, n].
        counts: runs behind each loss, [n].
        first_divergent: ln eta from which on every learning rate diverges; inf if none does.
        stray_divergent: divergent learning rates below one that trains, as ln eta.
        runs, censored: all runs, and those of them that diverged.
        replicates: what repetitions leave over.
        unit: the standard error that one run counts as, where standard errors were given.
    """

    x: np.ndarray
    loss: np.ndarray
    relative_covariance: np.ndarray
    counts: np.ndarray
    first_divergent: float
    stray_divergent: tuple[float, ...]
    runs: int
    censored: int
    replicates: Residual
    unit: float | None = None

    @property
    def best(self) -> int:
        """Position of the lowest loss."""
        return int(np.argmin(self.loss))

    def rise_variance(self, first: int, second: int) -> float:
        """Variance of loss[second] - loss[first], in units of the variance of one run."""
        m = self.relative_covariance
        return float(m[first, first] + m[second, second] - 2 * m[first, second])


def grid_losses(
    learning_rates: ArrayLike,
    losses: ArrayLike,
    seeds: ArrayLike | None = None,
    censored: ArrayLike | None = None,
    *,
    standard_errors: ArrayLike | None = None,
) -> GridLosses:
    """Reduce runs to a loss per learning rate.

    Args:
        learning_rates: [runs], > 0.
        losses: [runs]; NaN and infinite ones count as censored.
        seeds: [runs], anything hashable; runs of one seed are paired. None: all independent.
        censored: [runs], true where a run diverged; its loss is not used, its place is.
        standard_errors: [runs], of losses that are means themselves, > 0; they weigh the losses.

    A learning rate at which at least half of the runs diverged counts as divergent.

    Raises:
        UsageError: lengths differ, or a learning rate is not a positive number.
    """
    rates, values = np.asarray(learning_rates, float), np.asarray(losses, float)
    lost = np.zeros(values.shape, bool) if censored is None else np.asarray(censored, bool)
    labels = None if seeds is None else [str(seed) for seed in np.asarray(seeds).tolist()]
    errors = np.ones(rates.shape) if standard_errors is None else np.asarray(standard_errors, float)
    lengths = {rates.shape, values.shape, lost.shape, errors.shape}
    lengths |= {(len(labels),)} if labels is not None else set()
    if len(lengths) != 1 or rates.ndim != 1:
        raise UsageError(
            f"learning rates, losses, seeds, censored and standard errors came with shapes "
            f"{sorted(lengths)}; one entry per run is wanted in each"
        )
    if rates.size and not (np.isfinite(rates).all() and (rates > 0).all()):
        bad = rates[~(np.isfinite(rates) & (rates > 0))][0]
        raise UsageError(f"a learning rate is {bad:g}; finite numbers above 0 are wanted")
    if not (errors[~lost & np.isfinite(values)] > 0).all():
        raise UsageError("a standard error is not above 0; one above 0 is wanted for every loss")
    lost = lost | ~np.isfinite(values)
    key = _same_rates(np.log(rates))
    divergent = [at for at in np.unique(key) if lost[key == at].mean() >= 0.5]
    keep = ~lost & ~np.isin(key, divergent)
    levels, place = np.unique(key[keep], return_inverse=True)
    unit = float(np.median(errors[keep])) if keep.any() else 1.0
    loss, covariance, replicates = _levels(
        place,
        values[keep],
        None if labels is None else np.array(labels)[keep],
        len(levels),
        errors[keep] / unit,
    )
    top = levels[-1] if len(levels) else -inf
    return GridLosses(
        x=levels,
        loss=loss,
        relative_covariance=covariance,
        counts=np.bincount(place, minlength=len(levels)),
        first_divergent=float(min((at for at in divergent if at > top), default=inf)),
        stray_divergent=tuple(float(at) for at in divergent if at < top),
        runs=int(rates.size),
        censored=int(lost.sum()),
        replicates=replicates,
        unit=None if standard_errors is None else unit,
    )


def _same_rates(x: np.ndarray) -> np.ndarray:
    """ln eta with learning rates that are one, written with other digits, set to their mean."""
    order = np.argsort(x, kind="stable")
    label = np.zeros(len(x), dtype=int)
    label[order] = np.cumsum(np.diff(x[order], prepend=x[order[:1]]) > SAME_RATE)
    return np.asarray((np.bincount(label, x) / np.bincount(label))[label])


def _levels(
    place: np.ndarray,
    values: np.ndarray,
    labels: np.ndarray | None,
    count: int,
    errors: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, Residual]:
    """Loss per learning rate, its relative covariance, and the residual of the additive model."""
    design = (place[:, None] == np.arange(count)).astype(float)
    if labels is not None:
        names, which = np.unique(labels, return_inverse=True)
        effects = (which[:, None] == np.arange(len(names))).astype(float)
        # Seed effects sum to zero, so that a level is the mean over seeds.
        paired = np.hstack([design, effects[:, :-1] - effects[:, -1:]])
        # Seeds that share no learning rate cannot be told from learning rates: leave them out.
        if len(names) < len(values) and np.linalg.matrix_rank(paired) == paired.shape[1]:
            design = paired
    inverse = np.linalg.pinv(design / errors[:, None])
    fitted = inverse @ (values / errors)
    residual = (values - design @ fitted) / errors
    freedom = len(values) - design.shape[1]
    squares = float(residual @ residual) if freedom > 0 else 0.0
    covariance = (inverse @ inverse.T)[:count, :count]
    return fitted[:count], covariance, Residual(squares, freedom)
