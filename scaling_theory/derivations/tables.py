"""Tables of the theory document, computed: errors of the approximations, and vanishing surges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling_theory import closed_averages
from scaling_theory.moments import softsign_moments

__all__ = [
    "LargestError",
    "Table",
    "error_table",
    "largest_errors",
    "noise_limit",
    "noise_table",
    "surge_ratios",
    "surge_table",
]

Array = NDArray[np.float64]

# Signal over noise a = g/s and softness b = epsilon/s; b = 0 is the sign.
_SIGNALS = np.concatenate([[0.0], np.geomspace(1e-2, 1e4, 601)])
_SOFTNESSES = np.concatenate([[0.0], np.geomspace(1e-2, 1e4, 601)])
_RATIO = 8.0
"""Q / T at epsilon = 0 in the table of surges."""


@dataclass(frozen=True)
class Table:
    """A table ready to print. note: how it was computed and what to read in it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


@dataclass(frozen=True)
class LargestError:
    """Largest absolute error of one moment of one approximation, and where, a = g/s, b = eps/s."""

    approximation: str
    moment: str
    error: float
    signal: float
    softness: float


def _approximations() -> dict[str, tuple[Array, Array, Array]]:
    """Mean, second moment and s * gain, each [a, b], of every approximation; s = 1."""
    a, b = np.meshgrid(_SIGNALS, _SOFTNESSES, indexing="ij")
    found = {}
    for name, constant in (("algebraic, c = π/2", math.pi / 2), ("algebraic, c = 1", 1.0)):
        found[name] = (
            closed_averages.algebraic_mean(
                gradient=a, noise=1.0, epsilon=b, shape_constant=constant
            ),
            closed_averages.algebraic_second_moment(
                gradient=a, noise=1.0, epsilon=b, shape_constant=constant
            ),
            closed_averages.algebraic_gain(
                gradient=a, noise=1.0, epsilon=b, shape_constant=constant
            ),
        )
    clip = softsign_moments(a, 1.0, b, "clip")
    found["clip, exact moments"] = (clip.mean, clip.second, clip.gain)
    return found


def largest_errors() -> tuple[LargestError, ...]:
    """Every approximation against the exact moments of the softsign, on a grid of a and b."""
    a, b = np.meshgrid(_SIGNALS, _SOFTNESSES, indexing="ij")
    exact = softsign_moments(a, 1.0, b)
    truth = {"mean": exact.mean, "second moment": exact.second, "gain × s": exact.gain}
    found = []
    for name, moments in _approximations().items():
        for (moment, true), approximate in zip(truth.items(), moments, strict=True):
            error = np.abs(approximate - true)
            row, column = np.unravel_index(int(np.argmax(error)), error.shape)
            found.append(
                LargestError(
                    name,
                    moment,
                    float(error[row, column]),
                    float(_SIGNALS[row]),
                    float(_SOFTNESSES[column]),
                )
            )
    return tuple(found)


def noise_limit(
    softnesses: tuple[float, ...] = (5.0, 20.0, 100.0), signal: float = 1.0
) -> dict[str, Array]:
    """b^2 Var(u), which is 1 for SGD, at large b and a = `signal`, per approximation."""
    b = np.array(softnesses)
    a = np.full_like(b, signal)
    variances = {
        "exact": softsign_moments(a, 1.0, b).variance,
        "clip, exact moments": softsign_moments(a, 1.0, b, "clip").variance,
    }
    for variant, name in (
        ("mean_field_pi_half", "algebraic, c = π/2"),
        ("mean_field_one", "algebraic, c = 1"),
    ):
        alone = softsign_moments(a[:, None], 1.0, b[:, None], variant)
        variances[name] = alone.variance[:, 0]
    return {name: b**2 * variance for name, variance in variances.items()}


def surge_ratios(
    epsilons: tuple[float, ...] = (0.0, 0.3, 1.0, 1.5, 2.0, 3.0, 3.6, 10.0),
) -> dict[str, Array]:
    """Peak of eta*(B) over its plateau, coordinates alike, independent noise, per epsilon / g.

    eta* is mu / (V + Lambda mu^2) up to a constant; B runs over 1 / s^2, plateau at s = 0.
    """
    s = np.geomspace(1e-3, 1e4, 4001)
    found = {}
    for name, variant in (("exact", "exact"), ("mean field, any c", "mean_field_one")):
        ratios = []
        for epsilon in epsilons:
            moments = softsign_moments(np.ones((s.size, 1)), s[:, None], epsilon, variant)
            mean, variance = moments.mean[:, 0], moments.variance[:, 0]
            plateau = math.hypot(1.0, epsilon) / _RATIO
            ratios.append(max(1.0, float((mean / (variance + _RATIO * mean**2)).max()) / plateau))
        found[name] = np.array(ratios)
    return found


def error_table() -> Table:
    """Largest errors of the approximations, as a table."""
    rows = tuple(
        (
            found.approximation,
            found.moment,
            f"{found.error:.3f}",
            f"{found.signal:.2g}",
            f"{found.softness:.2g}",
        )
        for found in largest_errors()
    )
    return Table(
        "Largest error against the exact moments of the softsign",
        ("approximation", "moment", "largest error", "at g/s", "at ε/s"),
        rows,
        "Over a grid of 602 × 602 values of g/s and ε/s (0, then 0.01 to 10000). The mean with "
        "c = π/2 is worst for the sign (ε = 0), its second moment at ε of the size of the noise; "
        "the clip is worst without noise at g = ε, where it is 1 and the softsign 1/√2.",
    )


def noise_table() -> Table:
    """What becomes of the noise at large epsilon, as a table."""
    softnesses = (5.0, 20.0, 100.0)
    return Table(
        "Variance at large ε over that of SGD",
        ("moments", *(f"ε/s = {b:g}" for b in softnesses)),
        tuple(
            (name, *(f"{value:.4f}" for value in values))
            for name, values in noise_limit(softnesses).items()
        ),
        "ε²Var(u)/s² at g = s; SGD has 1. The article's c = π/2 tends to π/2.",
    )


def surge_table() -> Table:
    """How a surge goes away as epsilon grows, as a table."""
    epsilons = (0.0, 0.3, 1.0, 1.5, 2.0, 3.0, 3.6, 10.0)
    return Table(
        "Peak of η*(B) over its plateau as ε grows",
        ("moments", *(f"ε/g = {epsilon:g}" for epsilon in epsilons)),
        tuple(
            (name, *(f"{value:.3f}" for value in values))
            for name, values in surge_ratios(epsilons).items()
        ),
        "All coordinates alike, independent noise, Q/T = 8 at ε = 0. The mean field loses "
        "its surge at ε/g = √3 = 1.73 (Q = 2T), the exact moments only at √12 = 3.46 "
        "(ε² = 3Λg²/2, see `surge-vanishes`).",
    )
