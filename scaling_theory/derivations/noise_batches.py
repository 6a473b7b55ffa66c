"""Three batch sizes that are all called B_noise, with one noise-to-signal ratio."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.canonical_surge import peak_batch
from scaling_theory.derivations.step import Step, equate

__all__ = ["efficiency_batch", "noise_batches", "surge_batch"]


def efficiency_batch() -> sp.Expr:
    """B_n = K T / Q."""
    return sy.K * sy.T / sy.Q


def surge_batch() -> sp.Expr:
    """K T / (Q - T), the noise batch of the Surge paper with one noise-to-signal ratio."""
    return sy.K * sy.T / (sy.Q - sy.T)


def noise_batches() -> tuple[Step, ...]:
    """Three batches that are all called B_noise, with one κ² for all coordinates."""
    return (_surge_batch(), _harmonic(), _midpoint(), _agreement())


def _batches() -> dict[sp.Symbol, sp.Expr]:
    return {
        sy.B_n: efficiency_batch(),
        sy.B_surge: surge_batch(),
        sy.B_peak: peak_batch().subs(sy.B_n, efficiency_batch()),
    }


_ONE_RATIO = "One SNR for all coordinates, ε = 0, K = πκ²/2, κ² = σᵢ²/gᵢ² > 0, Q > 2T."


def _surge_batch() -> Step:
    # With sigma_i = kappa |g_i| the weights g_i g_j / (sigma_i sigma_j) are signs over kappa^2.
    weighted = (sy.Q - sy.T) / sy.kappa2
    (batch,) = sp.solve(2 * sy.B / sp.pi * sy.off_diagonal - sy.T, sy.B)
    return Step(
        title="The Surge paper's batch in terms of Q and T",
        assumption=_ONE_RATIO,
        equation=equate(sy.B_surge, surge_batch()),
        derived=batch.subs(sy.off_diagonal, weighted),
        how="Where the linearised signal curvature 2BX/π equals T, solved for B; with one SNR "
        "X = (Q − T)/κ².",
        source=sources.SURGE,
        where={sy.K: sp.pi * sy.kappa2 / 2},
    )


def _harmonic() -> Step:
    batches = _batches()
    return Step(
        title="Efficiency scale and Surge batch",
        assumption=_ONE_RATIO,
        equation=equate(1 / sy.B_n - 1 / sy.B_surge, 1 / sy.K),
        derived=1 / batches[sy.B_n] - 1 / batches[sy.B_surge],
        how="B_n = KT/Q and B_Surge = KT/(Q − T) are put in.",
        source=sources.OWN,
    )


def _midpoint() -> Step:
    batches = _batches()
    return Step(
        title="Surge batch and peak",
        assumption=_ONE_RATIO,
        equation=equate(1 / sy.B_surge - 1 / sy.B_peak, 1 / sy.K),
        derived=1 / batches[sy.B_surge] - 1 / batches[sy.B_peak],
        how="B_peak of the canonical form is put in: the Surge batch is the harmonic midpoint.",
        source=sources.OWN,
    )


def _agreement() -> Step:
    batches = _batches()
    ratio = batches[sy.B_peak] / batches[sy.B_n]
    return Step(
        title="When they agree",
        assumption=_ONE_RATIO,
        equation=equate(sp.Limit(sy.B_peak / sy.B_n, sy.Q, sp.oo), sp.Integer(1)),
        derived=sp.limit(ratio, sy.Q, sp.oo),
        how="The limit Q/T → ∞, where all three are far below K: the paper's regime.",
        source=sources.OWN,
    )
