"""Frozen records a report is made of: estimates, rows of the (batch size, epsilon) grid, verdicts.

Conventions: learning rates are in parameter units per unit of update; losses in nats per byte;
batch sizes in sequences; sigma per sequence, its rms over coordinates with sigma > 0.
A missing number is null beside a status that says why; NaN and infinity are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    model_validator,
)

Plain = dict[str, Any]
"""A record as JSON has it, before it is checked."""

OK = "ok"
NOT_RUN = "not run"

Status = Annotated[str, StringConstraints(min_length=1)]
Verdict = Literal["yes", "no", "cannot tell"]


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    if interval[0] > interval[1]:
        raise ValueError(
            f"interval [{interval[0]}, {interval[1]}] is upside down, wanted low, high"
        )
    return interval


Interval = Annotated[tuple[float, float], AfterValidator(_ordered)]


class Record(BaseModel):
    """Base of every record: frozen, unknown keys and non-finite numbers are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Estimate(Record):
    """A number with its standard error (null: unknown, e.g. one sample) and sample count."""

    value: float
    standard_error: NonNegativeFloat | None
    samples: NonNegativeInt


class NoAnswer(Record):
    """Stands where an estimate would: says why there is none and what would give one."""

    status: Status


Answer = Estimate | NoAnswer


class MeanField(Record):
    """What the article's mean field (kexue.fm/archives/10563, equation 2.8) was fed with."""

    c: float  # shape constant: pi/2 or 1
    kappa_squared: float | None  # noise-to-signal ratio per sequence
    kappa_squared_kind: Status  # e.g. "ratio of means"
    status: Status = OK


class Row(Record):
    """One cell of the grid: the optimal learning rate measured twice and predicted three times."""

    batch_size: PositiveInt  # sequences
    epsilon: NonNegativeFloat  # unit of a gradient coordinate
    epsilon_over_rms_sigma: NonNegativeFloat
    batches: NonNegativeInt  # real batches drawn for the measurement

    lr_measured: float | None  # E[u]^T g / E[u^T H u] over real batches
    lr_measured_standard_error: NonNegativeFloat | None
    lr_measured_ci95: Interval | None
    lr_measured_status: Status = OK
    lr_line_search: float | None  # minimum of the true loss along the same updates
    lr_line_search_ci95: Interval | None
    line_search_status: Status
    quadratic_agrees: Verdict  # ratio and line search agree within their intervals

    lr_correlated: float | None  # exact moments, correlated noise
    lr_correlated_standard_error: NonNegativeFloat | None
    lr_correlated_status: Status = OK
    lr_independent: float | None  # exact moments, independent noise
    lr_independent_standard_error: NonNegativeFloat | None
    lr_independent_status: Status = OK
    lr_mean_field: float | None
    mean_field: MeanField
    lr_gaussian_simulated: float | None
    lr_gaussian_simulated_standard_error: NonNegativeFloat | None = None
    lr_gaussian_simulated_status: Status | None = None  # null: "ok" or "not run", by the value

    descent: Answer  # E[u]^T g, nats per unit learning rate
    signal_curvature: Answer  # mu^T H mu, nats per squared learning rate
    noise_curvature: Answer  # E[(u - mu)^T H (u - mu)], same unit
    noise_curvature_correlated: Answer
    noise_curvature_independent: Answer

    kurtosis: float | None  # median over coordinates of the batch gradient's excess kurtosis
    gaussian: bool  # False: the Gaussian theories do not claim this cell

    @model_validator(mode="after")
    def _null_has_a_reason(self) -> Self:
        reasons = {
            "lr_measured": self.lr_measured_status,
            "lr_line_search": self.line_search_status,
            "lr_correlated": self.lr_correlated_status,
            "lr_independent": self.lr_independent_status,
            "lr_mean_field": self.mean_field.status,
            "lr_gaussian_simulated": self.lr_gaussian_simulated_status,
        }
        for name, reason in reasons.items():
            if getattr(self, name) is None and reason == OK:
                raise ValueError(
                    f"{name} is null while its status says 'ok' "
                    f"(batch size {self.batch_size}, epsilon {self.epsilon}); say why in the status"
                )
        return self


class SurgeSource(Record):
    """Operational surge verdict: peak of eta*(B) over its large-B value, with its uncertainty."""

    ratio: Answer
    peak_batch_size: PositiveInt | None  # sequences
    outcome: Verdict
    reason: str


class Surge(Record):
    """Surge verdicts at one epsilon, one per source of the curve eta*(B)."""

    epsilon: NonNegativeFloat
    epsilon_over_rms_sigma: NonNegativeFloat
    measured: SurgeSource
    correlated: SurgeSource
    independent: SurgeSource
    mean_field: SurgeSource


class TheoryError(Record):
    """|prediction / measurement - 1| over the cells both have, B in 4..256."""

    median_abs_rel_error: NonNegativeFloat | None
    max_abs_rel_error: NonNegativeFloat | None
    cells: NonNegativeInt

    @model_validator(mode="after")
    def _null_exactly_when_empty(self) -> Self:
        missing = (self.median_abs_rel_error is None, self.max_abs_rel_error is None)
        if missing != (self.cells == 0, self.cells == 0):
            raise ValueError("errors must be numbers when cells > 0 and null when cells = 0")
        return self


class Summary(Record):
    """Error of each theory; `gaussian_simulated` is null where it was not run."""

    correlated: TheoryError
    independent: TheoryError
    mean_field: TheoryError
    gaussian_simulated: TheoryError | None = None
