"""One curve eta*(B) over its large-B value, with its verdict and its peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling_theory.surge import SurgeVerdict, surge_verdict

Array = NDArray[np.float64]

VISIBLE = 1e-3
"""A peak this far above the large-B value, relatively, is still followed by the ridge."""


@dataclass(frozen=True)
class SurgeCurve:
    """eta*(B) at one epsilon, over its large-B value.

    epsilon: in the map's unit. batch_sizes, ratio, standard_error: [n]; NaN where there is no
    minimum. peak_batch, peak_ratio: the highest point, None without an interior peak.
    verdict: None where it could not be judged; status says why.
    """

    epsilon: float
    batch_sizes: Array
    ratio: Array
    standard_error: Array
    peak_batch: float | None
    peak_ratio: float | None
    verdict: SurgeVerdict | None
    status: str


def judged_curve(
    epsilon: float,
    batches: Array,
    rates: Array,
    errors: Array,
    reference: float,
    rng: np.random.Generator,
    judged: NDArray[np.bool_] | None = None,
    status: str = "",
) -> SurgeCurve:
    """The curve of `rates` over `reference`, judged where `judged` (everywhere if None).

    batches, rates, errors: [n], NaN rates where there is no optimum. status: why, if known.
    """
    usable = np.isfinite(rates) & (np.isfinite(reference))
    judged = usable if judged is None else judged & usable
    verdict = None
    if judged.sum() >= 3 and np.isfinite(reference):
        verdict = surge_verdict(
            batches[judged].tolist(), rates[judged].tolist(), errors[judged].tolist(), rng=rng
        )
        status = status or verdict.reason
    ratio, error = rates / reference, errors / reference
    peak = _peak(batches, ratio)
    return SurgeCurve(
        epsilon=float(epsilon),
        batch_sizes=batches,
        ratio=ratio,
        standard_error=error,
        peak_batch=None if peak is None else peak[0],
        peak_ratio=None if peak is None else peak[1],
        verdict=verdict,
        status=status or "no minimum along this direction",
    )


def _peak(batches: Array, ratio: Array) -> tuple[float, float] | None:
    """Place and height of an interior maximum, by the parabola through it in logarithms."""
    if not np.isfinite(ratio).any():
        return None
    top = int(np.nanargmax(ratio))
    if not 0 < top < len(ratio) - 1 or not ratio[top] > 1 + VISIBLE:
        return None
    x, y = np.log(batches[top - 1 : top + 2]), ratio[top - 1 : top + 2]
    if not np.isfinite(y).all():
        return float(batches[top]), float(ratio[top])
    a, b, c = np.polyfit(x - x[1], y, 2)
    shift = 0.0 if a >= 0 else float(np.clip(-b / (2 * a), x[0] - x[1], x[2] - x[1]))
    return float(np.exp(x[1] + shift)), float(c + b * shift + a * shift**2)
