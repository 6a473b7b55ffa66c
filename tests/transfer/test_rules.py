"""Transfer rules: their formulas against known numbers, and their judgement of themselves."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_theory.canonical import CanonicalLaw
from scaling_theory.checkpoint import facts_of
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, exact_estimate
from scaling_theory.transfer.advice import Advice
from scaling_theory.transfer.curves import (
    adam_ema_curve,
    canonical_curve,
    epsilon_crossover_curve,
    linear_saturating,
    propagate,
    surge_curve,
    surge_peak,
)
from scaling_theory.transfer.recommend import RULES, advise, recommend
from scaling_theory.transfer.situation import HOLDS, Facts, Hold, Recipe, Situation
from tests.transfer.surfaces import saved

ADAM = Recipe("adamw", beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.1, warmup_steps=2000)
GRID = np.geomspace(1e-2, 1e6, 80_001)
# Relative spacing of GRID: a maximum on it is within half of that of the true place.
STEP = log(1e8) / 80_000


def at(rule: str, situation: Situation) -> Advice:
    return next(advice for advice in advise(situation) if advice.rule.name == rule)


def tuned(kappa: float, hold: Hold = "tokens", **changes: object) -> Situation:
    base = Situation(3e-4, 64.0, 64.0 * kappa, hold, ADAM)
    return replace(base, **changes)  # type: ignore[arg-type]  # fields by name, checked at run time


@pytest.mark.parametrize(
    ("rule", "kappa", "factor"),
    [("none", 16, 1), ("linear", 16, 16), ("square root", 16, 4), ("sde", 4, 2)],
)
def test_power_rules(rule: str, kappa: float, factor: float) -> None:
    """Closed form: eta0 times the rule's power of kappa, with no error of its own."""
    rate = at(rule, tuned(kappa)).learning_rate
    assert rate is not None
    assert rate.value == pytest.approx(3e-4 * factor, rel=1e-15)
    assert rate.standard_error == 0


@pytest.mark.parametrize(("kappa", "beta", "power"), [(16, 0.84, 0.851), (32, 0.68, 0.725)])
def test_sde_rule_for_beta(kappa: float, beta: float, power: float) -> None:
    """Closed form: 1 - kappa (1 - 0.99), and beside it 0.99^kappa, to the digits printed."""
    recipe = replace(ADAM, beta1=0.99, beta2=0.99)
    linear, exponential = (
        at(name, tuned(kappa, recipe=recipe)).outcome.settings for name in ("sde", "sde, half-life")
    )
    assert linear.beta1.value == pytest.approx(beta, abs=1e-12)
    assert exponential.beta1.value == pytest.approx(power, abs=5e-4)
    assert linear.epsilon.value == pytest.approx(1e-8 / sqrt(kappa))


@pytest.mark.parametrize("kappa", [100, 200])
def test_sde_rule_for_beta_is_void_where_it_leaves_its_range(kappa: float) -> None:
    """Closed form: kappa (1 - 0.99) >= 1 has no factor; the power 0.366 is named in its place."""
    advice = at("sde", tuned(kappa, recipe=replace(ADAM, beta2=0.99)))
    setting = advice.outcome.settings.beta2
    assert setting.value is None
    if kappa == 100:
        assert "0.366" in setting.note
    guard = [c for c in advice.outcome.checks if c.assumption == "kappa (1 - beta2) < 1"]
    assert [c.verdict for c in guard] == ["does not hold"]
    assert advice.refuted


def test_half_life_rule_moves_beta2_alone() -> None:
    """Closed form: beta2^kappa, its half-life in tokens named, beta1 and epsilon kept."""
    advice = at("half-life", tuned(8, recipe=replace(ADAM, beta2=0.95), tokens_per_unit=8192.0))
    settings = advice.outcome.settings
    assert settings.beta1.value == 0.9
    assert settings.beta2.value == pytest.approx(0.95**8)
    # 64 sequences of 8192 tokens are 512 of 1024: 7.085 million tokens.
    assert "7.085e+06 tokens" in settings.beta2.note
    assert settings.epsilon.value == 1e-8


@pytest.mark.parametrize(
    ("rule", "hold"),
    [
        (rule.name, hold)
        for rule in RULES.values()
        for hold in rule.holds_fixed
        if hold != "one-step" and rule.name not in ("none", "run law")
    ],
)
def test_averaging_time_of_weight_decay_is_kept(rule: str, hold: Hold) -> None:
    """Closed form: 1/(eta lambda) in tokens (times B) or in steps is what it was."""
    advice = at(rule, tuned(8, hold))
    assert advice.learning_rate is not None
    decay = advice.outcome.settings.weight_decay.value
    assert decay is not None
    batches = 8.0 if hold == "tokens" else 1.0
    assert batches / (advice.learning_rate.value * decay) == pytest.approx(1 / (3e-4 * 0.1))
    warmup = advice.outcome.settings.warmup_steps.value
    assert warmup == pytest.approx(2000 / batches)


def test_canonical_peak() -> None:
    """Closed form: K = 100, T = 1, Q = 3 peaks at B = 100 (K T / (Q - 2 T))."""
    curve = [canonical_curve(B, 100 / 3, 100.0) for B in GRID]
    assert GRID[int(np.argmax(curve))] == pytest.approx(100, rel=STEP)
    assert CanonicalLaw(1.0, 100 / 3, 100.0).peak_batch == pytest.approx(100)


def test_momentum_threshold() -> None:
    """Closed form: with diagonal H (Q = T) and beta1 = 0.9 the curve falls from 0.0588 B_simple."""
    curve = [adam_ema_curve(B, 1000.0, 1.0, 0.9) for B in GRID]
    assert GRID[int(np.argmax(curve))] / 1000 == pytest.approx(0.1 / 1.7, rel=STEP)
    assert pytest.approx(0.0588, abs=5e-5) == 0.1 / 1.7
    # Without momentum and Q > 2 T it is the canonical law with K = B_simple.
    for B in (1.0, 50.0, 3000.0):
        expected = canonical_curve(B, 100 / 3, 100.0)
        assert adam_ema_curve(B, 100.0, 3.0, 0.0) * 3.0 == pytest.approx(expected, rel=1e-12)


def test_three_noise_batches_are_in_harmonic_progression() -> None:
    """Closed form: 1/B_n - 1/B_Surge = 1/B_Surge - 1/B_peak = 1/K, all of one K (own identity)."""
    K, Q = 100.0, 3.0
    surge = surge_peak(K / (np.pi / 2), Q)
    noise, peak = K / Q, CanonicalLaw(1.0, K / Q, K).peak_batch
    assert peak is not None
    assert 1 / noise - 1 / surge == pytest.approx(1 / K)
    assert 1 / surge - 1 / peak == pytest.approx(1 / K)
    assert GRID[int(np.argmax([surge_curve(B, surge) for B in GRID]))] == pytest.approx(
        surge, rel=STEP
    )


@pytest.mark.parametrize(("epsilon", "low", "slope"), [(0.0, 1.0, 0.5), (1e6, 1.0, 1.0)])
def test_epsilon_adds_half_a_power(epsilon: float, low: float, slope: float) -> None:
    """Closed form: below B_noise, sqrt(B) where epsilon is small and linear where it is large."""
    ends = [epsilon_crossover_curve(B, epsilon, 1e-6, 1.0, 1e9) for B in (low, 2 * low)]
    # Corrections are (rms g / rms sigma)^2 and sqrt(v)/epsilon: 1e-6 at most.
    assert log(ends[1] / ends[0]) / log(2) == pytest.approx(slope, abs=3e-6)


def test_linear_rule_and_none_are_the_ends_of_the_saturating_curve() -> None:
    """Closed form: kappa far below B_noise, 1 far above, to the first neglected order."""
    small = linear_saturating(8e-6, 1.0) / linear_saturating(1e-6, 1.0)
    large = linear_saturating(8e6, 1.0) / linear_saturating(1e6, 1.0)
    assert small == pytest.approx(8, rel=1e-5)
    assert large == pytest.approx(1, rel=1e-5)


@given(st.floats(1, 1e4), st.floats(0.01, 0.3))
def test_error_of_a_ratio_by_the_delta_method(noise: float, relative: float) -> None:
    """Closed form: d/dn of (1 + n/B0)/(1 + n/B) times the error of n."""
    B0, B = 64.0, 512.0
    found = propagate(
        lambda n: linear_saturating(B, n) / linear_saturating(B0, n),
        Estimate(noise, relative * noise, 5),
    )
    slope = (1 / B0 - 1 / B) / (1 + noise / B) ** 2
    # Central differences: (1e-4)^2 relative.
    assert found.standard_error == pytest.approx(slope * relative * noise, rel=1e-6)
    assert found.samples == 5


def test_mccandlish_is_the_measured_curve_of_sgd() -> None:
    """Another route: B_noise from scalars against E[u].g / E[u.Hu] of the measured column."""
    statistics = saved()
    situation = Situation(
        0.1,
        4.0,
        256.0,
        "one-step",
        Recipe("sgd"),
        facts=facts_of(statistics.scalars, statistics.surface),
        surface=statistics.surface,
    )
    formula, measured = (
        at(name, situation).outcome.factor for name in ("mccandlish", "softsign correlated")
    )
    assert formula is not None
    assert measured is not None
    # Both batch sizes are cells: what is left is rounding of the quadratic forms.
    assert measured.value == pytest.approx(formula.value, rel=1e-10)
    # Negative control: a noise batch 1 % off is seen.
    facts = situation.facts
    assert facts.noise_batch is not None
    off = exact_estimate(1.01 * facts.noise_batch.value)
    wrong = at("mccandlish", replace(situation, facts=replace(facts, noise_batch=off)))
    assert wrong.outcome.factor is not None
    assert wrong.outcome.factor.value != pytest.approx(measured.value, rel=1e-4)


def test_run_law_divides_the_curvature_by_momentum_and_leaves_the_noise() -> None:
    """Closed form: the ratio of D / (rho Q + N) from the surface's own terms."""
    surface = saved().surface
    epsilon = float(surface.epsilons[1])
    recipe = replace(ADAM, epsilon=epsilon)
    situation = tuned(4, "steps", recipe=recipe, surface=surface)
    ends = []
    for batch in (256.0, 64.0):
        descent, signal, noise = (e.value for e in surface.terms(batch, epsilon, "correlated"))
        ends.append(descent / (signal * 0.1 / 1.9 + noise))
    advice = at("run law", situation)
    assert advice.outcome.factor is not None and advice.learning_rate is not None
    assert advice.outcome.factor.value == pytest.approx(ends[0] / ends[1])
    decay = advice.outcome.settings.weight_decay.value
    assert decay == pytest.approx(0.1 / advice.outcome.factor.value)  # 1/(eta lambda) is kept
    # without momentum it is the one-step curve; with it, room for larger batches
    plain = at("run law", replace(situation, recipe=replace(recipe, beta1=0.0))).outcome.factor
    one = at("softsign correlated", replace(situation, hold="one-step")).outcome.factor
    assert plain is not None and one is not None
    assert plain.value == pytest.approx(one.value)
    assert advice.outcome.factor.value > 1.05 * plain.value


def test_run_law_names_what_it_lacks() -> None:
    """Closed form: statistics, epsilon and beta1, each asked for by name."""
    surface = saved().surface
    lacking = {
        "--stats": tuned(4, "steps"),
        "epsilon": tuned(4, "steps", surface=surface, recipe=replace(ADAM, epsilon=None)),
        "beta1": tuned(4, "steps", surface=surface, recipe=replace(ADAM, beta1=None)),
    }
    for name, situation in lacking.items():
        assert name in at("run law", situation).outcome.missing


@pytest.mark.parametrize("hold", HOLDS)
def test_rules_are_silent_outside_their_views(hold: Hold) -> None:
    """Closed form: one-step curves never appear among whole-run answers, nor SDE among one-step."""
    names = {advice.rule.name for advice in advise(tuned(8, hold))}
    if hold == "one-step":
        assert {"mccandlish", "softsign correlated"} <= names
        assert not names & {"sde", "half-life"}
    else:
        assert not names & {"mccandlish", "surge", "canonical", "softsign correlated", "adam-ema"}


def test_every_rule_says_where_it_comes_from() -> None:
    """Closed form: formula, source, assumptions and views are there for every entry."""
    for rule in RULES.values():
        assert "eta" in rule.formula
        assert "arXiv" in rule.source or "kexue.fm" in rule.source
        assert rule.assumptions
        assert rule.holds_fixed


def test_missing_inputs_are_named() -> None:
    """Closed form: a rule that lacks a number says which to measure and gives none."""
    for advice in advise(tuned(8, "one-step")):
        if advice.learning_rate is None:
            assert advice.outcome.missing.startswith("measure ")
    names = {a.rule.name for a in advise(tuned(8, "one-step")) if a.learning_rate is None}
    assert "mccandlish" in names


@pytest.mark.parametrize("name", ["noise_batch", "simple_batch", "peak_batch", "curvature_ratio"])
def test_facts_must_be_positive(name: str) -> None:
    """Closed form: a noise batch or curvature that is not positive is no fact."""
    with pytest.raises(InputError, match="wanted"):
        Facts(**{name: exact_estimate(-1.0)})  # type: ignore[arg-type]  # one name at a time


def test_nothing_changes_at_the_same_point() -> None:
    """Closed form: kappa = 1 and the same epsilon give the tuned rate by every rule."""
    for hold in HOLDS:
        answers = advise(tuned(1, hold))
        rates = [a.learning_rate.value for a in answers if a.learning_rate is not None]
        assert rates == pytest.approx([3e-4] * len(rates))
        found = recommend(tuned(1, hold), answers)
        assert found.advice is not None
        assert found.advice.rule.name == "none"
