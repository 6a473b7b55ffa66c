"""One step: the closures of the noise curvature against the exact answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_theory.laboratory.construct import (
    NoiseShape,
    aligned_noise,
    equicorrelated,
    independent_noise,
    low_rank_noise,
    make_quadratic,
    power_law_spectrum,
)
from scaling_theory.laboratory.measured import predicted_curvature, predicted_step
from scaling_theory.laboratory.one_step import sign_step, softsign_step
from scaling_theory.laboratory.quadratic import NoisyQuadratic, as_array

NOISES: dict[str, NoiseShape] = {
    "independent": independent_noise(spread=0.5),
    "aligned, Σ ∝ H": aligned_noise(1.0),
    "aligned, Σ ∝ H²": aligned_noise(2.0),
    "low rank, sharp": low_rank_noise(2, 0.7, along_hessian=True),
    "low rank, random": low_rank_noise(2, 0.7),
}

PREDICTIONS = (
    ("correlated", "exact"),
    ("independent", "exact"),
    ("independent", "mean_field_pi_half"),
)
"""Noise closure and moment variant of the predictions of ClosureRow, in its order."""


@dataclass(frozen=True)
class ClosureRow:
    """η* of SoftSignSGD at one batch size and ε; predictions as ratios to the exact value.

    rms_correlation: root mean square of the off-diagonal noise correlation. epsilon: over the
    root mean square σ of one sequence. exact: η*, by quadrature over pairs of coordinates. The
    first two predictions use exact moments, mean_field the article's (c = π/2).
    """

    noise: str
    rms_correlation: float
    epsilon: float
    batch_size: float
    exact: float
    correlated: float
    independent: float
    mean_field: float


def closure_table(
    noises: dict[str, NoiseShape] | None = None,
    *,
    size: int = 16,
    epsilons: Sequence[float] = (0.0, 1.0, 30.0),
    batch_sizes: Sequence[float] = (1.0, 10.0, 100.0),
    noise_to_signal: float = 30.0,
    seed: int = 1,
) -> tuple[ClosureRow, ...]:
    """Every noise shape, ε (over rms σ) and B; H has spectrum k^-1.5 under a random rotation.

    noise_to_signal: B_simple, in sequences. At most 24 coordinates (quadrature over pairs).
    """
    rows = []
    for name, shape in (noises or NOISES).items():
        problem = make_quadratic(
            power_law_spectrum(size, 1.5),
            shape,
            noise_to_signal=noise_to_signal,
            rotated=True,
            rng=np.random.default_rng(seed),
        )
        sigma = float(np.sqrt(problem.variance.mean()))
        for ratio in epsilons:
            for batch in batch_sizes:
                epsilon = ratio * sigma
                exact = softsign_step(problem, batch, epsilon).learning_rate.value

                ratios = (
                    _prediction(problem, batch, epsilon, closure, variant) / exact
                    for closure, variant in PREDICTIONS
                )
                rows.append(
                    ClosureRow(name, rms_correlation(problem), ratio, batch, exact, *ratios)
                )
    return tuple(rows)


@dataclass(frozen=True)
class ExpansionRow:
    """Noise curvature of SignSGD under the first-order closure, over the exact one.

    correlation: between every two coordinates. signal_to_noise: g / s of the batch gradient, the
    same in every coordinate. closure_over_exact: 1 where the first order suffices.
    """

    correlation: float
    signal_to_noise: float
    closure_over_exact: float


def expansion_table(
    *,
    size: int = 32,
    correlations: Sequence[float] = (0.1, 0.3, 0.6, 0.8, 0.95),
    signal_to_noise: Sequence[float] = (0.0, 0.5, 1.0, 2.0),
) -> tuple[ExpansionRow, ...]:
    """First order in the correlation against all orders, H and Σ both (1 - ρ) I + ρ 1 1ᵀ.

    With one correlation and one signal-to-noise ratio everywhere nothing averages out: the
    missing terms are ρ³ and higher at small signal, ρ² at a signal-to-noise ratio near 1.
    """
    rows = []
    for correlation in correlations:
        matrix = equicorrelated(size, correlation)
        # The gradient that is `ratio` in every coordinate: 1 1^T has eigenvalue 1 + (size - 1) c.
        sharpest = 1.0 + (size - 1) * correlation
        for ratio in signal_to_noise:
            theta = np.full(size, ratio / sharpest)
            problem = NoisyQuadratic(matrix, matrix, theta, np.zeros(size))
            exact = sign_step(problem, 1.0).noise
            closure = predicted_curvature(problem, 1.0, 0.0).noise.value
            rows.append(ExpansionRow(correlation, ratio, closure / exact))
    return tuple(rows)


@dataclass(frozen=True)
class EfficiencyRow:
    """Whether ΔL* of SignSGD grows with B.

    spread: standard deviation of log₁₀ of the scale of g_i; σ = 1 everywhere. largest_over_limit:
    the largest ΔL*(B) over its value at infinite batch; best_batch: where, in sequences.
    """

    spread: float
    largest_over_limit: float
    best_batch: float


def efficiency_table(
    *,
    size: int = 400,
    correlation: float = 0.02,
    spreads: Sequence[float] = (0.0, 0.5, 1.0),
    seed: int = 0,
) -> tuple[EfficiencyRow, ...]:
    """Independent noise, H = (1 - c) I + c 1 1ᵀ, all gradients of one sign.

    In the mean field ΔL = ΔL_max / (1 + B_n / B) always grows; the exact SignSGD with a spread of
    signal-to-noise ratios does not obey it.
    """
    rows = []
    matrix = equicorrelated(size, correlation)
    batches = np.geomspace(1e-4, 1e8, 121)
    for spread in spreads:
        rng = np.random.default_rng(seed)
        gradient = np.abs(rng.standard_normal(size)) * 10.0 ** (spread * rng.standard_normal(size))
        theta = as_array(np.linalg.solve(matrix, gradient))
        problem = NoisyQuadratic(matrix, np.ones(size), theta, np.zeros(size))
        drops = np.array([sign_step(problem, batch).optimum.loss_drop.value for batch in batches])
        best = int(np.argmax(drops))
        rows.append(EfficiencyRow(spread, float(drops[best] / drops[-1]), float(batches[best])))
    return tuple(rows)


def _prediction(
    problem: NoisyQuadratic, batch_size: float, epsilon: float, closure: str, variant: str
) -> float:
    step = predicted_step(problem, batch_size, epsilon, closure=closure, variant=variant)
    return step.learning_rate.value


def rms_correlation(problem: NoisyQuadratic) -> float:
    """Root mean square of the off-diagonal entries of the noise correlation matrix."""
    matrix = problem.correlation
    off = matrix[~np.eye(problem.size, dtype=bool)]
    return float(np.sqrt(np.mean(off**2)))
