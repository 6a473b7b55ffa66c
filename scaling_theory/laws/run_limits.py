"""The project's law of whole AdamW runs: noise kept by weight decay on one side, curvature on the
other.

Own derivation. Near its best learning rate the loss of a run falls by about the same G per unit
of ln eta (progress), and two costs grow:

    noise       G eta/eta_n       of the noise that AdamW averages over its last 1/(eta lambda)
                                  steps: eta_n is where that time is the best part of the run,
    curvature   G (eta/eta_c)^2   the second-order term of a step: eta_c is where it takes all.

Their sum is least against progress where 1 = eta/eta_n + (eta/eta_c)^2.

eta_n = eta_one B: the AdamW timescale B/(eta lambda D), as part of the run, has its best value
whatever B (Wang and Aitchison 2024, arXiv 2405.13698) and goes with tokens per parameter as
(D/N)^-0.52 (Bergsma et al. 2025, arXiv 2505.13738). So eta_one goes as N^-0.52 D^-0.48 at fixed
weight decay, D tokens and N parameters.

eta_c = eta_infinity sqrt(1 + K/B): Adam divides by sqrt(v), v = g^2 + sigma^2/B, so that noise
makes room for larger steps (the numerator of the canonical form, kexue.fm/archives/10563 section
2.5). eta_infinity goes as 1/width (muP, arXiv 2203.03466), so as N^-1/2 at fixed depth. K =
sigma^2/g^2 at the end of the run: with sign-like steps in noise the loss falls per token as g^2,
and as D^-(1+b) with the data exponent b = 0.28 of arXiv 2203.15556, so that K goes as D^1.28.
"""

from __future__ import annotations

import numpy as np

from scaling_theory.laws.form import Array

TIMESCALE_EXPONENT = -0.52
"""Of tokens per parameter in the best AdamW timescale: arXiv 2505.13738, rounded."""

NOISE_POWERS = {"n_params": TIMESCALE_EXPONENT, "tokens": -1 - TIMESCALE_EXPONENT}
"""Of eta_one, in n_params and tokens, at fixed weight decay."""

CURVATURE_POWERS = {"n_params": -0.5}
"""Of eta_infinity: 1/width, N as width squared."""

SATURATION_POWERS = {"tokens": 1.28}
"""Of saturation_batch: one more than the data exponent of the loss, arXiv 2203.15556."""


def noise_and_curvature(
    B: Array, eta_one: Array, eta_infinity: Array, saturation_batch: Array
) -> Array:
    """The eta of 1 = eta/(eta_one B) + (eta/eta_c)^2, eta_c = eta_infinity sqrt(1 + K/B).

    eta_one: B and eta in the small-batch limit eta_one B. saturation_batch: K, unit of B.
    """
    curvature = eta_infinity * np.sqrt(1 + saturation_batch / B)
    ratio = curvature / (eta_one * B)
    # The positive root, in the form that loses no digits for a large ratio.
    return np.asarray(2 * curvature / (ratio + np.sqrt(ratio**2 + 4)))
