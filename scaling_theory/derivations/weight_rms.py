"""RMS of the weights under AdamW: an average of an average."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.momentum import momentum_factor
from scaling_theory.derivations.step import Step, equate

__all__ = ["adamw_weight_rms", "weight_rms_limit", "weight_square"]

_DOUBLE = (
    "Pure noise: gradients independent from step to step, u = m/√v with E[g̃²/v] = 1; β₃ = 1 − ηλ."
)
_SLOW = (
    "Weight decay is slow, ηλ ≪ 1 − β₁, so that the inner average passes every gradient on in "
    "full; initial weights are unrelated to the updates; 1 + β₃ ≈ 2."
)


def weight_square() -> sp.Expr:
    """beta3^(2n) start + (1 - beta3^(2n)) eta / (2 lambda), pure noise, after n steps."""
    kept = sy.beta3 ** (2 * sy.n)
    return kept * sy.weight_start + (1 - kept) * sy.eta / (2 * sy.decay)


def weight_rms_limit() -> sp.Expr:
    """sqrt(eta / (2 lambda))."""
    return sp.sqrt(sy.eta / (2 * sy.decay))


def adamw_weight_rms() -> tuple[Step, ...]:
    """From the double average to the limit √(η/2λ)."""
    return (
        _is_average(),
        _naive(),
        _double(),
        _correction(),
        _with_signal(),
        _pure_noise(),
        _limit(),
        _value(),
        _no_decay(),
        _sign_momentum(),
        *_schedules(),
    )


def _is_average() -> Step:
    theta, update = sp.symbols("theta u", real=True)
    return Step(
        title="Weights are an average of updates",
        assumption="Decoupled decay: θ ← (1 − ηλ)θ − ηu.",
        equation=equate(
            (1 - sy.eta * sy.decay) * theta - sy.eta * update,
            sy.beta3 * theta + (1 - sy.beta3) * (-update / sy.decay),
        ),
        derived=(1 - sy.eta * sy.decay) * theta - sy.eta * update,
        how="β₃ = 1 − ηλ is put in on the right: an average of −u/λ.",
        source=sources.WEIGHT_RMS,
        where={sy.beta3: 1 - sy.eta * sy.decay},
    )


def _power_sum(ratio: sp.Expr) -> sp.Expr:
    """Sum over n >= 0 of ratio^n for |ratio| < 1."""
    return 1 / (1 - ratio)


def _naive() -> Step:
    single = (1 - sy.beta3) ** 2 * _power_sum(sy.beta3**2) * sy.rho / sy.decay**2
    leading = sp.limit(single.subs(sy.beta3, 1 - sy.eta * sy.decay) / sy.eta, sy.eta, 0)
    return Step(
        title="The naive limit (wrong)",
        assumption="Updates taken as independent from step to step, of mean square ρ.",
        equation=equate(sy.weight_rms**2, sy.rho * sy.eta / (2 * sy.decay)),
        derived=leading * sy.eta,
        how="(1 − β₃)²Σβ₃²ⁿρ/λ² to leading order in η. Updates are not independent: they share "
        "gradients through m.",
        source=sources.WEIGHT_RMS,
        approximate=True,
    )


def _double_sum() -> sp.Expr:
    """Sum of squared weights of the gradients in the average of the average."""
    first, third = sy.beta1, sy.beta3
    # Weight of the gradient n steps back: (1-b1)(1-b3)(b3^(n+1) - b1^(n+1)) / (b3 - b1).
    squares = (
        third**2 * _power_sum(third**2)
        - 2 * first * third * _power_sum(first * third)
        + first**2 * _power_sum(first**2)
    )
    return ((1 - first) * (1 - third) / (third - first)) ** 2 * squares


def _double() -> Step:
    first, third = sy.beta1, sy.beta3
    claim = sy.rho * (1 - third) / (1 + third) * (1 + first * third) / (1 - first * third)
    return Step(
        title="The double average, exactly",
        assumption=_DOUBLE,
        equation=equate(sy.decay**2 * sy.weight_rms**2, claim),
        derived=_double_sum(),
        how="A gradient n steps back has weight (1 − β₁)(1 − β₃)(β₃ⁿ⁺¹ − β₁ⁿ⁺¹)/(β₃ − β₁); the "
        "squares are summed.",
        source=sources.OWN,
        where={sy.rho: momentum_factor()},
    )


def _correction() -> Step:
    single = (1 - sy.beta3) / 2
    return Step(
        title="The inner average drops out",
        assumption=_DOUBLE,
        equation=equate(
            sp.Limit(sy.decay**2 * sy.weight_rms**2 / single, sy.beta3, 1, "-"), sp.Integer(1)
        ),
        derived=sp.limit(sp.cancel(_double_sum() / single), sy.beta3, 1),
        how="The limit β₃ → 1 of the exact sum: no factor ρ.",
        source=sources.OWN,
    )


def _square_with_signal() -> sp.Expr:
    kept = sy.beta3**sy.n
    bracket = sy.snr + (1 - sy.beta3) * (1 + kept) / ((1 + sy.beta3) * (1 - kept))
    update = (1 - kept) ** 2 * bracket / (sy.decay**2 * (sy.snr + 1))
    return kept**2 * sy.weight_start + update


def _with_signal() -> Step:
    kept = sy.beta3**sy.n
    # Weighted sum of n independent draws of mean square 1, of which SNR / (SNR + 1) is signal.
    signal = (1 - kept) ** 2 * sy.snr / (sy.snr + 1) / sy.decay**2
    noise = (1 - sy.beta3) ** 2 * (1 - kept**2) / (1 - sy.beta3**2) / (sy.snr + 1) / sy.decay**2
    return Step(
        title="Mean square after n steps",
        assumption=_SLOW + " SNR of the batch gradient.",
        equation=equate(sy.weight_square, _square_with_signal()),
        derived=kept**2 * sy.weight_start + signal + noise,
        how="Squared mean and variance of the weighted sum of n draws. The article prints 2 in the "
        "place of 1 + β₃.",
        source=sources.WEIGHT_RMS,
    )


def _pure_noise() -> Step:
    silent = _square_with_signal().subs(sy.snr, 0)
    # 1 + beta3 becomes 2 and 1 - beta3 becomes eta lambda, each as a factor of the update part.
    slow = (1 + sy.beta3) / 2 * sy.eta * sy.decay / (1 - sy.beta3)
    started = sy.beta3 ** (2 * sy.n) * sy.weight_start
    return Step(
        title="Pure noise",
        assumption=_SLOW + " SNR = 0.",
        equation=equate(sy.weight_square, weight_square()),
        derived=started + slow * silent.subs(sy.weight_start, 0),
        how="SNR = 0, 1 + β₃ = 2 and 1 − β₃ = ηλ are put in.",
        source=sources.WEIGHT_RMS,
        approximate=True,
    )


def _limit() -> Step:
    share = sp.Dummy("kept", positive=True)
    after = weight_square().subs(sy.beta3 ** (2 * sy.n), share)
    return Step(
        title="Limit of the weight RMS",
        assumption=_SLOW + " SNR = 0, n → ∞.",
        equation=equate(sy.weight_rms, weight_rms_limit()),
        derived=sp.sqrt(sp.limit(after, share, 0)),
        how="β₃²ⁿ → 0.",
        source=sources.WEIGHT_RMS,
        approximate=True,
    )


def _value() -> Step:
    values = {sy.eta: sp.Rational(1, 1000), sy.decay: sp.Rational(1, 10)}
    exact = _double_sum().subs(sy.beta3, 1 - sy.eta * sy.decay) / sy.decay**2
    return Step(
        title="... at η = 0.001, λ = 0.1",
        assumption="β₁ = 0.9.",
        equation=equate(sy.weight_rms, sp.Float("0.0707")),
        derived=sp.sqrt(exact.subs(values).subs(sy.beta1, sp.Rational(9, 10))),
        how="The exact double average, to half a unit of the last digit.",
        source=sources.WEIGHT_RMS,
        tolerance=5e-5,
    )


def _no_decay() -> Step:
    slow = weight_square().subs(sy.beta3, 1 - sy.eta * sy.decay)
    return Step(
        title="Without decay: a random walk",
        assumption=_SLOW + " λ → 0.",
        equation=equate(
            sp.Limit(sy.weight_square, sy.decay, 0), sy.weight_start + sy.n * sy.eta**2
        ),
        derived=sp.limit(slow, sy.decay, 0),
        how="The limit λ → 0.",
        source=sources.WEIGHT_RMS,
    )


def _sign_momentum() -> Step:
    return Step(
        title="Momentum normalised to RMS one (SignSGD with momentum)",
        assumption=_DOUBLE + " The update is m/√(ρv), in the place of sign(m); β₃ → 1.",
        equation=equate(
            sy.weight_rms**2,
            sy.eta / (2 * sy.decay) * (1 + sy.beta1) / (1 - sy.beta1),
        ),
        derived=weight_rms_limit() ** 2 / momentum_factor(),
        how="The limit over ρ. The left side is a square: the article prints the RMS.",
        source=sources.WEIGHT_RMS,
        approximate=True,
    )


def _schedules() -> tuple[Step, ...]:
    low, high = sy.eta_min, sy.eta_max
    linear = low + (high - low) * sy.y
    cosine = low + (high - low) * (1 + sp.cos(sp.pi * sy.y)) / 2
    cases = (
        ("linear", linear, (low**2 + low * high + high**2) / 3),
        ("cosine", cosine, (3 * low**2 + 2 * low * high + 3 * high**2) / 8),
    )
    return tuple(
        Step(
            title=f"Mean of η² over a {name} schedule",
            assumption="The random walk ν = ∫η² dt of a schedule, per unit of time.",
            equation=equate(sy.eta_square_mean, claim),
            derived=sp.integrate(sp.expand(schedule**2), (sy.y, 0, 1)),
            how="Integrated by sympy.",
            source=sources.WEIGHT_RMS,
        )
        for name, schedule, claim in cases
    )
