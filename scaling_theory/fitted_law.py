"""A fitted law eta*(B): its parameters with covariance, what was held fixed, and its domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from scaling_theory.canonical import CanonicalLaw
from scaling_theory.errors import InputError, require_positive
from scaling_theory.estimate import Estimate
from scaling_theory.transfer.curves import linear_saturating, surge_curve
from scaling_theory.transfer.situation import HOLDS, Hold
from scaling_theory.units import UNITS, BatchSize, Unit


@dataclass(frozen=True)
class LawForm:
    """A shape of eta*(B). parameters: names in order; learning_rate(B, *parameters)."""

    name: str
    formula: str
    source: str
    parameters: tuple[str, ...]
    learning_rate: Callable[..., float]


LAW_FORMS: dict[str, LawForm] = {
    form.name: form
    for form in (
        LawForm(
            "power",
            "eta = eta_one B^exponent",
            "no theory: orientation",
            ("eta_one", "exponent"),
            lambda B, eta_one, exponent: float(eta_one * B**exponent),
        ),
        LawForm(
            "linear saturating",
            "eta = eta_infinity / (1 + noise_batch/B)",
            "arXiv 1812.06162 section 2.2",
            ("eta_infinity", "noise_batch"),
            lambda B, eta, noise: float(eta * linear_saturating(B, noise)),
        ),
        LawForm(
            "surge",
            "eta = 2 eta_peak / (sqrt(peak_batch/B) + sqrt(B/peak_batch))",
            "arXiv 2405.14578, theorem 3",
            ("eta_peak", "peak_batch"),
            lambda B, eta, peak: float(eta * surge_curve(B, peak)),
        ),
        LawForm(
            "canonical",
            "eta = eta_infinity sqrt(1 + saturation_batch/B) / (1 + noise_batch/B)",
            "kexue.fm/archives/10563 section 2.5; own derivation of this form",
            ("eta_infinity", "noise_batch", "saturation_batch"),
            lambda B, eta, noise, k: CanonicalLaw(eta, noise, k).learning_rate(B),
        ),
    )
}


@dataclass(frozen=True)
class FittedLaw:
    """A law form with fitted parameters.

    form: key of LAW_FORMS. parameters: by name, in the form's order. covariance: in the
    same order, [k, k]. held_fixed: what the fitted runs had in common. smallest, largest:
    batch sizes fitted, in `unit`. sequence_length: tokens per sequence, None where unknown.
    data_sha256: of
    the table that was fitted.
    """

    form: str
    parameters: dict[str, float]
    covariance: NDArray[np.float64]
    held_fixed: Hold
    smallest: float
    largest: float
    unit: Unit
    sequence_length: int | None
    data_sha256: str

    def __post_init__(self) -> None:
        if self.form not in LAW_FORMS:
            known = ", ".join(LAW_FORMS)
            raise InputError(f"law is '{self.form}'; one of {known} is wanted")
        wanted = LAW_FORMS[self.form].parameters
        if tuple(self.parameters) != wanted:
            came = ", ".join(self.parameters)
            raise InputError(f"parameters are {came}; {', '.join(wanted)} in this order are wanted")
        if not all(isfinite(value) for value in self.parameters.values()):
            raise InputError("a parameter is not a finite number: fit again")
        if self.covariance.shape != (len(wanted),) * 2 or not np.isfinite(self.covariance).all():
            raise InputError(f"covariance has shape {self.covariance.shape}; one row per parameter")
        # Scaled to correlations first: parameters differ by many orders of magnitude.
        scale = np.sqrt(np.abs(np.diag(self.covariance)))
        scale[scale == 0] = 1.0
        if np.linalg.eigvalsh(self.covariance / np.outer(scale, scale))[0] < -1e-6:
            raise InputError("covariance is not positive semidefinite: fit again")
        if self.held_fixed not in HOLDS:
            raise InputError(f"held_fixed is '{self.held_fixed}'; one of {', '.join(HOLDS)} wanted")
        if self.unit not in UNITS:
            raise InputError(f"unit is '{self.unit}'; one of {', '.join(UNITS)} is wanted")
        require_positive(self.smallest, "smallest batch of the law", "state the fitted range")
        if not self.smallest <= self.largest < float("inf"):
            raise InputError(
                f"the law's batches are {self.smallest:g} to {self.largest:g}; ascending"
            )

    def in_unit(self, batch: BatchSize) -> float:
        """`batch` in the law's unit; `UnitError` where it has no such measure."""
        reference = BatchSize(1.0, self.unit, self.sequence_length)
        return batch.over(reference)

    def learning_rate(self, batch_size: float) -> Estimate:
        """eta*(B), B in `unit`, with the standard error of the fit (delta method)."""
        require_positive(batch_size, "batch size", "give it with its unit")
        form = LAW_FORMS[self.form]
        values = [self.parameters[name] for name in form.parameters]
        value = form.learning_rate(batch_size, *values)
        if not (isfinite(value) and value > 0):
            raise InputError(f"the law gives {value:g} at batch size {batch_size:g}: fit it again")
        slopes = np.zeros(len(values))
        for i, parameter in enumerate(values):
            # Central differences: relative error of the order 1e-8, far below any fit's own.
            step = 1e-4 * abs(parameter) or 1e-8
            above = form.learning_rate(batch_size, *values[:i], parameter + step, *values[i + 1 :])
            below = form.learning_rate(batch_size, *values[:i], parameter - step, *values[i + 1 :])
            slopes[i] = (above - below) / (2 * step)
        variance = float(slopes @ self.covariance @ slopes)
        return Estimate(value, sqrt(max(variance, 0.0)), 0)

    def outside(self, batch_size: float) -> str:
        """Empty inside the fitted range, else a sentence that says how far outside."""
        if self.smallest <= batch_size <= self.largest:
            return ""
        span = f"{self.smallest:g} to {self.largest:g}"
        return f"batch size {batch_size:g} {self.unit} is outside the fitted {span}: extrapolated"
