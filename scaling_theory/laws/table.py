"""The laws that can be fitted: one entry each, formula and parameters and source."""

from __future__ import annotations

import numpy as np

from scaling_theory.closed_averages import mean_field_beta
from scaling_theory.closed_forms import (
    canonical_learning_rate,
    sgd_learning_rate,
    surge_learning_rate,
)
from scaling_theory.laws import curves
from scaling_theory.laws.form import LawForm, Parameter
from scaling_theory.laws.run_limits import noise_and_curvature

_ONE = Parameter("eta_one", "learning rate", "learning rate at batch size 1")
_LARGE = Parameter("eta_infinity", "learning rate", "learning rate at infinite batch")
_NOISE = Parameter("noise_batch", "batch size", "where noise and signal curvature are equal")
_SATURATION = Parameter("saturation_batch", "batch size", "K = c kappa^2, where beta^2 is 1/2")

LAW_FORMS: dict[str, LawForm] = {
    form.name: form
    for form in (
        LawForm(
            "constant",
            "eta = eta_constant",
            "arXiv 1812.06162 section 2.2, both batches far above the noise batch",
            (Parameter("eta_constant", "learning rate", "at every batch size"),),
            lambda B, eta: eta * np.ones_like(B),
        ),
        LawForm(
            "power",
            "eta = eta_one B^exponent",
            "no theory: orientation",
            (_ONE, Parameter("exponent", "exponent", "logarithmic slope", -3, 3)),
            curves.power,
        ),
        LawForm(
            "linear",
            "eta = eta_one B",
            "arXiv 1706.02677; kexue.fm/archives/10542 section 1",
            (_ONE,),
            lambda B, eta: curves.power(B, eta, 1.0),
        ),
        LawForm(
            "square root",
            "eta = eta_one sqrt(B)",
            "arXiv 1404.5997; kexue.fm/archives/10542 section 1",
            (_ONE,),
            lambda B, eta: curves.power(B, eta, 0.5),
        ),
        LawForm(
            "square root saturating",
            "eta = eta_infinity / sqrt(1 + saturation_batch/B)",
            "kexue.fm/archives/10542 section 2 (signs, diagonal curvature)",
            (_LARGE, _SATURATION),
            lambda B, eta, k: eta * mean_field_beta(kappa2=k, shape_constant=1.0, batch_size=B),
        ),
        LawForm(
            "linear saturating",
            "eta = eta_infinity / (1 + noise_batch/B)",
            "arXiv 1812.06162 section 2.2",
            (_LARGE, _NOISE),
            lambda B, eta, noise: sgd_learning_rate(eta_max=eta, noise_batch=noise, batch_size=B),
        ),
        LawForm(
            "saturating",
            "eta = eta_infinity / (1 + noise_batch/B)^exponent",
            "kexue.fm/archives/10542, quoted there as a guess of arXiv 1812.06162 for Adam",
            (_LARGE, _NOISE, Parameter("exponent", "exponent", "slope at small batch", 0.02, 3)),
            curves.saturating,
        ),
        LawForm(
            "surge",
            "eta = 2 eta_peak / (sqrt(peak_batch/B) + sqrt(B/peak_batch))",
            "arXiv 2405.14578, theorem 3",
            (
                Parameter("eta_peak", "learning rate", "the largest"),
                Parameter("peak_batch", "batch size", "where it is the largest"),
            ),
            lambda B, eta, peak: surge_learning_rate(eta_max=eta, noise_batch=peak, batch_size=B),
        ),
        LawForm(
            "canonical",
            "eta = eta_infinity sqrt(1 + saturation_batch/B) / (1 + noise_batch/B)",
            "kexue.fm/archives/10563 section 2.5; own derivation of this form",
            (_LARGE, _NOISE, _SATURATION),
            lambda B, eta, noise, k: canonical_learning_rate(
                eta_infinity=eta, noise_batch=noise, saturation_batch=k, batch_size=B
            ),
        ),
        LawForm(
            "canonical epsilon",
            "eta = eta_infinity sqrt(1 + (epsilon/epsilon_scale)^2 + saturation_batch/B) "
            "/ (1 + noise_batch/B)",
            "kexue.fm/archives/10563 section 2.5, |g_i| alike; own derivation of this form",
            (
                _LARGE,
                _NOISE,
                _SATURATION,
                Parameter("epsilon_scale", "epsilon", "|g| per coordinate"),
            ),
            curves.canonical_epsilon,
            epsilon=True,
        ),
        LawForm(
            "two groups",
            "eta = eta_infinity (b1 + s b2) / (q(b1) + s q(b2)), b_k = (1 + K_k/B)^(-1/2), "
            "q(b) = b^2 + t (1 - b^2)",
            "kexue.fm/archives/10563 section 2.5, one beta per group; own derivation",
            (
                _LARGE,
                Parameter("noise_ratio", "ratio", "t = T/Q, the same in both groups", 1e-4, 10.0),
                Parameter("first_saturation", "batch size", "K of the first group"),
                Parameter("saturation_ratio", "ratio", "K of the second over the first", 1.0, 1e6),
                Parameter("second_share", "ratio", "s, descent of second over first", 1e-3, 1e3),
            ),
            curves.two_groups,
        ),
        LawForm(
            "two slopes",
            "eta = 2 eta_break / ((break_batch/B)^rise + (B/break_batch)^fall)",
            "no theory: orientation; rise = fall = 1/2 is arXiv 2405.14578, theorem 3",
            (
                Parameter("eta_break", "learning rate", "where both terms are equal"),
                Parameter("break_batch", "batch size", "where both terms are equal"),
                Parameter("rise", "exponent", "slope below the break", -0.5, 3),
                Parameter("fall", "exponent", "minus the slope above it", -0.5, 3),
            ),
            curves.two_slopes,
        ),
        LawForm(
            "noise and curvature",
            "1 = eta/(eta_one B) + (eta/eta_c)^2, "
            "eta_c = eta_infinity sqrt(1 + saturation_batch/B)",
            "own derivation (scaling_theory.laws.run_limits); arXiv 2405.13698, 2505.13738",
            (
                Parameter("eta_one", "learning rate", "slope over B where noise decides"),
                Parameter("eta_infinity", "learning rate", "where curvature alone decides"),
                _SATURATION,
            ),
            noise_and_curvature,
        ),
    )
}
