"""Rules that carry a tuned point along a one-step curve: eta = eta0 curve(B) / curve(B0)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import pi

from scaling_theory.estimate import Estimate
from scaling_theory.transfer.advice import Check, Outcome, Rule, Verdict, without_number
from scaling_theory.transfer.checks import (
    FAR,
    epsilon_is,
    fixed,
    frozen_state,
    independent_noise,
    no_memory,
    unmeasured,
    update_is,
)
from scaling_theory.transfer.curves import (
    adam_ema_curve,
    canonical_curve,
    epsilon_crossover_curve,
    linear_saturating,
    propagate,
    surge_curve,
)
from scaling_theory.transfer.settings import one_step_settings
from scaling_theory.transfer.situation import Situation


def _missing(s: Situation, checks: tuple[Check, ...], what: str) -> Outcome:
    return without_number(one_step_settings(s), checks, f"measure {what}")


def _carried(
    s: Situation, checks: tuple[Check, ...], curve: Callable[..., float], *inputs: Estimate
) -> Outcome:
    """Factor curve(B, *inputs) / curve(B0, *inputs) with the error of the inputs."""
    ends = [curve(batch, *(i.value for i in inputs)) for batch in (s.batch, s.batch0)]
    if not min(ends) > 0:
        what = "again: no minimum along this direction, the curvature it gives is not positive"
        return _missing(s, checks, what)
    factor = propagate(lambda *v: curve(s.batch, *v) / curve(s.batch0, *v), *inputs)
    return Outcome(factor, one_step_settings(s), checks)


def _mccandlish(s: Situation) -> Outcome:
    checks = (
        update_is(s, "SGD-like"),
        epsilon_is(s, s.recipe.epsilon, "unchanged"),
        frozen_state(),
    )
    noise = s.facts.noise_batch
    if noise is None:
        return _missing(s, checks, "B_noise (--noise-batch or --stats)")
    return _carried(s, checks, linear_saturating, noise)


def _surge(s: Situation) -> Outcome:
    simple = s.facts.simple_batch
    far = "both batches are far below pi/2 B_simple, where the curve was derived"
    if simple is None:
        hint = "measure B_simple (--simple-batch or --stats)"
        below = unmeasured(far, "B_simple is unknown", hint)
    else:
        share = max(s.batch, s.batch0) / (pi / 2 * simple.value)
        verdict = _small(share)
        below = Check(far, verdict, share, f"larger batch / (pi/2 B_simple) = {share:.3g}")
    checks = (
        update_is(s, "sign-like"),
        below,
        independent_noise(),
        epsilon_is(s, s.recipe.epsilon, "unchanged"),
        frozen_state(),
    )
    peak = s.facts.peak_batch
    if peak is None:
        return _missing(s, checks, "the batch of the peak (--peak-batch or --stats)")
    return _carried(s, checks, surge_curve, peak)


def _small(share: float) -> Verdict:
    return "holds" if share <= 1 / FAR else "does not hold" if share >= 1 else "cannot tell"


def _canonical(s: Situation) -> Outcome:
    checks = (
        update_is(s, "sign-like"),
        independent_noise(),
        epsilon_is(s, s.recipe.epsilon, "unchanged"),
        no_memory(s),
        frozen_state(),
    )
    simple, curvature = s.facts.simple_batch, s.facts.curvature_ratio
    if simple is None or curvature is None:
        return _missing(s, checks, "B_simple, Q/T (--simple-batch, --curvature-ratio or --stats)")

    def curve(batch: float, k: float, q: float) -> float:
        return canonical_curve(batch, k / q, k)

    return _carried(s, checks, curve, simple, curvature)


def _adam_ema(s: Situation) -> Outcome:
    checks = (
        update_is(s, "sign-like"),
        independent_noise(),
        epsilon_is(s, s.recipe.epsilon, "unchanged"),
        fixed(
            "momentum averages the noise of independent steps",
            "in many small steps its first-order effect on the noise vanishes",
        ),
        frozen_state(),
    )
    simple, curvature, beta1 = s.facts.simple_batch, s.facts.curvature_ratio, s.recipe.beta1
    if simple is None or curvature is None or beta1 is None:
        what = "B_simple and Q/T (--simple-batch, --curvature-ratio or --stats) and give --beta1"
        return _missing(s, checks, what)
    curve = partial(adam_ema_curve, beta1=beta1)
    return _carried(s, checks, curve, simple, curvature)


def _crossover(s: Situation) -> Outcome:
    checks = (
        fixed(
            "eta of Adam = (sqrt(v) + epsilon) eta of SGD, with one rms gradient and sigma",
            "checked on one noisy quadratic; it fails where the signal dominates and epsilon is 0",
            True,
        ),
        frozen_state(),
    )
    noise, rms_g, rms_sigma = s.facts.noise_batch, s.facts.rms_gradient, s.facts.rms_sigma
    old, new = s.recipe.epsilon, s.epsilon
    if noise is None or rms_g is None or rms_sigma is None or old is None or new is None:
        what = "rms gradient, rms sigma and B_noise (--stats has all three) and give --epsilon"
        return _missing(s, checks, what)

    def ratio(noise_batch: float) -> float:
        return epsilon_crossover_curve(
            s.batch, new, rms_g, rms_sigma, noise_batch
        ) / epsilon_crossover_curve(s.batch0, old, rms_g, rms_sigma, noise_batch)

    return Outcome(propagate(ratio, noise), one_step_settings(s), checks)


_EPSILON_POST = "kexue.fm/archives/10563 section 2"

CURVE_RULES: tuple[Rule, ...] = (
    Rule(
        "mccandlish",
        "eta = eta0 (1 + B_noise/B0) / (1 + B_noise/B)",
        "arXiv 1812.06162 section 2.2; kexue.fm/archives/10542 section 1",
        ("SGD-like update", "the state is held", "positive curvature along the gradient"),
        ("one-step",),
        _mccandlish,
    ),
    Rule(
        "surge",
        "eta = eta0 c(B)/c(B0), c(B) = 2 / (sqrt(P/B) + sqrt(B/P)), P the batch of the peak",
        "arXiv 2405.14578, theorem 3",
        ("sign-like update", "independent Gaussian noise", "B far below pi sigma_i^2 / 2 g_i^2"),
        ("one-step",),
        _surge,
    ),
    Rule(
        "canonical",
        "eta = eta0 c(B)/c(B0), c(B) = sqrt(1 + K/B) / (1 + B_n/B), K = B_simple, B_n = K T/Q",
        f"{_EPSILON_POST}, with the shape constant 1 of kexue.fm/archives/11280; own derivation",
        ("sign-like update", "independent noise", "one noise-to-signal ratio", "no momentum"),
        ("one-step",),
        _canonical,
    ),
    Rule(
        "adam-ema",
        "eta = eta0 c(B)/c(B0), c(B) = 1 / (rho/b + b (Q/T - rho)), b = (1 + B_simple/B)^(-1/2)",
        "kexue.fm/archives/11301",
        ("Adam with sqrt(v) settled", "independent noise", "one step, momentum in equilibrium"),
        ("one-step",),
        _adam_ema,
    ),
    Rule(
        "epsilon crossover",
        "eta = eta0 c(B, eps)/c(B0, eps0), c = (sqrt(g^2 + sigma^2/B) + eps) / (1 + B_noise/B)",
        "own derivation from kexue.fm/archives/10563 section 2 and arXiv 1812.06162",
        ("the ratio of Adam to SGD is sqrt(v) + epsilon", "the state is held"),
        ("one-step",),
        _crossover,
    ),
)
