"""What laws are fitted to: one optimum of ln eta per group and batch size, with its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from empirical.errors import UsageError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Optima:
    """n optima of `groups`. All arrays [n]; logarithms are natural.

    group: place in `groups`. log_batch: in one unit. log_rate: ln eta*; where `side` is not 0 the
    edge of the grid that the optimum lies beyond. standard_error: of log_rate (of the edges: how
    sharp they are). side: 0 measured, -1 the optimum is below log_rate, +1 above. curvature:
    second derivative of the loss in ln eta at the optimum, nats; NaN where unknown.
    covariates: what else may move a parameter, all > 0 (epsilon: at least 0).
    """

    group: NDArray[np.int64]
    groups: tuple[str, ...]
    log_batch: Array
    log_rate: Array
    standard_error: Array
    side: NDArray[np.int64]
    curvature: Array
    covariates: Mapping[str, Array]

    def __post_init__(self) -> None:
        arrays = [self.group, self.log_batch, self.standard_error, self.side, self.curvature]
        for array in (*arrays, *self.covariates.values()):
            if array.shape != self.log_rate.shape:
                raise UsageError(
                    f"columns of {array.size} and {self.log_rate.size} optima came; "
                    "one value per optimum is wanted"
                )
        measured = np.isfinite(self.log_rate) & (self.standard_error > 0)
        if not (measured.all() and np.isfinite(self.log_batch).all()):
            raise UsageError(
                "an optimum is not a number or has no standard error: leave that batch size out"
            )
        for name, values in self.covariates.items():
            if name != "epsilon" and not (np.isfinite(values) & (values > 0)).all():
                raise UsageError(f"{name} is not above 0 everywhere: leave those groups out")

    def __len__(self) -> int:
        return len(self.log_rate)

    @property
    def measured(self) -> Mask:
        """Where the optimum was found inside its grid."""
        return np.asarray(self.side == 0)

    def subset(self, kept: Mask) -> Optima:
        """The optima where `kept`; groups keep their places."""
        return replace(
            self,
            group=self.group[kept],
            log_batch=self.log_batch[kept],
            log_rate=self.log_rate[kept],
            standard_error=self.standard_error[kept],
            side=self.side[kept],
            curvature=self.curvature[kept],
            covariates={name: values[kept] for name, values in self.covariates.items()},
        )

    def references(self) -> dict[str, float]:
        """Geometric mean of every positive covariate: where a scaled parameter has its value."""
        return {
            name: float(np.exp(np.mean(np.log(values))))
            for name, values in self.covariates.items()
            if (values > 0).all()
        }
