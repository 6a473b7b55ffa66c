"""Every claim comes out each way where the planted truth says so: true, false, too little data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp, inf, log

import numpy as np
import pytest

from empirical.judge.claims.claim import GIVE_STATISTICS, Known, Stratum
from empirical.judge.claims.coverage import binomial_interval
from empirical.judge.claims.falls import last_slope
from empirical.judge.claims.nearer import NAME as NEARER
from empirical.judge.claims.predictions import CORRELATED, PREDICTIONS, RULES, Silence
from empirical.judge.claims.surges import NONE_AT_ALL, PUBLISHED
from empirical.judge.claims.table import CLAIMS
from empirical.judge.verdict import TOLERANCE, Outcome, Verdict
from empirical.judge.verdict_slices import Slice
from scaling_theory.fitted_law import FittedLaw
from tests.judge.planted_runs import (
    BATCHES,
    EPSILONS,
    cell,
    greedy,
    known,
    one_step_runs,
    stratum,
    surface,
)

YES, NO, OPEN, UNASKED = (
    Outcome.AGREES,
    Outcome.DISAGREES,
    Outcome.CANNOT_TELL,
    Outcome.NOT_JUDGED,
)
Curve = Callable[[float, float], float]
NEAR, FAR = greedy("correlated"), greedy("independent")


def judge(name: str, asked: Stratum, what: Known | None = None) -> Verdict:
    """The verdict on the claim of that name."""
    for claim in CLAIMS:
        if name == claim.name or name.startswith(f"{claim.name}: "):
            for verdict in claim.judge(asked, known() if what is None else what):
                if verdict.claim == name:
                    return verdict
    raise AssertionError(f"no verdict on {name}")


def power(slope: float) -> Curve:
    return lambda batch, epsilon: log(1e-3) + slope * log(batch)


def times(curve: Curve, factor: float) -> Curve:
    return lambda batch, epsilon: curve(batch, epsilon) + log(factor)


def bent(falls: tuple[float, float, float]) -> Curve:
    """Rises to B = 256 and falls from there by exp(falls) at each epsilon."""

    def ln_eta(batch: float, epsilon: float) -> float:
        fall = falls[EPSILONS.index(epsilon)]
        return log(1e-3) + 0.4 * log(min(batch, 256.0)) - (fall if batch > 256 else 0.0)

    return ln_eta


def averaged(batch: float, epsilon: float) -> float:
    """D / (rho Q + N) with beta1 = 0.9 and very many steps: rho = 0.1/1.9."""
    descent, signal, noise = surface().terms(batch, epsilon, "correlated")
    return log(descent.value / (0.1 / 1.9 * signal.value + noise.value))


def drifting(batch: float, epsilon: float) -> float:
    """The correlated shape at each epsilon, with another factor at each."""
    return NEAR(batch, epsilon) + EPSILONS.index(epsilon) * log(2)


C, I = CORRELATED.name, "greedy step, independent noise"  # noqa: E741  # the closure's initial
CASES: dict[str, tuple[str, Stratum, Outcome]] = {
    "its value, true": (C, stratum(NEAR), YES),
    "its value, twice it": (C, stratum(times(NEAR, 2.0)), NO),
    "its value, unknown": (C, stratum(NEAR, 0.6), OPEN),
    "one factor, true": (f"{C}, one factor", stratum(times(NEAR, 3.0)), YES),
    "one factor, another shape": (f"{C}, one factor", stratum(power(0.0)), NO),
    "one factor, two cells": (f"{C}, one factor", stratum(NEAR, 0.15, batches=(1, 4)), OPEN),
    "over epsilon, true": (
        f"{C}, one factor over epsilon", stratum(times(NEAR, 3.0), epsilons=EPSILONS), YES,
    ),
    "over epsilon, a factor for each": (
        f"{C}, one factor over epsilon", stratum(drifting, epsilons=EPSILONS), NO,
    ),
    "over epsilon, unknown": (
        f"{C}, one factor over epsilon", stratum(NEAR, 0.6, epsilons=EPSILONS), OPEN,
    ),
    "independent, true": (I, stratum(FAR), YES),
    "independent, the other": (I, stratum(NEAR), NO),
    "independent, unknown": (I, stratum(FAR, 0.6), OPEN),
    "independent shape, true": (f"{I}, one factor", stratum(times(FAR, 0.2)), YES),
    "independent shape, the other": (f"{I}, one factor", stratum(NEAR), NO),
    "independent shape, unknown": (f"{I}, one factor", stratum(FAR, 0.6), OPEN),
    "independent over epsilon, true": (
        f"{I}, one factor over epsilon", stratum(times(FAR, 0.2), epsilons=EPSILONS), YES,
    ),
    "independent over epsilon, the other": (
        f"{I}, one factor over epsilon", stratum(NEAR, epsilons=EPSILONS), NO,
    ),
    "independent over epsilon, unknown": (
        f"{I}, one factor over epsilon", stratum(FAR, 0.6, epsilons=EPSILONS), OPEN,
    ),
    "run law without momentum": ("run law, one factor", stratum(times(NEAR, 3.0)), YES),
    "run law with momentum": (
        "run law, one factor over epsilon",
        stratum(times(averaged, 3.0), epsilons=EPSILONS, optimizer="adamw"),
        YES,
    ),
    "run law, the greedy step": (
        "run law, one factor", stratum(NEAR, optimizer="adamw"), NO,
    ),
    "run law, unknown": ("run law, one factor", stratum(NEAR, 0.6, optimizer="adamw"), OPEN),
    "run law, unknown over epsilon": (
        "run law, one factor over epsilon", stratum(NEAR, 0.6, epsilons=EPSILONS), OPEN,
    ),
    "run law, a factor for each epsilon": (
        "run law, one factor over epsilon", stratum(drifting, epsilons=EPSILONS), NO,
    ),
    "nearer, true": (NEARER, stratum(NEAR, epsilons=EPSILONS), YES),
    "nearer, the other": (NEARER, stratum(FAR, epsilons=EPSILONS), NO),
    "nearer, unknown": (NEARER, stratum(NEAR, 5.0), OPEN),
    "surge as published": (PUBLISHED, stratum(FAR), YES),
    "surge, none": (PUBLISHED, stratum(NEAR), NO),
    "surge, unknown": (PUBLISHED, stratum(FAR, 0.4), OPEN),
    "no surge, true": (NONE_AT_ALL, stratum(NEAR), YES),
    "no surge, a fall": (NONE_AT_ALL, stratum(FAR), NO),
    "no surge, a fall at fixed tokens": (NONE_AT_ALL, stratum(FAR, held="tokens"), OPEN),
    "no surge, unknown": (NONE_AT_ALL, stratum(NEAR, 0.6), OPEN),
    "weakens": (
        "the fall weakens with epsilon", stratum(bent((1.0, 0.6, 0.1)), epsilons=EPSILONS), YES,
    ),
    "grows": (
        "the fall weakens with epsilon", stratum(bent((0.3, 0.6, 1.0)), epsilons=EPSILONS), NO,
    ),
    "weakens, unknown": (
        "the fall weakens with epsilon",
        stratum(bent((1.0, 0.6, 0.1)), 0.6, epsilons=EPSILONS),
        OPEN,
    ),
    "no fall to weaken": (
        "the fall weakens with epsilon", stratum(power(0.5), epsilons=EPSILONS), OPEN,
    ),
    "falls": ("eta* falls at the largest batches", stratum(bent((1.0, 0, 0))), YES),
    "rises": ("eta* falls at the largest batches", stratum(power(0.5)), NO),
    "falls, unknown": ("eta* falls at the largest batches", stratum(power(0.0), 0.6), OPEN),
}  # fmt: skip
for _rule, _slope in zip(RULES, (0.5, 1.0, 0.0), strict=True):
    for _ending in ("whole range", "neighbours"):
        _name = f"{_rule.name}, {_ending}"
        CASES |= {
            f"{_name}, true": (_name, stratum(power(_slope), 0.02), YES),
            f"{_name}, another": (_name, stratum(power(_slope + 0.5), 0.02), NO),
            f"{_name}, unknown": (_name, stratum(power(_slope), 0.3, batches=(1, 4, 16)), OPEN),
        }


@pytest.mark.parametrize(("name", "asked", "wanted"), CASES.values(), ids=CASES)
def test_claims_come_out_as_planted(name: str, asked: Stratum, wanted: Outcome) -> None:
    """Rung: planted truth, planted wrong theory, too little data (errors 20 times as large).

    Errors of 0.03 put the end of a spread of 0 at 0.06 for six cells; the tolerance is 0.17 and
    the wrong theories are off by 0.4 and more. At errors of 0.3 to 0.6 every interval holds both.
    """
    assert judge(name, asked).outcome is wanted


def test_the_false_verdict_rate_is_held() -> None:
    """Rung: Monte Carlo. The truth at the tolerance itself: each wrong verdict at most 2.5 %.

    400 tables whose spread is exactly a quarter octave: "agrees" and "disagrees" both are within
    2.5 % + 4 standard errors (0.8 %) of nothing.
    """
    away = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    # The weighted standard deviation of six equal weights has 5 in the denominator.
    away *= TOLERANCE / np.sqrt(6 / 5)
    moved = dict(zip(BATCHES, away, strict=True))
    outcomes = [
        judge(
            f"{C}, one factor",
            stratum(lambda batch, epsilon: NEAR(batch, epsilon) + moved[batch], 0.05, seed=seed),
        ).outcome
        for seed in range(400)
    ]
    for outcome in (YES, NO):
        assert outcomes.count(outcome) / 400 <= 0.025 + 4 * 0.008


def test_nothing_is_said_without_statistics() -> None:
    """Rung: closed form. Claims of the one-step theories ask for --stats, the others do not."""
    asked = stratum(NEAR, epsilons=EPSILONS)
    for claim in CLAIMS:
        for verdict in claim.judge(asked, Known(laws=())):
            needs = claim.name.startswith(("greedy step", "run law")) or claim.name in (
                NEARER,
                PUBLISHED,
                NONE_AT_ALL,
            )
            assert (verdict.reason == GIVE_STATISTICS) == needs


def test_slices_stand_beside_the_pool_at_their_own_confidence() -> None:
    """Rung: closed form. Three slices: 1 - 5 %/3 each, 95 % together; cells add up."""
    found = judge(f"{C}, one factor", stratum(NEAR, epsilons=EPSILONS))
    assert found.measured is not None and found.measured.confidence == pytest.approx(0.95)
    assert len(found.parts) == 3 and found.cells == 18
    for _, part in found.parts:
        assert part.measured is not None
        assert part.measured.confidence == pytest.approx(1 - 0.05 / 3)
    assert found.reason.startswith("of 3 slices 3 agree")


def test_following_costs_what_the_curvature_says() -> None:
    """Rung: closed form. A factor 2 off everywhere: 0.05 ln(2)^2 / 2 nats; one factor: nothing."""
    asked = stratum(times(NEAR, 2.0), 1e-4)
    itself, shape = judge(C, asked).regret, judge(f"{C}, one factor", asked).regret
    assert itself is not None and shape is not None
    assert itself.value == pytest.approx(0.05 * log(2) ** 2 / 2, rel=1e-3)
    assert abs(shape.value) < 1e-6
    assert (itself.cells, shape.cells) == (6, 5)


def bounded(low: float, high: float) -> Slice:
    """Three measured cells that rise, and a largest batch known by its bounds only."""
    asked = stratum(power(0.5)).slices[0]
    last = cell(4096.0, None, bounds=(low, high))
    return replace(asked, cells=(*asked.cells[:4], last))


def test_an_edge_is_a_bound_and_can_still_decide() -> None:
    """Rung: closed form. The optimum of B = 64 is 8e-3: below 1e-3 is a fall, above 1e-1 a rise."""
    for ends, wanted in (
        ((-inf, log(1e-3)), YES),
        ((log(1e-1), inf), NO),
        ((-inf, log(1e-1)), OPEN),
    ):
        slope = last_slope(bounded(*ends), 0.05)
        assert slope is not None and slope.outcome is wanted
    assert last_slope(bounded(-inf, inf), 0.05) is None
    asked = replace(stratum(NEAR), slices=(bounded(-inf, log(1e-3)),))
    assert judge("eta* falls at the largest batches", asked).outcome is YES
    rule = judge("square root rule, whole range", asked)
    assert rule.cells == 4 and "left out: 1 optima that are bounds" in rule.reason


def test_predictions_say_why_they_are_silent() -> None:
    """Rung: closed form. Outside the surface, an optimizer without a theory, no epsilon."""
    for one, said in (
        (cell(4096.0, -7.0), "outside the measured"),
        (cell(4.0, -7.0, epsilon=None), "no epsilon"),
        (cell(4.0, -7.0, optimizer="lion"), "no one-step theory of 'lion'"),
    ):
        answer = CORRELATED.ln_eta(one, known())
        assert isinstance(answer, Silence) and said in answer.reason
    sign = CORRELATED.ln_eta(cell(4.0, -7.0, epsilon=None, optimizer="signsgd"), known())
    assert not isinstance(sign, Silence) and sign.value == pytest.approx(NEAR(4.0, 0.0))
    assert len({each.name for each in PREDICTIONS}) == len(PREDICTIONS)


def law(factor: float = 1.0, sha256: str = "1" * 64) -> FittedLaw:
    return FittedLaw(
        form="square root",
        parameters={"eta_one": 1e-3 * factor},
        covariance=np.array([[1e-10]]),
        held_fixed="steps",
        smallest=1.0,
        largest=512.0,
        unit="seq",
        sequence_length=None,
        data_sha256=sha256,
        scatter=0.1,
    )


LAWS: dict[str, tuple[FittedLaw, int, Outcome]] = {
    "its own": (law(), 20, YES),
    "three times too high": (law(3.0), 20, NO),
    "six optima": (law(), 1, OPEN),
    "fitted to this table": (law(sha256="0" * 64), 20, OPEN),
}


@pytest.mark.parametrize(("given", "families", "wanted"), LAWS.values(), ids=LAWS)
def test_intervals_of_a_law_file_are_counted(
    given: FittedLaw, families: int, wanted: Outcome
) -> None:
    """Rung: planted truth. 120 optima inside intervals of their own scatter; 6 are too few."""
    what = Known(law=given, laws=())
    found = judge("law file, intervals", stratum(power(0.5), 0.05, families=families), what)
    assert found.outcome is wanted
    assert "outside the fitted range" in found.reason
    other = judge("law file, intervals", stratum(power(0.5), held="tokens"), what)
    assert other.outcome is UNASKED and "fixed steps" in other.reason


def test_binomial_intervals_are_those_of_tables() -> None:
    """Rung: another source (tables of Clopper and Pearson for 9, 0 and 10 of 10)."""
    assert binomial_interval(9, 10) == pytest.approx((0.5550, 0.9975), abs=1e-4)
    assert binomial_interval(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert binomial_interval(10, 10)[1] == 1.0


STEPS = {
    "its own": (lambda batch: 1 / (1 + 60 / batch), 0.02, YES),
    "falls": (lambda batch: 1 / (1 + batch / 60), 0.02, NO),
    "unknown": (lambda batch: 1 / (1 + 60 / batch), 0.6, OPEN),
}


@pytest.mark.parametrize(("rate", "noise", "wanted"), STEPS.values(), ids=STEPS)
def test_the_one_step_law_of_sgd(
    rate: Callable[[float], float], noise: float, wanted: Outcome
) -> None:
    """Rung: planted truth. Optima with B_noise = 60, optima that fall with B, noise of 60 %."""
    rng = np.random.default_rng(3)
    batches = [4.0 * 2**i for i in range(9)]
    cells = tuple(
        cell(
            b, -1.0, steps=1, optimizer="SGD (one step)", runs=one_step_runs(rng, b, rate(b), noise)
        )
        for b in batches
    )
    asked = stratum(power(1.0), held="one-step", optimizer="SGD (one step)")
    asked = replace(asked, slices=(replace(asked.slices[0], cells=cells),))
    found = judge("one-step law of SGD", asked)
    assert found.outcome is wanted
    if wanted is YES:
        assert found.reason.startswith("B_noise 5") or found.reason.startswith("B_noise 6")


def peaked(batch: float, epsilon: float) -> float:
    return log(2e-3 / (np.sqrt(32 / batch) + np.sqrt(batch / 32)))


def test_fitted_laws_are_refuted_tied_and_best() -> None:
    """Rung: planted truth. A surge curve in five slices: a power law falls, the curve itself does
    not; with errors of 0.8 a slope of 0.4 is not told from 1/2; three optima are not asked.
    """
    what = Known(laws=("surge", "square root", "two slopes"))
    asked = stratum(peaked, 0.05, families=5)
    refuted = judge("fitted law: square root", asked, what)
    assert refuted.outcome is NO and refuted.regret is not None
    two = Known(laws=("surge", "square root"))
    assert judge("fitted law: surge", asked, two).outcome is YES
    noisy = stratum(power(0.4), 0.8, families=5)
    assert judge("fitted law: square root", noisy, what).outcome is OPEN
    few = judge("fitted law", stratum(peaked, batches=(1, 4, 16)), what)
    assert few.outcome is UNASKED and "fewer than 8" in few.reason


def test_a_planted_factor_between_epsilons_is_seen() -> None:
    """Rung: negative control. Factors 1, 2, 4 agree within each epsilon and not over them."""
    asked = stratum(drifting, epsilons=EPSILONS)
    assert judge(f"{C}, one factor", asked).outcome is YES
    over = judge(f"{C}, one factor over epsilon", asked)
    assert over.outcome is NO and over.measured is not None
    # Standard deviation of 0, ln 2, ln 4 over 18 cells of equal weight: ln 2 sqrt(12/17).
    assert exp(over.measured.value) == pytest.approx(exp(log(2) * np.sqrt(12 / 17)), rel=0.03)
