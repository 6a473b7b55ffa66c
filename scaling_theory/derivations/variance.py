"""Rules that keep a variance or a stochastic differential equation fixed."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.step import Step, equate

__all__ = ["adam_sde", "batch_variance", "variance_views"]


def batch_variance() -> sp.Expr:
    """Variance of the mean of B independent gradients: sigma^2 / B."""
    return sy.sigma**2 / sy.B


def variance_views() -> tuple[Step, ...]:
    """Why a square root, and why a straight line: two things one may keep fixed."""
    return (_batch_noise(), _square_root(), _diffusion(), _linear())


def adam_sde() -> tuple[Step, ...]:
    """What keeps the SDE of Adam fixed when noise dominates: η, β and ε."""
    return (_adam_steps(), _adam_rate(), _adam_epsilon(), _adam_average(), _adam_average_linear())


def _batch_noise() -> Step:
    independent = sp.Sum(sy.sigma**2 / sy.B**2, (sy.n, 1, sy.B))
    return Step(
        title="Noise of a batch gradient",
        assumption="The gradients of the B sequences of a batch are independent draws.",
        equation=equate(sy.s**2, batch_variance()),
        derived=independent.doit(),
        how="The variances of B independent terms g̃/B are added.",
        source=sources.CURRENT_STATE,
    )


def _increment(eta: sp.Expr, batch: sp.Expr) -> sp.Expr:
    """Variance that one SGD step adds to a parameter."""
    return eta**2 * batch_variance().subs(sy.B, batch)


def _square_root() -> Step:
    (rate,) = sp.solve(_increment(sy.eta, sy.B) - _increment(sy.eta_0, sy.B_0), sy.eta)
    return Step(
        title="Square-root rule",
        assumption="What is to stay fixed is the variance of one SGD increment, η²σ²/B.",
        equation=equate(sy.eta, sy.eta_0 * sp.sqrt(sy.B / sy.B_0)),
        derived=rate,
        how="Equal increment variances at (η, B) and (η₀, B₀) are solved for η.",
        source=sources.KRIZHEVSKY,
    )


def _diffusion_rate(eta: sp.Expr, batch: sp.Expr) -> sp.Expr:
    """Diffusion of the SDE whose Euler step of length eta is one SGD step."""
    return sp.sqrt(_increment(eta, batch) / eta)


def _diffusion() -> Step:
    time_step = sp.Dummy("dt", positive=True)
    (diffusion,) = sp.solve(
        sy.D**2 * time_step - _increment(sy.eta, sy.B).subs(sy.eta, time_step), sy.D
    )
    return Step(
        title="The SDE of SGD",
        assumption="Steps are small enough for SGD to be the Euler scheme of dθ = −g dt + D dw, "
        "one step being the time dt = η.",
        equation=equate(sy.D, sp.sqrt(sy.eta * sy.sigma**2 / sy.B)),
        derived=diffusion.subs(time_step, sy.eta),
        how="The variance D² dt of an Euler step is set equal to that of an SGD step.",
        source=sources.CURRENT_STATE,
    )


def _linear() -> Step:
    (rate,) = sp.solve(
        _diffusion_rate(sy.eta, sy.B) ** 2 - _diffusion_rate(sy.eta_0, sy.B_0) ** 2, sy.eta
    )
    return Step(
        title="Linear rule",
        assumption="What is to stay fixed is the SDE. Local in B: both rules let η grow without "
        "bound, so neither can hold for large B.",
        equation=equate(sy.eta, sy.eta_0 * sy.B / sy.B_0),
        derived=rate,
        how="Equal diffusions at (η, B) and (η₀, B₀) are solved for η.",
        source=sources.CURRENT_STATE,
    )


def _adam_drift_and_noise(eta: sp.Expr, batch: sp.Expr, steps: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Drift per unit of gradient and variance over some steps of u = g̃ / sqrt(v), v = sigma^2/B."""
    root = sp.sqrt(batch_variance().subs(sy.B, batch))
    return steps * eta / root, steps * eta**2 * batch_variance().subs(sy.B, batch) / root**2


def _adam_scaled() -> dict[sp.Symbol, sp.Expr]:
    """The steps and the rate that keep drift and variance when the batch grows by kappa."""
    steps, rate = sp.symbols("steps rate", positive=True, cls=sp.Dummy)
    before = _adam_drift_and_noise(sy.eta_0, sy.B, sy.n)
    after = _adam_drift_and_noise(rate, sy.batch_ratio * sy.B, steps)
    (solution,) = sp.solve(
        [new - old for new, old in zip(after, before, strict=True)], [steps, rate], dict=True
    )
    return {sy.n: solution[steps], sy.eta: solution[rate]}


_NOISE_DOMINATED = "Noise dominates the gradient, √v ≈ σ/√B; the batch grows from B to κB."


def _adam_steps() -> Step:
    return Step(
        title="Steps that span the same time",
        assumption=_NOISE_DOMINATED,
        equation=equate(sy.n_new, sy.n / sy.batch_ratio),
        derived=_adam_scaled()[sy.n],
        how="Total drift nη√B g/σ and total variance nη² are both kept; solved for n' and η'.",
        source=sources.MALLADI,
    )


def _adam_rate() -> Step:
    return Step(
        title="Square-root rule of Adam",
        assumption=_NOISE_DOMINATED,
        equation=equate(sy.eta, sy.eta_0 * sp.sqrt(sy.batch_ratio)),
        derived=_adam_scaled()[sy.eta],
        how="As above.",
        source=sources.MALLADI,
    )


def _adam_epsilon() -> Step:
    root = sp.sqrt(batch_variance())
    (scaled,) = sp.solve(
        sy.epsilon_new / root.subs(sy.B, sy.batch_ratio * sy.B) - sy.epsilon / root, sy.epsilon_new
    )
    return Step(
        title="Epsilon of Adam",
        assumption=_NOISE_DOMINATED + " The share of ε in √v + ε is to stay fixed.",
        equation=equate(sy.epsilon_new, sy.epsilon / sp.sqrt(sy.batch_ratio)),
        derived=scaled,
        how="ε/√v is kept; it keeps B/B_ε, B_ε = (σ/ε)², and so the regime of the run.",
        source=sources.MALLADI,
    )


def _adam_average() -> Step:
    steps = _adam_scaled()[sy.n]
    (factor,) = sp.solve(sy.beta_new**steps - sy.beta1**sy.n, sy.beta_new)
    return Step(
        title="Averaging factors, exactly",
        assumption="The averages are to forget the same share over the same time.",
        equation=equate(sy.beta_new, sy.beta1**sy.batch_ratio),
        derived=factor,
        how="β'^n' = β^n with n' = n/κ is solved for β'.",
        source=sources.OWN + "; the same as the half-life rule of " + sources.MAREK,
    )


def _adam_average_linear() -> Step:
    gap = sp.Dummy("gap", positive=True)
    first_order = sp.series(1 - (1 - gap) ** sy.batch_ratio, gap, 0, 2).removeO()
    return Step(
        title="Averaging factors, to first order",
        assumption="κ(1 − β) is small; at κ(1 − β) ≥ 1 the rule asks for β' ≤ 0 and is void.",
        equation=equate(1 - sy.beta_new, sy.batch_ratio * (1 - sy.beta1)),
        derived=first_order.subs(gap, 1 - sy.beta1),
        how="1 − β^κ is expanded in 1 − β.",
        source=sources.MALLADI,
    )
