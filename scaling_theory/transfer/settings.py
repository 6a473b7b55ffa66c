"""What becomes of beta1, beta2, epsilon, weight decay and warm-up beside the learning rate."""

from __future__ import annotations

from scaling_theory.half_life import decay_at_batch_ratio, half_life_tokens
from scaling_theory.transfer.advice import Setting, Settings
from scaling_theory.transfer.situation import Situation

UNSTATED = "not stated for the tuned run"
NOT_SAID = "one step does not determine it"


def kept(value: float | None, note: str = "unchanged") -> Setting:
    """A setting that stays as it is."""
    return Setting(value, note if value is not None else f"{note} ({UNSTATED})")


def wanted_epsilon(s: Situation) -> Setting:
    """The epsilon asked for, else the tuned run's."""
    if s.wanted_epsilon is not None and s.wanted_epsilon != s.recipe.epsilon:
        return Setting(s.wanted_epsilon, "as asked for")
    return kept(s.recipe.epsilon)


def sde_beta(beta: float | None, ratio: float) -> Setting:
    """1 - beta -> kappa (1 - beta) (arXiv 2205.10287), no number where that is 1 or more."""
    if beta is None:
        return Setting(None, f"1 - kappa (1 - beta) ({UNSTATED})")
    moved = 1 - ratio * (1 - beta)
    power = decay_at_batch_ratio(beta, ratio).beta
    if moved <= 1e-9:
        return Setting(None, f"no such factor: kappa (1 - beta) >= 1; beta^kappa is {power:.6g}")
    return Setting(moved, f"1 - kappa (1 - beta); beta^kappa is {power:.6g}")


def half_life_beta(beta: float | None, s: Situation) -> Setting:
    """beta^kappa: the same half-life in tokens (arXiv 2507.07101)."""
    if beta is None:
        return Setting(None, f"beta^kappa ({UNSTATED})")
    note = "beta^kappa: half-life kept"
    if s.tokens_per_unit is not None:
        tokens = half_life_tokens(beta, s.batch0 * s.tokens_per_unit)
        note += f" at {tokens:.4g} tokens"
    return Setting(decay_at_batch_ratio(beta, s.ratio).beta, note)


def run_weight_decay(s: Situation, factor: float) -> Setting:
    """lambda that keeps AdamW's averaging time 1/(eta lambda) (arXiv 2405.13698).

    In tokens where tokens are held, in steps where steps are; factor is eta / eta0.
    """
    per_step = s.ratio if s.hold == "tokens" else 1.0
    times = "kappa eta0 / eta" if s.hold == "tokens" else "eta0 / eta"
    note = f"x {times}: 1/(eta lambda) kept in {s.hold}"
    if s.recipe.weight_decay is None:
        return Setting(None, f"{note} ({UNSTATED})")
    return Setting(s.recipe.weight_decay * per_step / factor, note)


def run_warmup(s: Situation) -> Setting:
    """The same share of the run: tokens held means kappa times fewer steps."""
    if s.hold != "tokens":
        return kept(s.recipe.warmup_steps, "unchanged in steps")
    note = "/ kappa: the same tokens"
    if s.recipe.warmup_steps is None:
        return Setting(None, f"{note} ({UNSTATED})")
    return Setting(s.recipe.warmup_steps / s.ratio, note)


def one_step_settings(s: Situation) -> Settings:
    """One step knows neither averages nor decay nor warm-up: nothing is said of them."""
    recipe = s.recipe
    return Settings(
        beta1=Setting(recipe.beta1, NOT_SAID),
        beta2=Setting(recipe.beta2, NOT_SAID),
        epsilon=wanted_epsilon(s),
        weight_decay=Setting(recipe.weight_decay, NOT_SAID),
        warmup_steps=Setting(recipe.warmup_steps, NOT_SAID),
    )


def run_settings(s: Situation, factor: float) -> Settings:
    """Unchanged betas and epsilon; weight decay and warm-up for a whole run."""
    recipe = s.recipe
    return Settings(
        beta1=kept(recipe.beta1),
        beta2=kept(recipe.beta2),
        epsilon=wanted_epsilon(s),
        weight_decay=run_weight_decay(s, factor),
        warmup_steps=run_warmup(s),
    )
