"""Ways to make a noisy quadratic: a spectrum, a noise shape, a starting point, a rotation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scaling_theory.errors import InputError
from scaling_theory.laboratory.quadratic import FloatArray, NoisyQuadratic

NoiseShape = Callable[[FloatArray, np.random.Generator], FloatArray]
"""(hessian [P] or [P, P], rng) -> covariance [P] or [P, P], of any overall scale."""


def power_law_spectrum(size: int, exponent: float, largest: float = 1.0) -> FloatArray:
    """h_k = largest k^(-exponent), k = 1..size, [size]."""
    if size < 1 or largest <= 0:
        raise InputError(f"size {size}, largest {largest}; wanted size >= 1 and largest > 0")
    return largest * np.arange(1, size + 1, dtype=np.float64) ** -exponent


def log_spaced_spectrum(size: int, smallest: float, largest: float) -> FloatArray:
    """h from `smallest` to `largest`, equally spaced in the logarithm, [size]."""
    if size < 1 or not 0 < smallest <= largest:
        raise InputError(f"{smallest=}, {largest=}, {size=}; wanted 0 < smallest <= largest")
    return np.geomspace(smallest, largest, size)


def equicorrelated(size: int, correlation: float) -> FloatArray:
    """(1 - c) I + c 1 1^T, [P, P]: every pair of coordinates related alike."""
    if not -1.0 / max(size - 1, 1) <= correlation <= 1.0:
        raise InputError(
            f"correlation {correlation} of {size} coordinates; not a correlation matrix"
        )
    return (1.0 - correlation) * np.eye(size) + correlation


def independent_noise(spread: float = 0.0) -> NoiseShape:
    """Diagonal covariance; ln sigma_i is normal with standard deviation `spread` (0: isotropic)."""

    def shape(hessian: FloatArray, rng: np.random.Generator) -> FloatArray:
        return np.exp(2.0 * spread * rng.standard_normal(len(hessian)))

    return shape


def aligned_noise(power: float = 1.0) -> NoiseShape:
    """Sigma proportional to H^power (power 1: the Fisher-like case); H must be positive."""

    def shape(hessian: FloatArray, rng: np.random.Generator) -> FloatArray:
        if hessian.ndim == 1:
            return hessian**power
        values, vectors = np.linalg.eigh(hessian)
        if values[0] <= 0:
            raise InputError(f"eigenvalue {values[0]:.3g} of H; aligned noise wants all above 0")
        return symmetric((vectors * values**power) @ vectors.T)

    return shape


def low_rank_noise(rank: int, share: float, along_hessian: bool = False) -> NoiseShape:
    """Low rank plus diagonal: `share` of the variance in `rank` directions, the rest isotropic.

    The directions are the sharpest eigenvectors of H (`along_hessian`) or random ones.
    """
    if rank < 1 or not 0 <= share <= 1:
        raise InputError(f"rank {rank}, share {share}; wanted rank >= 1 and 0 <= share <= 1")

    def shape(hessian: FloatArray, rng: np.random.Generator) -> FloatArray:
        size = len(hessian)
        if rank > size:
            raise InputError(f"rank {rank} of noise in {size} coordinates; wanted at most {size}")
        if along_hessian:
            dense = np.diag(hessian) if hessian.ndim == 1 else hessian
            directions = np.linalg.eigh(dense)[1][:, -rank:]
        else:
            directions = random_rotation(size, rng)[:, :rank]
        return symmetric(
            share / rank * directions @ directions.T + (1 - share) / size * np.eye(size)
        )

    return shape


def random_rotation(size: int, rng: np.random.Generator) -> FloatArray:
    """A rotation drawn uniformly (QR of a Gaussian matrix, signs fixed), [size, size]."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diagonal(r)), dtype=np.float64)


def make_quadratic(
    spectrum: FloatArray,
    noise: NoiseShape,
    *,
    noise_to_signal: float,
    rotated: bool,
    rng: np.random.Generator,
    start: FloatArray | None = None,
) -> NoisyQuadratic:
    """A problem with the given eigenvalues, noise shape and B_simple.

    spectrum: eigenvalues of H, [P]. rotated: turn H by a random rotation (otherwise H is
    diagonal). start: theta in the eigenbasis of H, [P] (default: standard normal draws); the
    optimum is the origin. noise_to_signal: B_simple = Tr Sigma / |g|^2, in sequences; it fixes the
    scale of the covariance. Raises InputError for a vanishing gradient or a negative ratio.
    """
    spectrum = np.asarray(spectrum, dtype=np.float64)
    size = spectrum.size
    if not noise_to_signal >= 0:
        raise InputError(f"noise_to_signal {noise_to_signal}; wanted B_simple >= 0, in sequences")
    theta = rng.standard_normal(size) if start is None else np.asarray(start, dtype=np.float64)
    hessian = spectrum
    if rotated:
        rotation = random_rotation(size, rng)
        hessian = symmetric((rotation * spectrum) @ rotation.T)
        theta = rotation @ theta
    covariance = noise(hessian, rng)
    gradient = hessian @ theta if rotated else hessian * theta
    power = float(gradient @ gradient)
    if power == 0:
        raise InputError("the gradient vanishes at theta; move theta away from the optimum")
    total = float(np.sum(covariance if covariance.ndim == 1 else np.diagonal(covariance)))
    return NoisyQuadratic(
        hessian, covariance * (noise_to_signal * power / total), theta, np.zeros(size)
    )


def symmetric(matrix: FloatArray) -> FloatArray:
    """(M + M^T) / 2: removes the rounding-level asymmetry of a product."""
    return 0.5 * (matrix + matrix.T)
