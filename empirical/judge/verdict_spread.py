"""Intervals behind the verdicts: how far measured ln eta* strays from a prediction.

The deviations d_i = ln eta*_i - prediction_i of the cells of a slice have known variances v_i.
Cochran's Q = sum w_i (d_i - mean)^2, w_i = 1/v_i, is then noncentral chi-squared with one degree
of freedom less than cells; its noncentrality is sum w_i (true d_i - their mean)^2, whose interval
follows by inversion (Hedges and Pigott 2001, Psychological Methods 6, 203). Several slices, each
with a factor of its own, add up. Divided by C = sum w - sum w^2 / sum w it is the square of the
spread, a weighted standard deviation of the true d_i (DerSimonian and Laird 1986, Controlled
Clinical Trials 7, 177). Without a free factor: deviations from 0, one more degree, C = sum w.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from scipy.optimize import brentq
from scipy.special import chdtrc, chndtr, ndtr

from empirical.judge.fit_data import Array
from empirical.judge.verdict import ERROR, Measured, Regret

EXACT_BELOW = 2_000.0
"""Above this chi-squared its cube root is taken as normal: both agree to 1e-3 in probability."""

LEAST_SHOWN = 1e-6
"""Smaller probabilities say no more: errors are never normal that far out."""


@dataclass(frozen=True)
class Scatter:
    """Q of one slice, or of several added. norm: C of the module's docstring."""

    q: float
    freedom: int
    norm: float

    def __add__(self, other: Scatter) -> Scatter:
        return Scatter(self.q + other.q, self.freedom + other.freedom, self.norm + other.norm)

    @property
    def spread(self) -> float:
        """The estimate, in ln eta; 0 where Q does not exceed its degrees of freedom."""
        return sqrt(max(self.q - self.freedom, 0.0) / self.norm)

    def interval(self, error: float = ERROR) -> tuple[float, float]:
        """Of the spread, each end missed with probability error/2.

        The upper end is not taken from a Q below its degrees of freedom: errors that were stated
        too large would otherwise pass for agreement.
        """
        low = noncentrality(self.q, self.freedom, 1 - error / 2)
        high = noncentrality(max(self.q, float(self.freedom)), self.freedom, error / 2)
        return sqrt(low / self.norm), sqrt(high / self.norm)

    @property
    def statistic(self) -> str:
        """In words, with the probability of more if the prediction were exact."""
        p = float(chdtrc(self.freedom, self.q))
        shown = f"p {p:.2g}" if p >= LEAST_SHOWN else f"p < {LEAST_SHOWN:g}"
        return f"chi2 {self.q:.1f} of {self.freedom}, {shown}"


def scatter(deviations: Array, variances: Array, *, free_factor: bool) -> Scatter:
    """Q, degrees of freedom and C of one slice; arrays [n], n > 1 with a free factor."""
    weights = 1 / variances
    total = float(weights.sum())
    if not free_factor:
        return Scatter(float(weights @ deviations**2), len(deviations), total)
    around = deviations - common_factor(deviations, variances)[0]
    norm = total - float(weights @ weights) / total
    return Scatter(float(weights @ around**2), len(deviations) - 1, norm)


def common_factor(deviations: Array, variances: Array) -> tuple[float, float]:
    """Weighted mean of the deviations, ln of the factor, and its variance."""
    weights = 1 / variances
    return float(weights @ deviations / weights.sum()), float(1 / weights.sum())


def spread_measured(what: str, found: Scatter, most: float, error: float = ERROR) -> Measured:
    """The spread as the number of a claim that wants at most `most`."""
    return Measured(
        what,
        found.spread,
        found.interval(error),
        (0.0, most),
        1 - error,
        statistic=found.statistic,
    )


def normal_measured(
    what: str,
    value: float,
    variance: float,
    region: tuple[float, float],
    error: float = ERROR,
    *,
    logarithm: bool = True,
) -> Measured:
    """A normal estimate as the number of a claim; z against 0."""
    width = sqrt(variance)
    half = normal_quantile(error) * width
    interval = (value - half, value + half)
    z = f"z {value / width:.1f}" if width > 0 else ""
    return Measured(what, value, interval, region, 1 - error, logarithm, z)


def normal_quantile(error: float) -> float:
    """Standard errors that a normal estimate is off with probability `error`, both sides."""
    return NormalDist().inv_cdf(1 - error / 2)


def noncentrality(q: float, freedom: int, probability: float) -> float:
    """The noncentrality under which chi-squared stays below q with `probability`; 0 if none."""
    if _below(q, freedom, 0.0) <= probability:
        return 0.0
    top = q + 10 * sqrt(q + freedom) + 60.0
    found = brentq(lambda centre: _below(q, freedom, centre) - probability, 0.0, top, xtol=1e-10)
    return float(found)


def _below(q: float, freedom: int, centre: float) -> float:
    """P(noncentral chi-squared < q); for large q by Abdel-Aty 1954, Biometrika 41, 538."""
    if q < EXACT_BELOW and centre < EXACT_BELOW:
        return float(chndtr(q, freedom, centre))
    total = freedom + centre
    width = 2 * (1 + centre / total) / (9 * total)
    return float(ndtr(((q / total) ** (1 / 3) - (1 - width)) / sqrt(width)))


@dataclass(frozen=True)
class Cost:
    """Sum of losses over `cells`, nats, with the variance of that sum."""

    total: float
    variance: float
    cells: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.total + other.total, self.variance + other.variance, self.cells + other.cells
        )


def cost(misses: Array, covariance: Array, curvatures: Array) -> Cost:
    """Sum of L'' x^2 / 2 over cells, x the true ln of rate used over optimum.

    misses: measured x, [n]; covariance: of their errors, [n, n]; curvatures: L'', nats, [n].
    With A = diag(L''/2), x'Ax - tr AV is unbiased and has variance 4 x'AVAx + 2 tr AVAV at the
    true x (Mathai and Provost 1992, Quadratic Forms in Random Variables, theorem 3.2b.2).
    """
    weighted = (curvatures / 2)[:, None] * covariance
    squares = float((weighted @ weighted).trace())
    pull = curvatures / 2 * misses
    linear = float(pull @ covariance @ pull)
    total = float(curvatures / 2 @ misses**2) - float(weighted.trace())
    # The measured x overstates the first part of the variance by tr AVAV on average.
    return Cost(total, max(4 * linear - 2 * squares, 2 * squares), len(misses))


def mean_regret(costs: Sequence[Cost]) -> Regret | None:
    """Per cell, with its 95 % interval; None where nothing was followed."""
    whole = sum(costs, Cost(0.0, 0.0, 0))
    if not whole.cells:
        return None
    mean, half = whole.total / whole.cells, 1.96 * sqrt(whole.variance) / whole.cells
    # A loss above the optimum's is at least 0: only the end of the interval knows that.
    return Regret(mean, (max(mean - half, 0.0), max(mean + half, 0.0)), whole.cells)
