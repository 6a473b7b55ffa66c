"""Momentum over many steps on a quadratic: its one-step gain is not there, its room is."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.momentum import momentum_factor
from scaling_theory.derivations.step import Step, equate

__all__ = ["momentum_run"]

_RUN = (
    "One direction of curvature h, gradient hθ plus noise of variance s² = σ²/B; "
    "m ← β₁m + (1 − β₁)g̃, θ ← θ − ηm, constant η, run until stationary."
)


def momentum_run() -> tuple[Step, ...]:
    """The stationary variance of a quadratic under momentum, and its ratio to plain SGD."""
    return (_stationary(), _no_gain(), _room())


def _stationary_variance() -> sp.Expr:
    """E[theta^2] from the three stationary second moments of (theta, m)."""
    square, cross, average = sp.symbols("square cross average", cls=sp.Dummy)
    h, beta, eta = sy.h, sy.beta1, sy.eta
    # m' = beta m + (1 - beta)(h theta + noise), theta' = theta - eta m'.
    next_average = {"m": beta, "theta": (1 - beta) * h}
    next_theta = {"m": -eta * beta, "theta": 1 - eta * (1 - beta) * h}
    noise = {"m": 1 - beta, "theta": -eta * (1 - beta)}

    def moment(first: dict[str, sp.Expr], second: dict[str, sp.Expr], names: str) -> sp.Expr:
        shared = noise[names.split()[0]] * noise[names.split()[1]] * sy.s**2
        return (
            first["theta"] * second["theta"] * square
            + (first["theta"] * second["m"] + first["m"] * second["theta"]) * cross
            + first["m"] * second["m"] * average
            + shared
        )

    (solution,) = sp.solve(
        [
            moment(next_theta, next_theta, "theta theta") - square,
            moment(next_theta, next_average, "theta m") - cross,
            moment(next_average, next_average, "m m") - average,
        ],
        [square, cross, average],
        dict=True,
    )
    return sp.factor(solution[square])


def _stationary() -> Step:
    claim = sy.eta * sy.s**2 / (sy.h * (2 - sy.eta * sy.h * sy.rho))
    return Step(
        title="Stationary variance",
        assumption=_RUN,
        equation=equate(sy.weight_square, claim),
        derived=_stationary_variance(),
        how="The three linear equations of the stationary moments E[θ²], E[θm], E[m²] are solved.",
        source=sources.OWN,
        where={sy.rho: momentum_factor()},
    )


def _no_gain() -> Step:
    variance = _stationary_variance()
    ratio = sp.cancel(variance / variance.subs(sy.beta1, 0))
    return Step(
        title="No gain from momentum at small steps",
        assumption=_RUN,
        equation=equate(sp.Limit(sy.weight_square / sy.weight_plain, sy.eta, 0), sp.Integer(1)),
        derived=sp.limit(ratio, sy.eta, 0),
        how="Ratio to β₁ = 0 as η → 0: averaging delays noise but every draw of it enters in "
        "full. The factor 1/ρ of the one-step view is absent over a run: take ρ = 1 there.",
        source=sources.OWN + ", against " + sources.MOMENTUM,
    )


def _room() -> Step:
    (pole,) = sp.solve(sp.denom(sp.together(_stationary_variance())).subs(sy.s, 1), sy.eta)
    return Step(
        title="Room from momentum at large steps",
        assumption=_RUN,
        equation=equate(sy.eta_stable, 2 / (sy.rho * sy.h)),
        derived=sp.factor(pole),
        how="The variance grows without bound where its denominator vanishes. Momentum divides the "
        "curvature that limits the learning rate by 1/ρ and leaves the noise: the law of long "
        "runs has ρ at the curvature, D/(ρQ + N), where the view of one step has it at the noise.",
        source=sources.OWN,
        where={sy.rho: momentum_factor()},
    )
