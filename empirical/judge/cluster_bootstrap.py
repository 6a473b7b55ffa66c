"""Paired bootstrap over clusters: optima that share what was measured are drawn together.

A draw is a weight per optimum, how often its cluster was drawn. Every law on trial is averaged over
the same draws, so that a difference of two of them keeps what they have in common.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

REPETITIONS = 2000
LEVEL = 0.95


def cluster_draws(clusters: Sequence[Hashable], rng: np.random.Generator) -> Array:
    """Weights of n members in each draw, [REPETITIONS, n]; clusters: the one that each is of."""
    names = list(dict.fromkeys(clusters))
    places = np.array([names.index(each) for each in clusters])
    shares = np.full(len(names), 1 / len(names))
    return rng.multinomial(len(names), shares, size=REPETITIONS)[:, places].astype(np.float64)


def drawn_mean(values: Array, used: Mask, draws: Array) -> Array:
    """Mean of `values` where `used`, in each draw; NaN for draws that hold none of them."""
    weights = draws * used
    total = weights.sum(axis=1)
    sums = weights @ np.where(used, values, 0.0)
    return np.asarray(np.divide(sums, total, out=np.full(len(sums), nan), where=total > 0))


def drawn_rms(errors: Array, used: Mask, draws: Array) -> Array:
    """Root mean square of `errors` where `used`, in each draw."""
    return np.asarray(np.sqrt(drawn_mean(np.where(used, errors, 0.0) ** 2, used, draws)))


def interval(drawn: Array) -> tuple[float, float]:
    """The middle 95 % of what was drawn, draws without a value left out; NaN where none has one."""
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return nan, nan
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
