"""A fitted law eta*(B): its parameters with covariance, what was held fixed, and its domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, hypot, inf, isfinite, log, sqrt

import numpy as np
from numpy.typing import NDArray

from scaling_theory.errors import InputError, require_not_negative, require_positive
from scaling_theory.estimate import Estimate
from scaling_theory.laws.form import LawForm
from scaling_theory.laws.table import LAW_FORMS
from scaling_theory.transfer.situation import HOLDS, Hold
from scaling_theory.units import UNITS, BatchSize, Unit

__all__ = ["LAW_FORMS", "FittedLaw", "LawForm"]

NORMAL_95 = 1.96
MOST_KNOWN = 100.0
"""Half of a 95 % interval of ln eta*, beyond which no number is given."""


@dataclass(frozen=True)
class FittedLaw:
    """A law form with fitted parameters.

    form: key of LAW_FORMS. parameters: by name, in the form's order, each where every covariate
        has its reference value; then, in any order, "<parameter> <covariate>": the power with
        which that parameter goes with that covariate (added to an exponent: per unit of its
        logarithm). covariance: in the same order, [k, k].
    held_fixed: what the fitted runs had in common. smallest, largest: batch sizes fitted, in
        `unit`. sequence_length: tokens per sequence, None where unknown.
    data_sha256: of the table that was fitted.
    references: of every covariate, in its own unit. spans: its smallest and largest fitted value.
    scatter: standard deviation of ln eta* of single optima around the law, beside its own error;
        where it is known badly, the root mean square of what it may be.
    at_bound: parameters whose fit ended at a limit of its search. The law is then one of its
        limits, and the covariance takes them as exactly known: intervals may be too narrow.
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
    references: dict[str, float] = field(default_factory=dict)
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    scatter: float = 0.0
    at_bound: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.form not in LAW_FORMS:
            known = ", ".join(LAW_FORMS)
            raise InputError(f"law is '{self.form}'; one of {known} is wanted")
        wanted = LAW_FORMS[self.form].parameters
        if tuple(self.parameters)[: len(wanted)] != wanted:
            came = ", ".join(self.parameters)
            raise InputError(f"parameters are {came}; {', '.join(wanted)} in this order are wanted")
        for name in tuple(self.parameters)[len(wanted) :]:
            parameter, _, covariate = name.partition(" ")
            if parameter not in wanted or covariate not in self.references:
                raise InputError(
                    f"'{name}' is neither a parameter of '{self.form}' nor one with a covariate "
                    "that has a reference: fit again"
                )
        strange = [name for name in self.at_bound if name not in self.parameters]
        if strange:
            raise InputError(f"'{strange[0]}' ended at a limit and is no parameter: fit again")
        if not all(isfinite(value) for value in self.parameters.values()):
            raise InputError("a parameter is not a finite number: fit again")
        for term in LAW_FORMS[self.form].terms:
            if term.positive:
                require_positive(self.parameters[term.name], term.name, "fit again")
        for name, value in self.references.items():
            require_positive(value, f"reference of {name}", "fit again")
            low, high = self.spans.get(name, (inf, 0.0))
            if not 0 < low <= high < inf:
                raise InputError(f"{name} has a reference and no ascending span: fit again")
        require_not_negative(self.scatter, "scatter of the law", "fit again")
        self._check_covariance()
        if self.held_fixed not in HOLDS:
            raise InputError(f"held_fixed is '{self.held_fixed}'; one of {', '.join(HOLDS)} wanted")
        length = self.sequence_length
        if length is not None and not (isinstance(length, int) and length >= 1):
            raise InputError(f"sequence_length is {length!r}; a whole number of tokens is wanted")
        if self.unit not in UNITS:
            raise InputError(f"unit is '{self.unit}'; one of {', '.join(UNITS)} is wanted")
        require_positive(self.smallest, "smallest batch of the law", "state the fitted range")
        if not self.smallest <= self.largest < float("inf"):
            raise InputError(
                f"the law's batches are {self.smallest:g} to {self.largest:g}; ascending"
            )

    def _check_covariance(self) -> None:
        wanted = (len(self.parameters),) * 2
        if self.covariance.shape != wanted or not np.isfinite(self.covariance).all():
            raise InputError(f"covariance has shape {self.covariance.shape}; one row per parameter")
        # Scaled to correlations first: parameters differ by many orders of magnitude.
        scale = np.sqrt(np.abs(np.diag(self.covariance)))
        scale[scale == 0] = 1.0
        correlation = self.covariance / np.outer(scale, scale)
        if np.abs(correlation - correlation.T).max() > 1e-6:
            raise InputError("covariance is not symmetric: fit again")
        if np.linalg.eigvalsh(correlation)[0] < -1e-6:
            raise InputError("covariance is not positive semidefinite: fit again")

    @property
    def covariates(self) -> tuple[str, ...]:
        """What must be known of a run besides its batch size, such as n_params and tokens."""
        return (*self.references, *(("epsilon",) if LAW_FORMS[self.form].epsilon else ()))

    def in_unit(self, batch: BatchSize) -> float:
        """`batch` in the law's unit; `UnitError` where it has no such measure."""
        reference = BatchSize(1.0, self.unit, self.sequence_length)
        return batch.over(reference)

    def learning_rate(self, batch_size: float, at: Mapping[str, float] | None = None) -> Estimate:
        """eta*(B), B in `unit`, with the standard error of the fit (delta method).

        at: the covariates of the run. Raises `InputError` unless they are those of the law.
        """
        require_positive(batch_size, "batch size", "give it with its unit")
        known = self._checked(at or {})
        values = np.array(list(self.parameters.values()))
        value = self._rate(batch_size, values, known)
        if not (isfinite(value) and value > 0):
            raise InputError(f"the law gives {value:g} at batch size {batch_size:g}: fit it again")
        slopes = np.zeros(len(values))
        for i, parameter in enumerate(values):
            # Central differences: relative error of the order 1e-8, far below any fit's own.
            step = 1e-4 * abs(parameter) or 1e-8
            shift = np.zeros(len(values))
            shift[i] = step
            above, below = (self._rate(batch_size, values + s, known) for s in (shift, -shift))
            slopes[i] = (above - below) / (2 * step)
        with np.errstate(over="ignore"):  # infinite where the law knows nothing: see `interval`
            variance = float(slopes @ self.covariance @ slopes)
        return Estimate(value, sqrt(max(variance, 0.0)), 0)

    def interval(
        self, batch_size: float, at: Mapping[str, float] | None = None
    ) -> tuple[float, float]:
        """95 % of where a run's optimum lies: the fit's error and the scatter, in logarithms."""
        found = self.learning_rate(batch_size, at)
        half = NORMAL_95 * hypot(found.standard_error / found.value, self.scatter)
        if not half < MOST_KNOWN:
            raise InputError(
                f"the law does not identify the learning rate at batch size {batch_size:g}: its "
                f"95 % interval is e^{half:.3g} to either side; fit again with more batch sizes"
            )
        return exp(log(found.value) - half), exp(log(found.value) + half)

    def outside(self, batch_size: float, at: Mapping[str, float] | None = None) -> str:
        """Empty inside the fitted range, else a sentence that says how far outside."""
        beyond = [
            f"{name} {value:g} is outside the fitted {low:g} to {high:g}"
            for name, value in (at or {}).items()
            for low, high in [self.spans.get(name, (value, value))]
            # A tenth of a percent: totals of tokens are never exactly round.
            if not 0.999 * low <= value <= 1.001 * high
        ]
        if not self.smallest <= batch_size <= self.largest:
            span = f"{self.smallest:g} to {self.largest:g}"
            beyond.insert(0, f"batch size {batch_size:g} {self.unit} is outside the fitted {span}")
        return f"{'; '.join(beyond)}: extrapolated" if beyond else ""

    def _checked(self, at: Mapping[str, float]) -> dict[str, float]:
        missing = [name for name in self.covariates if name not in at]
        unknown = [name for name in at if name not in self.covariates]
        if missing or unknown:
            wanted = ", ".join(self.covariates) or "nothing"
            came = ", ".join(at) or "nothing"
            advice = "state each as --at NAME=VALUE" if missing else "leave out the others"
            raise InputError(
                f"the law depends on {wanted} beside the batch size and {came} came: {advice}"
            )
        for name, value in at.items():
            check = require_not_negative if name == "epsilon" else require_positive
            check(value, name, "give the run's own")
        return dict(at)

    def _rate(
        self, batch_size: float, values: NDArray[np.float64], at: Mapping[str, float]
    ) -> float:
        form = LAW_FORMS[self.form]
        arguments = dict(zip(form.parameters, values, strict=False))
        for name, power in zip(self.parameters, values, strict=True):
            parameter, _, covariate = name.partition(" ")
            if not covariate:
                continue
            shift = power * log(at[covariate] / self.references[covariate])
            if form.term(parameter).positive:
                arguments[parameter] *= exp(shift)
            else:
                arguments[parameter] += shift
        extra = [at["epsilon"]] if form.epsilon else []
        return float(form.learning_rate(batch_size, *arguments.values(), *extra))
