"""Muon in the mean field, and its refinement by singular values."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import noise_average
from scaling_theory.derivations.mean_field import attenuation
from scaling_theory.derivations.one_step import optimal_learning_rate
from scaling_theory.derivations.step import Step, equate

__all__ = ["alignment", "muon"]

_NOISE = "G is n × m with n ≥ m; the entries of its noise are independent, of variance σ²/B."
_MEAN_FIELD = _NOISE + " E[msign(G̃)] is replaced by G(GᵀG + nσ²/B)^(−1/2) (mean field on G̃ᵀG̃)."


def alignment() -> sp.Expr:
    """sum s_i^2 / sqrt(s_i^2 + n sigma^2 / B) over sum s_i, s_i the singular values of G."""
    shifted = sp.sqrt(sy.s_[sy.i] ** 2 + sy.n * sy.sigma**2 / sy.B)
    return sp.Sum(sy.s_[sy.i] ** 2 / shifted, (sy.i, 1, sy.N)) / sp.Sum(
        sy.s_[sy.i], (sy.i, 1, sy.N)
    )


def muon() -> tuple[Step, ...]:
    """Gram matrix of a noisy gradient, its mean-field sign, and η* for a matched Hessian."""
    return (
        *_gram(),
        _refined(),
        _one_value(),
        _simple_scale(),
        _rate(),
        _rms(),
    )


def _noisy_gram() -> sp.Matrix:
    """E[G̃ᵀG̃] for n = 3, m = 2, averaged entry by entry."""
    rows, columns = 3, 2
    clean = sp.Matrix(rows, columns, lambda row, column: sy.G_[row + 1, column + 1])
    noise = sp.symbols(f"delta1:{rows * columns + 1}", real=True)
    noisy = clean + sp.Matrix(rows, columns, noise)
    variance = sy.sigma**2 / sy.B
    return (noisy.T * noisy).applyfunc(
        lambda entry: noise_average(
            entry, noise, lambda first, second: variance if first == second else 0
        )
    )


def _gram() -> tuple[Step, ...]:
    gram = _noisy_gram()

    def clean(first: int, second: int) -> sp.Expr:
        return sp.Sum(sy.G_[sy.i, first] * sy.G_[sy.i, second], (sy.i, 1, sy.N))

    return (
        Step(
            title="Gram matrix, diagonal",
            assumption=_NOISE + " Shown for n = 3 (written N), m = 2.",
            equation=equate(sy.gram_11, clean(1, 1) + sy.N * sy.sigma**2 / sy.B),
            derived=gram[0, 0],
            how="G̃ᵀG̃ is averaged entry by entry: n noise variances are added.",
            source=sources.MUON,
            coordinates=3,
        ),
        Step(
            title="Gram matrix, off the diagonal",
            assumption=_NOISE + " As above.",
            equation=equate(sy.gram_12, clean(1, 2)),
            derived=gram[0, 1],
            how="No noise is added: E[G̃ᵀG̃] = GᵀG + (nσ²/B)·1.",
            source=sources.MUON,
            coordinates=3,
        ),
    )


def _inverse_root(gram: sp.Matrix) -> sp.Matrix:
    """Inverse square root of a positive 2 x 2 matrix, by Cayley and Hamilton."""
    size = sp.sqrt(gram.det())
    root = (gram + size * sp.eye(2)) / sp.sqrt(gram.trace() + 2 * size)
    return root.inv()


def _refined() -> Step:
    left = sp.Matrix([[3, -4], [4, 3]]) / 5
    right = sp.Matrix([[12, 5], [-5, 12]]) / 13
    values = (sp.Integer(3), sp.Rational(1, 2))
    gradient = left * sp.diag(*values) * right.T
    shift = sp.Rational(7, 3)
    damped = gradient * _inverse_root(gradient.T * gradient + shift * sp.eye(2))
    return Step(
        title="Alignment by singular values",
        assumption=_MEAN_FIELD + " ‖G‖* = Σsᵢ. Checked for a rotated 2 × 2 matrix with singular "
        "values 3 and 1/2, nσ²/B = 7/3.",
        equation=equate(sy.alignment, alignment()),
        derived=(damped.T * gradient).trace() / sum(values),
        how="⟨G(GᵀG + τ)^(−1/2), G⟩/‖G‖* with the root by Cayley and Hamilton; no singular value "
        "decomposition is used on this side. 20 digits computed, 12 asked for. For n < m the "
        "larger dimension takes the place of n.",
        source=sources.OWN,
        coordinates=2,
        where={
            sy.s_[1]: values[0],
            sy.s_[2]: values[1],
            sy.n: 2,
            sy.sigma: sp.sqrt(shift / 2),
            sy.B: 1,
        },
        tolerance=1e-12,
        approximate=True,
    )


def _one_value() -> Step:
    beta = attenuation().subs(sy.K, sy.B_simple)
    equal = sy.s**2 / sp.sqrt(sy.s**2 + sy.n * sy.sigma**2 / sy.B) / sy.s
    return Step(
        title="Equal singular values",
        assumption=_MEAN_FIELD + " All m singular values are s; B_simple = nσ²/s².",
        equation=equate(sy.alignment, beta),
        derived=equal,
        how="Put into the alignment: the mean-field form with c = 1. For decaying spectra it is "
        "poor, and the sum over singular values is to be used.",
        source=sources.MUON,
        where={sy.B_simple: sy.n * sy.sigma**2 / sy.s**2},
        approximate=True,
    )


def _simple_scale() -> Step:
    trace_of_gram = sy.m * sy.s**2
    return Step(
        title="Simple noise scale of a matrix",
        assumption="As above; ‖G‖² = Tr GᵀG = Σsᵢ² (the article prints ‖G‖ in its place).",
        equation=equate(sy.B_simple, sy.m * sy.n * sy.sigma**2 / sy.frobenius),
        derived=sy.n * sy.sigma**2 / sy.s**2,
        how="Tr GᵀG = ms² is put in on the right: Tr Σ over ‖G‖².",
        source=sources.MUON,
        where={sy.frobenius: trace_of_gram},
    )


def _rate() -> Step:
    values = sp.symbols("s1:3", positive=True, cls=sp.Dummy)
    nuclear = sum(values)
    # E[X] = beta msign(G), E[XᵀX] = 1, Hessian X -> X (GᵀG)^(1/2) / eta_max.
    descent = sy.attenuation * nuclear
    curvature = sp.diag(*values).trace() / sy.eta_max
    return Step(
        title="Learning rate for a matched Hessian",
        assumption=_MEAN_FIELD + " The Hessian is X ↦ X(GᵀG)^(1/2)/η_max; E[msign(G̃)] = "
        "β msign(G), and the columns of msign are orthonormal.",
        equation=equate(sy.eta_star, sy.eta_max / sp.sqrt(1 + sy.B_simple / sy.B)),
        derived=optimal_learning_rate(descent, curvature).subs(
            sy.attenuation, attenuation().subs(sy.K, sy.B_simple)
        ),
        how="⟨E[X], G⟩ = β‖G‖* over E⟨X, HX⟩ = ‖G‖*/η_max, for two singular values: no surge.",
        source=sources.MUON,
        approximate=True,
    )


def _rms() -> Step:
    smaller = sp.Integer(2)
    square = sp.Matrix([[1, 0], [0, 1], [0, 0]])
    mean_square = sum(entry**2 for entry in square) / (3 * smaller)
    return Step(
        title="RMS of a matrix sign",
        assumption="Full rank, n ≥ m. Shown for n = 3, m = 2.",
        equation=equate(sy.rms, 1 / sp.sqrt(sy.n)),
        derived=sp.sqrt(mean_square),
        how="‖msign‖² is the rank m, over nm entries. A factor 0.2√max(n, m) therefore gives "
        "the RMS 0.2 of Adam.",
        source="kexue.fm/archives/10739",
        where={sy.n: 3},
    )
