"""Is epsilon active? Where a network's coordinates stand against it, at any batch and model size.

Adam's sqrt(v) settles where v = g^2 + sigma^2/B (slow average, state held). A coordinate with
sqrt(v) far above epsilon moves like a sign, far below like SGD with learning rate eta/epsilon; it
makes no difference whether epsilon stands inside or outside the root. At a fixed gradient norm a
model of m times the parameters has |g| and sigma smaller by sqrt(m) per coordinate
(kexue.fm/archives/10563 section 2.1). B_epsilon = (sigma/epsilon)^2 is where the noise of a
batch falls below epsilon (own derivation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scaling_theory.errors import InputError, require_not_negative, require_positive

Array = NDArray[np.float64]
Regime = Literal["sign-like", "crossover", "SGD-like"]
REGIMES: tuple[Regime, ...] = get_args(Regime)

EDGE = 0.1
"""Sign-like: at most this share of the coordinates has sqrt(v) < epsilon; SGD-like: at most this
share has not. A convention."""

QUANTILES = (0.1, 0.5, 0.9)
_GRADIENT_NODES, _SIGMA_NODES = 400, 100

EXTREME = 1e100
"""Beyond it (batch sizes and model scales also below its inverse) squares leave the numbers."""

_LARGEST = 1e120
"""Of a coordinate, which may well be larger than the root mean square."""

WIDEST_SPREAD = 10.0
"""Of ln sigma: by then single coordinates hold all of the noise, and wider ones change nothing."""


@dataclass(frozen=True)
class Place:
    """The audit at one batch size and model scale.

    model_scale: parameters over those measured. below_root_v, below_gradient: shares of the live
    coordinates with sqrt(v) < epsilon and |g| < epsilon. sign_like_up_to, sgd_like_from: the
    epsilons between which lies the crossover; epsilon's own unit.
    """

    batch_size: float
    model_scale: float
    below_root_v: float
    below_gradient: float
    regime: Regime
    sign_like_up_to: float
    sgd_like_from: float


@dataclass(frozen=True)
class EpsilonAudit:
    """epsilon: unit of a gradient. coordinates: all; dead: share with g = sigma = 0, left out.

    epsilon_batch: B_epsilon with the rms sigma over coordinates with sigma > 0, in sequences.
    epsilon_batch_quantiles: the 10, 50 and 90 % quantiles of (sigma_i/epsilon)^2 over the same.
    sign_like_up_to_batch, sgd_like_from_batch: for the model as measured; infinity is never.
    places: every batch size at every model scale, in the order given.
    """

    epsilon: float
    coordinates: int
    dead: float
    epsilon_batch: float
    epsilon_batch_quantiles: tuple[float, float, float]
    sign_like_up_to_batch: float
    sgd_like_from_batch: float
    places: tuple[Place, ...]


def audit_epsilon(
    gradient: NDArray[np.floating],
    sigma: NDArray[np.floating],
    epsilon: float,
    batch_sizes: Sequence[float],
    model_scales: Sequence[float] = (1.0,),
) -> EpsilonAudit:
    """Audit coordinates [P]: g and sigma (per sequence), unit of a gradient; B in sequences.

    Raises `InputError` for shapes that differ, values not finite, sigma < 0, only dead
    coordinates, batch sizes and scales that are not positive, and numbers beyond `EXTREME`.
    """
    g, s = _checked(gradient, sigma)
    _at_most(epsilon, EXTREME, "epsilon", "give the optimizer's, such as 1e-8")
    for batch in batch_sizes:
        _moderate(batch, "batch size", "give it in sequences")
    for scale in model_scales:
        _moderate(scale, "model scale", "give parameters over those measured, such as 10")
    live = (g > 0) | (s > 0)
    if not live.any():
        raise InputError("every coordinate has g = sigma = 0: measure a batch that has a gradient")
    g, s = g[live], s[live]
    crossing = _crossing_batches(g, s, epsilon)
    noisy = s[s > 0] if (s > 0).any() else np.zeros(1)
    low, middle, high = (_over_epsilon(float(q), epsilon) for q in np.quantile(noisy, QUANTILES))
    return EpsilonAudit(
        epsilon=epsilon,
        coordinates=live.size,
        dead=1.0 - float(live.mean()),
        epsilon_batch=_over_epsilon(sqrt(float(np.mean(noisy**2))), epsilon),
        epsilon_batch_quantiles=(low, middle, high),
        sign_like_up_to_batch=_quantile(crossing, EDGE),
        sgd_like_from_batch=_quantile(crossing, 1 - EDGE),
        places=tuple(
            _place(g, s, epsilon, batch, scale) for scale in model_scales for batch in batch_sizes
        ),
    )


def representative_coordinates(
    rms_gradient: float, rms_sigma: float, sigma_spread: float = 0.0
) -> tuple[Array, Array]:
    """Equally likely (g, sigma) pairs of a model network, [n] each, for want of vectors.

    g is normal over the coordinates with the given rms, ln(sigma) normal with standard deviation
    `sigma_spread` and the given rms, the two independent (own modelling). With epsilon as unit
    the inputs are dimensionless.
    """
    _at_most(rms_gradient, EXTREME, "rms gradient", "give g/epsilon")
    _at_most(rms_sigma, EXTREME, "rms sigma", "give sigma/epsilon")
    _at_most(sigma_spread, WIDEST_SPREAD, "sigma spread", "0 means the same sigma everywhere")
    gradients = rms_gradient * _with_unit_rms(_normal_nodes(_GRADIENT_NODES))
    sigmas = rms_sigma * _with_unit_rms(np.exp(sigma_spread * _normal_nodes(_SIGMA_NODES)))
    pairs = np.meshgrid(gradients, sigmas, indexing="ij")
    return pairs[0].ravel(), pairs[1].ravel()


def _at_most(value: float, most: float, name: str, advice: str) -> None:
    require_not_negative(value, name, advice)
    if value > most:
        raise InputError(f"{name} is {value:g}; at most {most:g} is wanted: {advice}")


def _moderate(value: float, name: str, advice: str) -> None:
    require_positive(value, name, advice)
    if not 1 / EXTREME <= value <= EXTREME:
        raise InputError(f"{name} is {value:g}; {1 / EXTREME:g} to {EXTREME:g} is wanted: {advice}")


def _normal_nodes(count: int) -> Array:
    normal = NormalDist()
    return np.array([normal.inv_cdf((k + 0.5) / count) for k in range(count)])


def _with_unit_rms(nodes: Array) -> Array:
    # Nodes at quantiles cut the tails off: without this their mean square would be low.
    return nodes / sqrt(float(np.mean(nodes**2)))


def _place(g: Array, s: Array, epsilon: float, batch: float, scale: float) -> Place:
    root_v = np.hypot(g, s / sqrt(batch)) / sqrt(scale)
    below = float(np.mean(root_v < epsilon))
    low, high = (float(q) for q in np.quantile(root_v, (EDGE, 1 - EDGE)))
    return Place(
        batch_size=batch,
        model_scale=scale,
        below_root_v=below,
        below_gradient=float(np.mean(g / sqrt(scale) < epsilon)),
        regime="sign-like" if below <= EDGE else "SGD-like" if below >= 1 - EDGE else "crossover",
        sign_like_up_to=low,
        sgd_like_from=high,
    )


def _crossing_batches(g: Array, s: Array, epsilon: float) -> Array:
    """B above which sqrt(v) < epsilon, sigma^2 / (epsilon^2 - g^2); infinity where |g| >= eps."""
    room = epsilon**2 - g**2
    # A batch beyond the largest number is as good as never, which infinity stands for.
    with np.errstate(over="ignore"):
        crossing: Array = np.divide(s**2, room, out=np.full(g.shape, inf), where=room > 0)
    return crossing


def _quantile(values: Array, share: float) -> float:
    # Of sorted values, not interpolated: infinities would make NaN.
    return float(np.quantile(values, share, method="lower"))


def _over_epsilon(sigma: float, epsilon: float) -> float:
    ratio = inf if epsilon == 0 else sigma / epsilon
    return ratio * ratio  # a power would raise where the square is beyond the largest number


def _checked(gradient: NDArray[np.floating], sigma: NDArray[np.floating]) -> tuple[Array, Array]:
    g, s = np.abs(gradient, dtype=np.float64).ravel(), np.asarray(sigma, dtype=np.float64).ravel()
    if g.shape != s.shape or not g.size:
        raise InputError(f"{g.size} gradients and {s.size} sigmas came; as many of each wanted")
    if not (np.isfinite(g).all() and np.isfinite(s).all() and (s >= 0).all()):
        raise InputError("a gradient or sigma is not finite, or a sigma negative: measure again")
    if max(g.max(), s.max()) > _LARGEST:
        raise InputError(f"a gradient or sigma is above {_LARGEST:g}: measure again")
    return g, s
