"""Rules that carry all of Adam's settings by the ratio of the two batch sizes."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from scaling_theory.estimate import exact_estimate
from scaling_theory.transfer.advice import Check, Outcome, Rule, Setting, Verdict
from scaling_theory.transfer.checks import (
    SIMPLE,
    epsilon_is,
    fixed,
    noise_dominates,
    small_step_check,
    small_steps,
)
from scaling_theory.transfer.settings import (
    UNSTATED,
    half_life_beta,
    kept,
    run_settings,
    run_weight_decay,
    sde_beta,
)
from scaling_theory.transfer.situation import Situation

HALF_LIFE_EXPONENT = 0.156
"""ln(5e-3/1.7e-3) / ln(1024): best learning rates at B = 1024 and 1 in the table of
arXiv 2507.07101's notebook, one 30M-parameter model. Own reading, for orientation."""


def _adaptive(s: Situation) -> Check:
    adaptive = s.recipe.optimizer == "adamw"
    detail = f"the optimizer is {s.recipe.optimizer}"
    verdict: Verdict = "holds" if adaptive else "does not hold"
    return Check("the optimizer is Adam or AdamW", verdict, None, detail)


def _sde_epsilon(s: Situation) -> Setting:
    note = "/ sqrt(kappa)"
    if s.recipe.epsilon is None:
        return Setting(None, f"{note} ({UNSTATED})")
    return Setting(s.recipe.epsilon / sqrt(s.ratio), note)


def _sde(s: Situation, power: bool) -> Outcome:
    factor, recipe = sqrt(s.ratio), s.recipe
    epsilon = _sde_epsilon(s)
    checks = [
        _adaptive(s),
        noise_dominates(s, s.facts.simple_batch, *SIMPLE),
        epsilon_is(s, epsilon.value, "divided by sqrt(kappa)"),
        small_step_check(),
    ]
    beta1, beta2 = half_life_beta(recipe.beta1, s), half_life_beta(recipe.beta2, s)
    if not power:
        checks += [
            small_steps("beta1", recipe.beta1, s.ratio),
            small_steps("beta2", recipe.beta2, s.ratio),
        ]
        beta1, beta2 = sde_beta(recipe.beta1, s.ratio), sde_beta(recipe.beta2, s.ratio)
    settings = replace(run_settings(s, factor), beta1=beta1, beta2=beta2, epsilon=epsilon)
    return Outcome(exact_estimate(factor), settings, tuple(checks))


def _half_life(s: Situation) -> Outcome:
    factor = s.ratio**HALF_LIFE_EXPONENT
    checks = (
        _adaptive(s),
        fixed(
            f"the best learning rate goes as B^{HALF_LIFE_EXPONENT:g}",
            "read off one published model, B = 1 to 1024; tune it: the rule itself is for beta2",
            decisive=True,
        ),
        epsilon_is(s, s.recipe.epsilon, "unchanged"),
    )
    settings = replace(
        run_settings(s, factor),
        beta1=kept(s.recipe.beta1, "unchanged: the article found 0.9 good at every batch"),
        beta2=half_life_beta(s.recipe.beta2, s),
        weight_decay=replace(
            run_weight_decay(s, factor), note="1/(eta lambda) kept in tokens; the article used 0"
        ),
    )
    return Outcome(exact_estimate(factor), settings, checks)


ADAM_RULES: tuple[Rule, ...] = (
    Rule(
        "sde",
        "eta = sqrt(kappa) eta0, 1-beta -> kappa (1-beta), epsilon -> epsilon/sqrt(kappa)",
        "arXiv 2205.10287, the square root scaling rule",
        ("Adam", "both batches far below B_simple", "kappa (1-beta) < 1", "small steps"),
        ("tokens",),
        lambda s: _sde(s, power=False),
    ),
    Rule(
        "sde, half-life",
        "eta = sqrt(kappa) eta0, beta -> beta^kappa, epsilon -> epsilon/sqrt(kappa)",
        "arXiv 2205.10287 with the decay of arXiv 2507.07101: equal to first order in 1-beta",
        ("Adam", "both batches far below B_simple", "small steps"),
        ("tokens",),
        lambda s: _sde(s, power=True),
    ),
    Rule(
        "half-life",
        "beta2 -> beta2^kappa, beta1 kept; eta tuned again, about kappa^0.156 eta0",
        "arXiv 2507.07101",
        ("Adam", "the published model's power of the learning rate"),
        ("tokens",),
        _half_life,
    ),
)
