"""Is gradient accumulation worth it? What it saves in time against what it costs in tokens."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 4
"""Micro-batches per update that the answer is given for."""

WORTH = 0.05
"""Savings of time below this share are not worth a change of anything."""


@dataclass(frozen=True)
class Accumulation:
    """k micro-batches of `batch_size` sequences before each update, against an update after each.

    time_saved: (1 - 1/k) of the share of a step that the update takes. tokens_factor: tokens to
    the same loss, (1 + k B / B_noise) / (1 + B / B_noise) (arXiv 1812.06162, equation 2.11);
    None without a measured noise scale. worth: whether it pays.
    """

    steps: int
    time_saved: float
    tokens_factor: float | None
    worth: bool
    reason: str


def judge_accumulation(
    batch_size: float,
    seconds_per_step: float,
    update_seconds: float,
    noise_batch: float | None,
    *,
    steps: int = STEPS,
) -> Accumulation:
    """Whether `steps` accumulated micro-batches train faster than as many updates."""
    saved = (1 - 1 / steps) * min(update_seconds / seconds_per_step, 1.0)
    factor = None
    if noise_batch is not None:
        factor = (1 + steps * batch_size / noise_batch) / (1 + batch_size / noise_batch)
    if saved < WORTH:
        worth, why = False, f"it saves {saved:.1%} of the time"
    elif factor is None:
        worth = False
        why = (
            f"it saves {saved:.0%} of the time and takes {steps} times fewer updates; what that "
            "costs is known with --stats"
        )
    else:
        time_factor = (1 - saved) * factor
        worth = time_factor < 1 - WORTH
        why = (
            f"it saves {saved:.0%} of the time per token and takes {factor:.2f} times the tokens, "
            f"{time_factor:.2f} times the time in all"
        )
    return Accumulation(steps, saved, factor, worth, why)
