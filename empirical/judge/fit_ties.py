"""How a parameter of a law goes from group to group: shared, free, or a power of a covariate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from empirical.errors import UsageError
from empirical.judge.fit_data import Array, Optima
from scaling_theory.laws.form import LawForm


@dataclass(frozen=True)
class Tie:
    """One parameter over the groups; z is its logarithm, of an exponent the exponent itself.

    per_group: one z per group. powers: z moves with ln of these covariates, slopes fitted.
    fixed_powers: the same with slopes that are given. value: the parameter where all covariates
    are 1, given and not fitted (with fixed powers only).
    """

    per_group: bool = False
    powers: tuple[str, ...] = ()
    fixed_powers: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None


SHARED = Tie()
PER_GROUP = Tie(per_group=True)
Ties = Mapping[str, Tie]


@dataclass(frozen=True)
class Column:
    """One coefficient of a parameter: its value, its value in one group, or a power.

    of: "" the value, else the name of the group or covariate. group: place of the group.
    """

    parameter: str
    of: str = ""
    group: int | None = None

    @property
    def is_value(self) -> bool:
        """Whether it is a value of the parameter, everywhere or in one group."""
        return self.of == "" or self.group is not None

    @property
    def name(self) -> str:
        """As it is written in a table and a law file."""
        return f"{self.parameter} {self.of}".strip()


@dataclass(frozen=True)
class Design:
    """z of each parameter as matrix [n, k] times coefficients [k] plus offset [n].

    parts: per parameter, in the law's order: its slice of the coefficients.
    """

    columns: tuple[Column, ...]
    matrices: tuple[Array, ...]
    offsets: tuple[Array, ...]
    parts: tuple[slice, ...]

    def values(self, coefficients: Array) -> list[Array]:
        """z per parameter, [n] each."""
        return [
            matrix @ coefficients[part] + offset
            for matrix, offset, part in zip(self.matrices, self.offsets, self.parts, strict=True)
        ]


def design_of(
    form: LawForm,
    ties: Ties,
    data: Optima,
    references: Mapping[str, float],
    fitted_groups: NDArray[np.int64],
) -> Design:
    """The design of `form` on `data`; covariates are centred at `references`.

    fitted_groups: the groups that have a z of their own where a parameter is free per group.
    Raises `UsageError` for a group that is not among them, where one is needed.
    """
    unknown = set(ties) - set(form.parameters)
    if unknown:
        raise UsageError(f"law '{form.name}' has no parameter {', '.join(sorted(unknown))}")
    columns: list[Column] = []
    matrices, offsets, parts = [], [], []
    for term in form.terms:
        tie = ties.get(term.name, SHARED)
        missing = {*tie.powers, *tie.fixed_powers} - set(data.covariates)
        if missing:
            raise UsageError(f"the table has no {', '.join(sorted(missing))}: fit without it")
        own, matrix = _columns(term.name, tie, data, references, fitted_groups)
        offset = np.zeros(len(data))
        for name, slope in tie.fixed_powers.items():
            # A given value holds at covariates of 1, a fitted one at the references.
            centre = 1.0 if tie.value is not None else references[name]
            offset += slope * np.log(data.covariates[name] / centre)
        if tie.value is not None:
            offset += np.log(tie.value) if term.positive else tie.value
        parts.append(slice(len(columns), len(columns) + len(own)))
        columns += own
        matrices.append(matrix)
        offsets.append(offset)
    return Design(tuple(columns), tuple(matrices), tuple(offsets), tuple(parts))


def _columns(
    parameter: str,
    tie: Tie,
    data: Optima,
    references: Mapping[str, float],
    fitted_groups: NDArray[np.int64],
) -> tuple[list[Column], Array]:
    if tie.value is not None:
        return [], np.zeros((len(data), 0))
    if tie.per_group:
        matrix = (data.group[:, None] == fitted_groups).astype(float)
        if not matrix.any(axis=1).all():
            raise UsageError(
                f"'{parameter}' is free per group and a group was not fitted: "
                "tie it to covariates, or fit that group too"
            )
        own = [Column(parameter, data.groups[place], int(place)) for place in fitted_groups]
        return own, matrix
    slopes = [np.log(data.covariates[name] / references[name]) for name in tie.powers]
    matrix = np.column_stack([np.ones(len(data)), *slopes])
    return [Column(parameter), *(Column(parameter, name) for name in tie.powers)], matrix
