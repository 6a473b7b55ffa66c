"""Half-lives in tokens in place of the tuned run's betas."""

from __future__ import annotations

from dataclasses import replace

from empirical.errors import UsageError
from scaling_theory.half_life import decay_for_batch, parse_half_life
from scaling_theory.transfer.situation import Recipe
from scaling_theory.units import BatchSize


def with_half_lives(
    recipe: Recipe,
    beta1_half_life: str | None,
    beta2_half_life: str | None,
    tuned_batch: BatchSize | None,
) -> Recipe:
    """The recipe with beta = 2^(-tokens per step / half-life) at the tuned batch.

    Raises UsageError for a half-life beside its beta or without a tuned batch, and the errors of
    `scaling_theory` for text that is none and a batch whose tokens are not known.
    """
    return replace(
        recipe,
        beta1=_beta("beta1", recipe.beta1, beta1_half_life, tuned_batch),
        beta2=_beta("beta2", recipe.beta2, beta2_half_life, tuned_batch),
    )


def _beta(
    name: str, stated: float | None, half_life: str | None, tuned_batch: BatchSize | None
) -> float | None:
    if half_life is None:
        return stated
    option = f"--{name}-half-life"
    if stated is not None:
        raise UsageError(f"--{name} and {option} came; one of them is wanted: leave one out")
    if tuned_batch is None:
        raise UsageError(
            f"{option} came without a tuned batch, which makes a beta of it: add --from-lr and "
            "--from-batch-size"
        )
    return decay_for_batch(parse_half_life(half_life), tuned_batch).beta
