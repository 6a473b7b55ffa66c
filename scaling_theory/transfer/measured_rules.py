"""Rules that carry a tuned point along the measured curves of its own network."""

from __future__ import annotations

from functools import partial

from scaling_theory.estimate import exact_estimate, ratio_estimate
from scaling_theory.law import NoOptimalStep
from scaling_theory.run_curve import run_curve
from scaling_theory.run_law import RunFactors, run_factors, settled_factors, whole_steps
from scaling_theory.schedule import Schedule
from scaling_theory.stand_ins import momentum_of, softsign_epsilon
from scaling_theory.surface import Closure, eta1_ratio
from scaling_theory.transfer.advice import Check, Outcome, Rule, Verdict, without_number
from scaling_theory.transfer.checks import (
    frozen_state,
    independent_noise,
    known_schedule,
    no_memory,
    settled_start,
    tested_length,
    unmeasured,
)
from scaling_theory.transfer.settings import one_step_settings, run_settings
from scaling_theory.transfer.situation import Situation

GAUSSIAN = 1.0
"""Excess kurtosis of the batch gradient above which it is not called Gaussian; a convention."""

COARSE = 0.3
"""Interpolation error of the ratio above which the grid is called too coarse; a convention."""

ENOUGH = 20
"""A pool of fewer B_simple than this has a gradient that is mostly noise of the pool."""


def _softsign(s: Situation, closure: Closure) -> Outcome:
    closure_holds = (independent_noise(),) if closure == "independent" else ()
    checks = (*closure_holds, _tails(s), _pool(s), no_memory(s), frozen_state())
    settings = one_step_settings(s)
    old, new = _epsilons(s)
    if s.surface is None:
        return without_number(settings, checks, "measure the statistics of a checkpoint: --stats")
    if old is None or new is None:
        return without_number(settings, checks, "state the tuned run's epsilon")
    try:
        at_new = s.surface.eta1(s.batch, new, closure)
        at_old = s.surface.eta1(s.batch0, old, closure)
    except NoOptimalStep as failure:
        return without_number(settings, checks, str(failure))
    factor, error = eta1_ratio(at_new, at_old)
    outside = tuple(dict.fromkeys(at_new.outside + at_old.outside))
    return Outcome(factor, settings, (_grid(outside, error), *checks), "", error, outside)


def _epsilons(s: Situation) -> tuple[float | None, float | None]:
    """At the tuned point and at the new one; SGD and the sign are the ends of the softsign."""
    name = s.recipe.optimizer
    return softsign_epsilon(name, s.recipe.epsilon), softsign_epsilon(name, s.epsilon)


def _run_law(s: Situation) -> Outcome:
    """The factor (D / (kappa Q + nu N)) at the new point over that at the old one."""
    checks = (_tails(s), _pool(s), tested_length(s), known_schedule(s), settled_start())
    settings = run_settings(s, 1.0)
    recipe = s.recipe
    beta1 = momentum_of(recipe.optimizer, recipe.beta1)
    old, new = _epsilons(s)
    if s.surface is None:
        return without_number(settings, checks, "measure the statistics of a checkpoint: --stats")
    if old is None or new is None:
        return without_number(settings, checks, "state the tuned run's epsilon")
    if beta1 is None:
        return without_number(settings, checks, "state the tuned run's beta1")
    if s.hold == "tokens" and recipe.steps is None:
        return without_number(settings, checks, "state the tuned run's number of steps: --steps")
    points = (
        (s.batch, new, _factors(s, beta1, s.steps)),
        (s.batch0, old, _factors(s, beta1, recipe.steps)),
    )
    try:
        at_new, at_old = (run_curve(s.surface, *point) for point in points)
        one_step = [s.surface.eta1(*point[:2], "correlated") for point in points]
    except NoOptimalStep as failure:
        return without_number(settings, checks, str(failure))
    factor = exact_estimate(1.0) if points[0] == points[1] else ratio_estimate(at_new, at_old)
    # how far rival interpolations stray is known of the one-step curve, made of the same terms
    error = eta1_ratio(*one_step)[1]
    outside = tuple(dict.fromkeys(one_step[0].outside + one_step[1].outside))
    settings = run_settings(s, factor.value)
    return Outcome(factor, settings, (_grid(outside, error), *checks), "", error, outside)


def _factors(s: Situation, beta1: float, steps: float | None) -> RunFactors:
    if steps is None:
        return settled_factors(beta1)
    return run_factors(beta1, whole_steps(steps), s.recipe.schedule or Schedule())


def _grid(outside: tuple[str, ...], error: float) -> Check:
    known = "the measured surface is known at both points"
    if outside or error > COARSE:
        detail = "; ".join(outside) or f"interpolation adds {error:.0%}"
        return unmeasured(known, detail, "measure the surface there, or on a finer grid")
    return Check(known, "holds", error, f"interpolation adds {error:.1%}")


def _tails(s: Situation) -> Check:
    assumption = "the batch gradient is Gaussian"
    if s.facts.excess_kurtosis is None:
        return unmeasured(assumption, "its kurtosis is unknown", "--stats with excess_kurtosis")
    value = s.facts.excess_kurtosis / min(s.batch, s.batch0)
    verdict: Verdict = "holds" if value <= GAUSSIAN else "does not hold"
    return Check(assumption, verdict, value, f"excess kurtosis at the smaller batch = {value:.3g}")


def _pool(s: Situation) -> Check:
    assumption = "the pool measured on is at least 20 B_simple"
    if s.facts.pool_batch is None or s.facts.simple_batch is None:
        return unmeasured(assumption, "B_simple is not identified", "measure on a larger pool")
    value = s.facts.pool_batch / s.facts.simple_batch.value
    verdict: Verdict = "holds" if value >= ENOUGH else "does not hold"
    return Check(assumption, verdict, value, f"pool / B_simple = {value:.3g}")


_EPSILON_POST = "kexue.fm/archives/10563 section 2"

MEASURED_RULES: tuple[Rule, ...] = (
    Rule(
        "softsign correlated",
        "eta = eta0 eta1(B, eps) / eta1(B0, eps0), eta1 = E[u].g / E[u.Hu], noise correlated",
        f"{_EPSILON_POST} with exact moments and correlated noise; own derivation",
        ("Gaussian batch gradient", "noise correlations not near 1", "no momentum"),
        ("one-step",),
        partial(_softsign, closure="correlated"),
    ),
    Rule(
        "softsign independent",
        "eta = eta0 eta1(B, eps) / eta1(B0, eps0), eta1 = E[u].g / E[u.Hu], noise independent",
        f"{_EPSILON_POST} with exact moments",
        ("Gaussian batch gradient", "independent noise", "no momentum"),
        ("one-step",),
        partial(_softsign, closure="independent"),
    ),
    Rule(
        "run law",
        "eta = eta0 F(B, eps) / F(B0, eps0), F = E[u].g / (kappa E[u].H E[u] + nu Tr(H Cov u)); "
        "kappa, nu of steps, schedule and beta1: (1 - beta1)/(1 + beta1) and 1 after many steps",
        "own derivation (scaling_theory.run_law), terms of kexue.fm/archives/10563",
        (
            "Gaussian batch gradient",
            "statistics of a settled checkpoint",
            "runs of at most some hundred steps",
            "one schedule for both",
        ),
        ("steps", "tokens"),
        _run_law,
    ),
)
