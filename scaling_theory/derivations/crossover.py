"""From square root to linear: what epsilon adds to the exponent of a run's learning rate."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.sgd import sgd_learning_rate
from scaling_theory.derivations.step import Step, equate

__all__ = ["crossover_rate", "epsilon_crossover"]

_RATIO = (
    "Ratio law (measured on one noisy quadratic, not derived): the best rate of Adam is "
    "√v + ε times that of SGD, with v = g² + σ²/B constant over the run."
)
_ONE_STEP = _RATIO + " The rate of SGD is that of one step, 1/(1 + ρB_n/B)."


def crossover_rate() -> sp.Expr:
    """eta_max (sqrt(g^2 + sigma^2 / B) + epsilon) / (1 + rho B_n / B)."""
    rate = sgd_learning_rate().subs(sy.B_noise, sy.rho * sy.B_n)
    return rate * (_root() + sy.epsilon)


def epsilon_crossover() -> tuple[Step, ...]:
    """Exponents below and above B_ε, and when the curve falls at the end."""
    return (
        _crossover_batch(),
        *_exponents(),
        *_one_step_slopes(),
        _outside_root(),
        _inside_root(),
    )


def _root() -> sp.Expr:
    return sp.sqrt(sy.g**2 + sy.sigma**2 / sy.B)


def _noise_dominated() -> sp.Expr:
    """sqrt(v) + epsilon where noise dominates."""
    return sy.sigma / sp.sqrt(sy.B) + sy.epsilon


def _slope(expression: sp.Expr) -> sp.Expr:
    return sp.simplify(sy.B * sp.diff(sp.log(expression), sy.B))


def _crossover_batch() -> Step:
    (batch,) = sp.solve(_noise_dominated() - 2 * sy.epsilon, sy.B)
    return Step(
        title="Crossover batch",
        assumption="Noise dominates the gradient: √v ≈ σ/√B.",
        equation=equate(sy.B_epsilon, (sy.sigma / sy.epsilon) ** 2),
        derived=batch,
        how="√v = ε is solved for B.",
        source=sources.OWN,
    )


def _exponents() -> tuple[Step, ...]:
    # eta_SGD ~ B^p with any exponent p, as a run may show.
    slope = _slope(_noise_dominated() * sy.B**sy.p)
    ends = (
        ("far below B_ε", 0, sy.p - sp.Rational(1, 2)),
        ("far above B_ε", sp.oo, sy.p),
    )
    return tuple(
        Step(
            title=f"Exponent {place}",
            assumption=_RATIO + " η*_SGD ∝ B^p, noise dominates.",
            equation=equate(sp.Limit(sy.log_slope, sy.B, end), exponent),
            derived=sp.limit(slope, sy.B, end),
            how="The limit of the logarithmic slope: raising ε, or letting gradients shrink, adds "
            "up to 1/2 to the exponent.",
            source=sources.OWN,
        )
        for place, end, exponent in ends
    )


def _one_step_slopes() -> tuple[Step, ...]:
    slope = _slope(_noise_dominated() * sgd_learning_rate().subs(sy.B_noise, sy.rho * sy.B_n))
    small_epsilon = sp.limit(sp.limit(slope, sy.epsilon, 0), sy.B, 0)
    between = sp.limit(sp.limit(slope, sy.B_n, sp.oo), sy.B, sp.oo)
    return (
        Step(
            title="One-step form: B ≪ B_ε",
            assumption=_ONE_STEP,
            equation=equate(
                sp.Limit(sp.Limit(sy.log_slope, sy.epsilon, 0), sy.B, 0), sp.Rational(1, 2)
            ),
            derived=small_epsilon,
            how="ε → 0 first (B_ε → ∞), then B → 0: a square root.",
            source=sources.OWN,
        ),
        Step(
            title="One-step form: B_ε ≪ B ≪ B_n",
            assumption=_ONE_STEP,
            equation=equate(
                sp.Limit(sp.Limit(sy.log_slope, sy.B_n, sp.oo), sy.B, sp.oo), sp.Integer(1)
            ),
            derived=between,
            how="B_n → ∞ first, then B → ∞: linear.",
            source=sources.OWN,
        ),
        Step(
            title="One-step form: B ≫ B_n",
            assumption=_ONE_STEP,
            equation=equate(
                sp.Limit(sy.eta_star, sy.B, sp.oo), sy.eta_max * (sp.Abs(sy.g) + sy.epsilon)
            ),
            derived=sp.limit(crossover_rate(), sy.B, sp.oo),
            how="The limit B → ∞: flat.",
            source=sources.OWN,
        ),
    )


def _tail(denominator: sp.Expr) -> sp.Expr:
    """Coefficient of 1/B in ln eta* at large B, g = size > 0."""
    inverse, size = sp.symbols("inverse size", positive=True, cls=sp.Dummy)
    rate = denominator * sgd_learning_rate().subs(sy.B_noise, sy.rho * sy.B_n)
    logarithm = sp.log(rate.subs(sy.g, size)).subs(sy.B, 1 / inverse)
    return sp.diff(logarithm, inverse).subs(inverse, 0).subs(size, sp.Abs(sy.g))


def _outside_root() -> Step:
    signal = sp.Abs(sy.g)
    claim = sy.B_simple / 2 * signal / (signal + sy.epsilon) - sy.rho * sy.B_n
    return Step(
        title="When it falls at the end, ε outside the root",
        assumption=_ONE_STEP + " B_simple = σ²/g². Adam as torch writes it, √v + ε.",
        equation=equate(sp.Limit(-sy.B * sy.log_slope, sy.B, sp.oo), claim),
        derived=_tail(_root() + sy.epsilon),
        how="Coefficient of 1/B in ln η*: the curve falls towards its plateau when it is "
        "positive, ρB_n < ½B_simple|g|/(|g| + ε).",
        source=sources.OWN,
        where={sy.B_simple: sy.sigma**2 / sy.g**2},
    )


def _inside_root() -> Step:
    claim = sy.B_simple / 2 * sy.g**2 / (sy.g**2 + sy.epsilon**2) - sy.rho * sy.B_n
    return Step(
        title="When it falls at the end, ε inside the root",
        assumption=_ONE_STEP + " B_simple = σ²/g². √(v + ε²) in the place of √v + ε.",
        equation=equate(sp.Limit(-sy.B * sy.log_slope, sy.B, sp.oo), claim),
        derived=_tail(sp.sqrt(sy.g**2 + sy.sigma**2 / sy.B + sy.epsilon**2)),
        how="The same coefficient. With K = B_simple g²/(g² + ε²), which is κ² at c = 1, and "
        "ρ = 1 it is B_n < K/2, the condition of the canonical form.",
        source=sources.OWN,
        where={sy.B_simple: sy.sigma**2 / sy.g**2},
    )
