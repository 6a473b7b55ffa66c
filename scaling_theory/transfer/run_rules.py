"""Rules that carry a tuned point by the ratio of the two batch sizes."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from scaling_theory.estimate import exact_estimate
from scaling_theory.transfer.advice import Outcome, Rule, Settings
from scaling_theory.transfer.checks import (
    NOISE,
    SIMPLE,
    epsilon_is,
    fixed,
    horizon,
    noise_dominates,
    signal_dominates,
    small_step_check,
    update_is,
)
from scaling_theory.transfer.settings import (
    kept,
    one_step_settings,
    run_settings,
)
from scaling_theory.transfer.situation import Situation


def _settings(s: Situation, factor: float) -> Settings:
    return one_step_settings(s) if s.hold == "one-step" else run_settings(s, factor)


def _none(s: Situation) -> Outcome:
    scale = (
        (s.facts.noise_batch, *NOISE)
        if s.recipe.optimizer == "sgd"
        else (s.facts.simple_batch, *SIMPLE)
    )
    checks = [signal_dominates(s, *scale), epsilon_is(s, s.recipe.epsilon, "unchanged")]
    if s.hold != "one-step":
        checks.append(horizon())
    recipe = s.recipe
    settings = replace(
        _settings(s, 1.0),
        weight_decay=kept(recipe.weight_decay),
        warmup_steps=kept(recipe.warmup_steps),
    )
    return Outcome(exact_estimate(1.0), settings, tuple(checks))


def _linear(s: Situation) -> Outcome:
    checks = [
        update_is(s, "SGD-like"),
        noise_dominates(s, s.facts.noise_batch, *NOISE),
        epsilon_is(s, s.recipe.epsilon, "unchanged"),
    ]
    if s.hold == "tokens":
        checks.append(small_step_check())
    return Outcome(exact_estimate(s.ratio), _settings(s, s.ratio), tuple(checks))


def _root(s: Situation) -> Outcome:
    checks = [epsilon_is(s, s.recipe.epsilon, "unchanged")]
    if s.hold == "steps":
        detail = "this keeps the covariance of one step, not the place the run ends at"
        checks.append(
            fixed("the best learning rate is where that covariance is kept", detail, True)
        )
    else:
        checks.append(update_is(s, "sign-like"))
        checks.append(noise_dominates(s, s.facts.simple_batch, *SIMPLE))
    if s.hold == "tokens":
        checks.append(small_step_check())
    factor = sqrt(s.ratio)
    return Outcome(exact_estimate(factor), _settings(s, factor), tuple(checks))


_RUN = "kexue.fm/archives/10542 section 1"

RUN_RULES: tuple[Rule, ...] = (
    Rule(
        "none",
        "eta = eta0",
        "no change; the limit of large batches in arXiv 1812.06162 section 2.2",
        ("both batches far above the noise batch",),
        ("one-step", "tokens", "steps"),
        _none,
    ),
    Rule(
        "linear",
        "eta = kappa eta0",
        f"arXiv 1706.02677; {_RUN} (the stochastic differential equation is kept)",
        ("SGD-like update", "both batches far below B_noise", "small steps"),
        ("one-step", "tokens"),
        _linear,
    ),
    Rule(
        "square root",
        "eta = sqrt(kappa) eta0",
        f"arXiv 1404.5997; {_RUN} (the covariance of a step is kept)",
        ("sign-like update and batches far below B_simple; at fixed steps the covariance decides",),
        ("one-step", "tokens", "steps"),
        _root,
    ),
)
