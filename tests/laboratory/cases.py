"""Problems that the laboratory's tests share, by name."""

from __future__ import annotations

import numpy as np

from scaling_theory.laboratory import (
    NoiseShape,
    NoisyQuadratic,
    aligned_noise,
    independent_noise,
    low_rank_noise,
    make_quadratic,
    power_law_spectrum,
)

NOISES: dict[str, NoiseShape] = {
    "independent": independent_noise(0.5),
    "isotropic": independent_noise(),
    "aligned": aligned_noise(1.0),
    "strongly aligned": aligned_noise(2.0),
    "low rank": low_rank_noise(2, 0.8),
    "low rank, sharp": low_rank_noise(1, 0.7, along_hessian=True),
}


def problem(
    noise: str, *, size: int = 12, rotated: bool = True, b_simple: float = 30.0, seed: int = 5
) -> NoisyQuadratic:
    """Spectrum 1/k, the named noise, B_simple in sequences."""
    return make_quadratic(
        power_law_spectrum(size, 1.0),
        NOISES[noise],
        noise_to_signal=b_simple,
        rotated=rotated,
        rng=np.random.default_rng(seed),
    )
