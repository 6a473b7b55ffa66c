"""What the one-step theories say of a fall of eta* at large batches, asked of whole runs.

Published theory takes the noise of different coordinates as independent and predicts a surge:
eta_1 falls from the batch size of its peak to its large-batch value. With the measured
correlations the same statistics predict none. A fall of whole runs at fixed tokens speaks neither
for the one nor against the other: there the number of steps falls as the batch grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.claims.compared import Compared, compared
from empirical.judge.claims.falls import STEPS_FALL, surge_of
from empirical.judge.claims.predictions import CORRELATED, INDEPENDENT, Silence
from empirical.judge.fit_data import Array
from empirical.judge.verdict import (
    ERROR,
    MARGIN,
    TOLERANCE,
    Outcome,
    Verdict,
    counted,
    not_judged,
    together,
    verdict_on,
)
from empirical.judge.verdict_spread import normal_measured, scatter, spread_measured
from scaling_theory.surge import Surge

PUBLISHED = "published surge"
NONE_AT_ALL = "no surge with correlated noise"
FEWEST = 3

_OUTCOMES = {
    Surge.YES: Outcome.DISAGREES,
    Surge.NO: Outcome.AGREES,
    Surge.CANNOT_TELL: Outcome.CANNOT_TELL,
}


@dataclass(frozen=True)
class Fall:
    """From the batch size of the predicted peak to the largest: ln of the ratio of eta*.

    predicted, measured: ln(eta* at the peak / eta* at the largest). variance: of their difference.
    """

    where: str
    peak: float
    last: float
    predicted: float
    measured: float
    variance: float


def surge_claims() -> tuple[Claim, ...]:
    """That runs fall as independent noise says; that they do not, as correlated noise says."""
    return (
        Claim(
            PUBLISHED,
            "from the predicted peak to the largest batch the best learning rate of the run falls "
            "by the factor that independent noise predicts",
            INDEPENDENT.source,
            judge_published,
        ),
        Claim(
            NONE_AT_ALL,
            "where the measured noise predicts no surge, the best learning rate of the run does "
            "not fall by 10 % from any batch size to the largest",
            CORRELATED.source,
            judge_none,
        ),
    )


def judge_published(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """Measured fall against predicted fall, pooled by chi-squared round zero difference."""
    if missing := INDEPENDENT.missing(known, stratum.held):
        return (not_judged(PUBLISHED, missing),)
    answers = [compared(each, INDEPENDENT, known) for each in stratum.slices]
    spoken = [answer for answer in answers if not isinstance(answer, Silence) and len(answer) > 1]
    if not spoken:
        silent = [answer.reason for answer in answers if isinstance(answer, Silence)]
        return (not_judged(PUBLISHED, silent[0] if silent else "too few optima are numbers"),)
    falls = [fall for answer in spoken if (fall := predicted_fall(answer)) is not None]
    if not falls:
        return (not_judged(PUBLISHED, "independent noise predicts no fall over these batches"),)
    error = ERROR / len(falls)
    parts = tuple((fall.where, _part(fall, error)) for fall in falls)
    differences = np.array([fall.measured - fall.predicted for fall in falls])
    variances = np.array([fall.variance for fall in falls])
    pooled = scatter(differences, variances, free_factor=False)
    what = "measured over predicted fall from the peak, rms over slices"
    measured = spread_measured(what, pooled, TOLERANCE)
    reason = f"{_sizes(falls)}; {counted([part.outcome for _, part in parts], 'slice')}"
    quiet = len(spoken) - len(falls)
    reason += f"; no fall predicted in {quiet} more" if quiet else ""
    reason += f"; {STEPS_FALL}" if stratum.held == "tokens" else ""
    cells = 2 * len(falls)
    kept = parts if len(parts) > 1 else ()
    return (verdict_on(PUBLISHED, measured, cells, reason, parts=kept),)


def predicted_fall(found: Compared) -> Fall | None:
    """None where the prediction does not fall by 10 % over the measured cells."""
    peak, last = int(np.argmax(found.predicted)), len(found) - 1
    predicted = float(found.predicted[peak] - found.predicted[last])
    if predicted <= MARGIN:
        return None
    measured: Array = found.deviations + found.predicted
    return Fall(
        found.where,
        found.cells[peak].batch,
        found.cells[last].batch,
        predicted,
        float(measured[peak] - measured[last]),
        float(found.variances[peak] + found.variances[last]),
    )


def judge_none(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """The operational surge verdict on every slice where none is predicted; all must show none."""
    if missing := CORRELATED.missing(known, stratum.held):
        return (not_judged(NONE_AT_ALL, missing),)
    answers = [compared(each, CORRELATED, known) for each in stratum.slices]
    spoken = [a for a in answers if not isinstance(a, Silence) and len(a) >= FEWEST]
    asked = [answer for answer in spoken if predicted_fall(answer) is None]
    if not asked:
        silent = [answer.reason for answer in answers if isinstance(answer, Silence)]
        reason = silent[0] if silent and not spoken else "three optima of a slice are wanted"
        if spoken:
            reason = "correlated noise predicts a fall over these batches too"
        return (not_judged(NONE_AT_ALL, reason),)
    rng = np.random.default_rng(known.seed)
    error = ERROR / len(asked)
    parts = []
    for answer in asked:
        found = surge_of(answer.cells, rng, 1 - error)
        assert found is not None
        outcome = _OUTCOMES[found.outcome]
        if found.outcome is Surge.CANNOT_TELL and found.last_slope.interval()[0] > 0:
            # No fall within the table is all that is claimed: a rise to its end shows that.
            outcome = Outcome.AGREES
        if outcome is Outcome.DISAGREES and stratum.held == "tokens":
            outcome = Outcome.CANNOT_TELL
        low, high = found.interval
        reason = (
            f"largest eta* at B {found.peak_batch:g}, {found.ratio.value:.2f} times that of "
            f"B {found.last_batch:g} ({low:.2f} to {high:.2f})"
        )
        parts.append((answer.where, Verdict(NONE_AT_ALL, outcome, reason, len(answer))))
    outcomes = [part.outcome for _, part in parts]
    reason = counted(outcomes, "slice")
    if stratum.held == "tokens":
        reason += f"; {STEPS_FALL}"
    return (
        Verdict(
            NONE_AT_ALL,
            together(outcomes),
            reason,
            sum(len(answer) for answer in asked),
            parts=tuple(parts),
        ),
    )


def _part(fall: Fall, error: float) -> Verdict:
    what = "measured over predicted fall from the peak"
    region = (-TOLERANCE, TOLERANCE)
    difference = fall.measured - fall.predicted
    measured = normal_measured(what, difference, fall.variance, region, error)
    return verdict_on(PUBLISHED, measured, 2, _sizes([fall]))


def _sizes(falls: Sequence[Fall]) -> str:
    """Predicted and measured falls in words."""

    def span(values: list[float]) -> str:
        low, high = exp(min(values)), exp(max(values))
        return f"{low:.2g}" if len(values) == 1 else f"{low:.2g} to {high:.2g}"

    predicted = span([fall.predicted for fall in falls])
    measured = span([fall.measured for fall in falls])
    ends = f" from B {falls[0].peak:g} to {falls[0].last:g}" if len(falls) == 1 else ""
    return f"eta* falls by {predicted} predicted, {measured} measured{ends}"
