"""The surge verdict: does the optimal learning rate fall at large batches? Yes, no, cannot tell.

Operational (own derivation): the largest eta*(B) over its large-B value, with an interval. The
scalar criteria of the literature (Q > 2 T and the like) hold only for independent noise with one
signal-to-noise ratio and decide nothing for a real network.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate

_SIMULATIONS = 4_000


class Surge(Enum):
    """Outcome of the verdict."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class SurgeVerdict:
    """Whether eta* falls at large B.

    outcome: yes, no or cannot tell. reason: one sentence.
    ratio: largest eta* over eta* at the largest B, of the estimates; biased upwards by picking
        the largest, which `interval` accounts for. Its standard error takes the peak as given.
    interval: (lower, upper), each a one-sided bound at `confidence` on the true largest ratio.
    peak_batch, last_batch: where the largest estimate lies, and the largest B.
    last_slope: d ln eta* / d ln B between the last two batch sizes.
    margin: a ratio below 1 + margin counts as no surge.
    """

    outcome: Surge
    reason: str
    ratio: Estimate
    interval: tuple[float, float]
    peak_batch: float
    last_batch: float
    last_slope: Estimate
    margin: float
    confidence: float


def surge_verdict(
    batch_sizes: Sequence[float],
    learning_rates: Sequence[float],
    standard_errors: Sequence[float],
    *,
    rng: np.random.Generator,
    margin: float = 0.1,
    plateau_slope: float = 0.05,
    confidence: float = 0.95,
) -> SurgeVerdict:
    """Judge eta*(B) at increasing B; the errors of different B are taken as independent.

    yes: the lower bound of the true largest ratio exceeds 1 + margin. no: the upper bound is
    below it. Otherwise, or where the last two batch sizes show that the large-B value has not
    been reached, cannot tell: a slope clearly above plateau_slope (eta* still rises, the final
    value is higher), or clearly below -plateau_slope without a yes (it still falls). A yes while
    eta* still falls stands: the final ratio can only be larger.

    The bounds hold for all batch sizes at once, so that picking the largest is accounted for:
    with d_i = ln eta_i - ln eta_last and its error w_i, the quantile q of max_i (error_i / w_i)
    is simulated, and max_i (d_i - q w_i), max_i (d_i + q w_i) bound ln of the true ratio.

    Raises InputError for fewer than 3 points, unequal lengths, repeated or non-positive batch
    sizes, learning rates <= 0, negative or infinite errors, or settings out of range.
    """
    batch, rate, error = _checked(batch_sizes, learning_rates, standard_errors)
    if not (margin > 0 and plateau_slope >= 0 and 0.5 < confidence < 1):
        raise InputError(
            f"margin {margin:g}, plateau_slope {plateau_slope:g} and confidence {confidence:g} "
            "came; margin > 0, slope >= 0 and confidence between 0.5 and 1 are wanted"
        )
    log_ratio, relative = np.log(rate / rate[-1]), error / rate
    width = np.hypot(relative[:-1], relative[-1])
    quantile = _simultaneous_quantile(relative, width, confidence, rng)
    # The last batch size itself has ratio 1: the true largest ratio is at least that.
    lower = math.exp(max(0.0, float(np.max(log_ratio[:-1] - quantile * width))))
    upper = math.exp(max(0.0, float(np.max(log_ratio[:-1] + quantile * width))))
    peak = int(np.argmax(rate))
    spread = float(np.hypot(relative[peak], relative[-1])) if peak < batch.size - 1 else 0.0
    top = float(rate[peak] / rate[-1])
    step = math.log(batch[-1] / batch[-2])
    slope = Estimate(-float(log_ratio[-2]) / step, float(width[-1]) / step, 0)
    outcome, reason = _judge(lower, upper, margin, slope, plateau_slope, confidence)
    return SurgeVerdict(
        outcome=outcome,
        reason=reason,
        ratio=Estimate(top, top * spread, 0),
        interval=(lower, upper),
        peak_batch=float(batch[peak]),
        last_batch=float(batch[-1]),
        last_slope=slope,
        margin=margin,
        confidence=confidence,
    )


def _judge(
    lower: float, upper: float, margin: float, slope: Estimate, flat: float, confidence: float
) -> tuple[Surge, str]:
    reach = _normal_quantile(confidence) * slope.standard_error
    if slope.value - reach > flat:
        return Surge.CANNOT_TELL, (
            f"the learning rate still rises at the largest batch (log-slope {slope.value:.2f}): "
            "its large-batch value is not reached; add larger batches"
        )
    if lower > 1 + margin:
        return Surge.YES, f"the peak is at least {lower:.2f} times the large-batch value"
    if slope.value + reach < -flat:
        return Surge.CANNOT_TELL, (
            f"the learning rate still falls at the largest batch (log-slope {slope.value:.2f}): "
            "its large-batch value is not reached; add larger batches"
        )
    if upper < 1 + margin:
        return Surge.NO, f"the peak is at most {upper:.2f} times the large-batch value"
    return Surge.CANNOT_TELL, (
        f"the peak is between {lower:.2f} and {upper:.2f} times the large-batch value, and the "
        f"limit is {1 + margin:.2f}; reduce the standard errors"
    )


def _simultaneous_quantile(
    relative: NDArray[np.float64],
    width: NDArray[np.float64],
    confidence: float,
    rng: np.random.Generator,
) -> float:
    """Quantile of max_i (e_i - e_last) / width_i, e normal with the given standard errors."""
    uncertain = width > 0
    if not uncertain.any():
        return 0.0
    noise = rng.standard_normal((_SIMULATIONS, relative.size)) * relative
    standard = (noise[:, :-1] - noise[:, -1:])[:, uncertain] / width[uncertain]
    return float(np.quantile(standard.max(axis=1), confidence))


def _normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(confidence)


def _checked(
    batch_sizes: Sequence[float], rates: Sequence[float], errors: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    batch, rate, error = (np.asarray(x, dtype=np.float64) for x in (batch_sizes, rates, errors))
    if batch.ndim != 1 or not batch.shape == rate.shape == error.shape or batch.size < 3:
        raise InputError(
            f"{batch.size} batch sizes, {rate.size} learning rates and {error.size} standard "
            "errors came; three vectors of one length, at least 3, are wanted"
        )
    fine = (batch > 0) & (rate > 0) & (error >= 0)
    if not (fine & np.isfinite(batch) & np.isfinite(rate) & np.isfinite(error)).all():
        raise InputError(
            "a batch size or learning rate <= 0, a negative standard error, or a value not "
            "finite came; leave out batch sizes without an optimum"
        )
    order = np.argsort(batch)
    batch, rate, error = batch[order], rate[order], error[order]
    if (np.diff(batch) == 0).any():
        raise InputError("a batch size came twice; one learning rate per batch size is wanted")
    return batch, rate, error
