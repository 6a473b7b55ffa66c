"""Which rule is recommended, and what is said where none can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaling_theory.checkpoint import facts_of
from scaling_theory.estimate import Estimate, exact_estimate
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.transfer.recommend import Recommendation, advise, recommend
from scaling_theory.transfer.situation import Facts, Recipe, Situation
from tests.transfer.surfaces import saved

ADAM = Recipe("adamw", beta1=0.9, beta2=0.99, epsilon=1e-8)
NOISY = Facts(simple_batch=Estimate(1e6, 1e4, 100), noise_batch=Estimate(1e6, 1e4, 100))


def found(situation: Situation) -> Recommendation:
    return recommend(situation, advise(situation))


def name(situation: Situation) -> str:
    advice = found(situation).advice
    return "cannot tell" if advice is None else advice.rule.name


CASES = {
    "adam, noise dominates": (Situation(3e-4, 64, 256, "tokens", ADAM, facts=NOISY), "sde"),
    "adam, kappa (1 - beta1) too large": (
        Situation(3e-4, 64, 1024, "tokens", ADAM, facts=NOISY),
        "sde, half-life",
    ),
    "adam, noise batch unknown": (Situation(3e-4, 64, 256, "tokens", ADAM), "cannot tell"),
    "adam, signal dominates": (
        Situation(3e-4, 64, 256, "tokens", ADAM, facts=Facts(simple_batch=exact_estimate(2.0))),
        "cannot tell",
    ),
    "sgd, noise dominates": (
        Situation(0.1, 64, 256, "tokens", Recipe("sgd"), facts=NOISY),
        "linear",
    ),
    "sgd, one step": (
        Situation(0.1, 64, 1e6, "one-step", Recipe("sgd"), facts=NOISY),
        "mccandlish",
    ),
    "sign, noise dominates": (
        Situation(0.1, 64, 256, "tokens", Recipe("signsgd"), facts=NOISY),
        "square root",
    ),
    "steps held": (Situation(3e-4, 64, 256, "steps", ADAM, facts=NOISY), "cannot tell"),
    "one step, nothing measured": (Situation(3e-4, 64, 256, "one-step", ADAM), "cannot tell"),
    "the same point": (Situation(3e-4, 64, 64, "tokens", ADAM), "none"),
    "both batches far above the noise": (
        Situation(
            0.1, 1e6, 4e6, "one-step", Recipe("sgd"), facts=Facts(noise_batch=exact_estimate(1.0))
        ),
        "mccandlish",
    ),
}


@pytest.mark.parametrize(("situation", "expected"), CASES.values(), ids=CASES)
def test_case(situation: Situation, expected: str) -> None:
    """Closed form: the rule whose decisive assumptions hold, else that it cannot be told."""
    assert name(situation) == expected
    assert found(situation).reason
    if expected == "cannot tell":
        assert found(situation).measure


def test_what_to_measure_is_named() -> None:
    """Closed form: an unknown noise batch is asked for by its option."""
    answer = found(CASES["adam, noise batch unknown"][0])
    assert "--simple-batch" in answer.measure
    assert answer.span is not None
    # none, half-life, square root, sde and linear are all still possible: 1 to kappa.
    assert answer.span == pytest.approx((3e-4, 4 * 3e-4))


def test_a_refuted_rule_leaves_the_span() -> None:
    """Closed form: with noise dominating, an Adam far from SGD cannot be linear."""
    facts = replace(NOISY, rms_gradient=1e-3, rms_sigma=1.0)
    answer = found(Situation(3e-4, 64, 256, "tokens", ADAM, facts=facts))
    assert answer.span is not None
    assert answer.span[1] == pytest.approx(2 * 3e-4)


def measured(**changes: object) -> Situation:
    statistics = saved()
    base = Situation(
        3e-4,
        16.0,
        256.0,
        "one-step",
        replace(ADAM, epsilon=0.1 * statistics.surface.rms_sigma),
        facts=facts_of(statistics.scalars, statistics.surface),
        surface=statistics.surface,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked at run time


def test_statistics_decide_the_one_step_view() -> None:
    """Closed form: eta0 eta1(B)/eta1(B0) is recommended inside the measured grid."""
    situation = measured()
    answer = found(situation)
    assert answer.advice is not None
    assert answer.advice.rule.name == "softsign correlated"
    assert situation.surface is not None
    epsilon = situation.recipe.epsilon
    assert epsilon is not None
    ends = [
        situation.surface.eta1(batch, epsilon, "correlated").step.learning_rate.value
        for batch in (256.0, 16.0)
    ]
    assert answer.advice.learning_rate is not None
    assert answer.advice.learning_rate.value == pytest.approx(3e-4 * ends[0] / ends[1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 1e5}, "outside the measured"),
        ({"facts": Facts(simple_batch=exact_estimate(10.0), pool_batch=1e4)}, "kurtosis"),
    ],
)
def test_statistics_do_not_decide_beyond_what_they_hold(
    changes: dict[str, object], words: str
) -> None:
    """Closed form: outside the grid, or with unknown tails, the number stands but unrecommended."""
    answer = found(measured(**changes))
    assert answer.advice is None
    assert words in answer.reason
    assert answer.measure


@pytest.mark.parametrize(
    ("facts", "assumption"),
    [
        (Facts(excess_kurtosis=1e4, simple_batch=exact_estimate(1.0), pool_batch=1e4), "Gaussian"),
        (Facts(excess_kurtosis=0.0, simple_batch=exact_estimate(1e4), pool_batch=1e4), "20 B_simp"),
    ],
)
def test_heavy_tails_and_small_pools_refute(facts: Facts, assumption: str) -> None:
    """Closed form: excess kurtosis / B above 1, or a pool below 20 B_simple, do not hold."""
    answers = advise(measured(facts=facts))
    softsign = next(a for a in answers if a.rule.name == "softsign correlated")
    refuted = [c for c in softsign.outcome.checks if c.verdict == "does not hold"]
    assert any(assumption in check.assumption for check in refuted)
    assert softsign.refuted


def test_no_minimum_is_a_reason_and_not_a_number() -> None:
    """Closed form: an indefinite curvature gives "no minimum along this direction"."""
    statistics = saved().surface
    flipped = GridQuantity(-100 * abs(statistics.signal.value), statistics.signal.standard_error)
    answers = advise(measured(surface=replace(statistics, signal=flipped)))
    softsign = next(a for a in answers if a.rule.name == "softsign correlated")
    assert softsign.learning_rate is None
    assert "no minimum along this direction" in softsign.outcome.missing


def test_another_epsilon_is_no_business_of_the_batch_rules() -> None:
    """Closed form: where epsilon acts, only the curves that hold it keep their claim."""
    situation = measured(wanted_epsilon=10 * saved().surface.rms_sigma)
    for advice in advise(situation):
        silent = advice.rule.name in ("linear", "square root", "none", "mccandlish", "surge")
        assert advice.refuted == silent or not silent
    assert name(situation) == "softsign correlated"
