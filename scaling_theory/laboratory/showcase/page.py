"""The laboratory's tables as one Markdown page: `python -m scaling_theory.laboratory.showcase`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from scaling_theory.estimate import Estimate
from scaling_theory.laboratory.showcase.averages import adam_table, momentum_table, ratio_table
from scaling_theory.laboratory.showcase.closures import (
    closure_table,
    efficiency_table,
    expansion_table,
)
from scaling_theory.laboratory.showcase.horizons import budget_table, horizon_table

Row = Any
"""A row of a table: any frozen dataclass, one column per field."""

Table = Callable[[], Sequence[Row]]

HEADINGS: Mapping[str, str] = {
    "noise": "noise",
    "rms_correlation": "rms ρ",
    "epsilon": "ε",
    "batch_size": "B",
    "exact": "exact η*",
    "correlated": "correlated / exact",
    "independent": "independent / exact",
    "mean_field": "mean field / exact",
    "correlation": "ρ",
    "signal_to_noise": "g / s",
    "closure_over_exact": "first order / exact",
    "spread": "spread of log₁₀ g",
    "largest_over_limit": "max ΔL* / ΔL*(∞)",
    "best_batch": "at B",
    "one_step": "one step",
    "many_steps": "200 steps",
    "sgd": "η*(SGD)",
    "adam": "η*(Adam)",
    "ratio": "ratio",
    "beta2": "β₂",
    "simulated": "E[u], simulated",
    "limit": "β₂ → 1",
    "sign": "erf",
    "optimizer": "optimizer",
    "steps": "S",
    "learning_rate": "η*",
    "over_one_step": "η* / one-step η*",
    "loss": "loss left",
    "fixed_steps": "η*, 64 steps",
    "fixed_samples": "η*, 4096 samples",
    "steps_at_fixed_samples": "steps then",
}
"""Column heading of each field of a row."""

SECTIONS: tuple[tuple[str, str, Table], ...] = (
    (
        "One step: independence against correlation",
        "SoftSignSGD, 16 coordinates, B_simple = 30 sequences, ε over rms σ. The exact answer is a "
        "quadrature over pairs. The independent closure is right where the noise is independent "
        "and several times too high where it lies along the sharp directions; the first order in "
        "the correlation (`correlated`) repairs that, and falls behind only for sign-like steps "
        "when rms ρ passes about 0.6. The mean field misses by tens of percent even when the "
        "noise is independent, because one κ² stands for coordinates that differ.",
        closure_table,
    ),
    (
        "One step: where the first order breaks",
        "Noise curvature of SignSGD with one correlation ρ and one signal-to-noise ratio g / s in "
        "all coordinates, so that nothing averages out: 1 is right. At small signal the missing "
        "terms are ρ³; near g / s = 1 the ρ² term enters. At larger g / s the closure is further "
        "off, but of a noise that no longer matters beside the signal.",
        expansion_table,
    ),
    (
        "One step: more batch, less progress",
        "Exact SignSGD with independent noise and positively coupled curvature. In the mean field "
        "ΔL* grows with B; with a spread of gradient sizes it does not, and the (S, E) hyperbola "
        "falls with it.",
        efficiency_table,
    ),
    (
        "Momentum: one-step promise, many-step reality",
        "η*(β₁ = 0.9) / η*(β₁ = 0), both exact, curvatures from 10⁻³ to 1, σ² = 100. The one-step "
        "view multiplies the batch by 19; over 200 steps momentum buys nothing while noise "
        "dominates, and helps at large B through stability.",
        momentum_table,
    ),
    (
        "Adam over a run: the ratio law",
        "η*(Adam) / ((mean √v + ε) η*(SGD)) for 200 steps of the same problem, β = (0.9, 0.99), "
        "the same momentum and noise on both sides: 1 where the law holds. It fails where signal "
        "dominates and ε = 0: √v falls during the run.",
        ratio_table,
    ),
    (
        "Adam at a standing point: c = 1, not π/2",
        "E[u] of one coordinate with g = 0.1 s, β₁ = 0.9, ε over s and outside the root.",
        adam_table,
    ),
    (
        "Short horizon against long",
        "Spectrum 1/k (48 coordinates, rotated), Σ ∝ H, B_simple = 100. The best constant learning "
        "rate of S steps is not the one-step η* times a function of S: the ratio depends on B and "
        "on the optimizer. SGD exact, SignSGD simulated.",
        horizon_table,
    ),
    (
        "Fixed steps against fixed samples",
        "The same problem. At fixed samples and small B the classic rules come out, η ∝ B for SGD "
        "and η ∝ √B for SignSGD; at fixed steps the exponents are about one half lower.",
        budget_table,
    ),
)
"""Title, text and table of each section, in order."""


def laboratory_tables() -> dict[str, Sequence[Row]]:
    """Every table of the page by its title, computed now (about 10 s)."""
    return {title: table() for title, _, table in SECTIONS}


def laboratory_page(tables: Mapping[str, Sequence[Row]]) -> str:
    """The whole page in Markdown from `laboratory_tables`."""
    parts = [
        "# Where the laws hold and where they break",
        "Computed in the noisy-quadratic laboratory (`scaling_theory.laboratory`), where the truth "
        "is known; a value with ± is simulated. These are synthetic problems: they prove what can "
        "happen, not what a given network does. Written by "
        "`python -m scaling_theory.laboratory.showcase > docs/laboratory.md`.",
    ]
    for title, text, _ in SECTIONS:
        parts += [f"## {title}", text, markdown_table(tables[title])]
    return "\n\n".join(parts) + "\n"


def markdown_table(rows: Sequence[Row]) -> str:
    """Rows of one frozen dataclass as a Markdown table, one column per field."""
    names = [field.name for field in fields(rows[0])]
    lines = [[HEADINGS[name] for name in names], ["---"] * len(names)]
    lines += [[_cell(getattr(row, name)) for name in names] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, Estimate):
        error = f" ± {value.standard_error:.1g}" if value.samples else ""
        return f"{value.value:.3g}{error}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e5 else f"{value:.3g}"
    return str(value)
