"""A fit as a law for `predict`: parameters in their own units, powers, covariance, scatter."""

from __future__ import annotations

import numpy as np

from empirical.errors import UsageError
from empirical.judge.fit import Fit
from empirical.judge.fit_data import Array
from empirical.judge.fit_table import TableForFit
from empirical.judge.predictive_scatter import predictive_scatter
from scaling_theory.fitted_law import FittedLaw


def fitted_law(fit: Fit, table: TableForFit) -> FittedLaw:
    """`fit`, made on `table`, as a law that predicts any batch size and any new group.

    Raises `UsageError` where a parameter is free per group: such a law knows no new group.
    """
    if any(tie.per_group for tie in fit.ties.values()):
        raise UsageError(
            f"'{fit.form.name}' has parameters free per group and says nothing of a new one: "
            "choose another horizon, or fit one group alone"
        )
    used = _covariates(fit)
    values, rows = _parameters(fit, used)
    slopes = np.array(rows)
    data = table.optima
    return FittedLaw(
        form=fit.form.name,
        parameters=values,
        covariance=slopes @ fit.covariance @ slopes.T,
        held_fixed=table.held_fixed,
        smallest=float(np.exp(data.log_batch.min())),
        largest=float(np.exp(data.log_batch.max())),
        unit=table.unit,
        sequence_length=table.sequence_length,
        data_sha256=table.sha256,
        references={name: fit.references[name] for name in used},
        spans={
            name: (float(data.covariates[name].min()), float(data.covariates[name].max()))
            for name in used
        },
        scatter=predictive_scatter(fit, data),
        at_bound=fit.at_bound,
    )


def _covariates(fit: Fit) -> list[str]:
    names = [name for tie in fit.ties.values() for name in (*tie.powers, *tie.fixed_powers)]
    return list(dict.fromkeys(names))


def _parameters(fit: Fit, used: list[str]) -> tuple[dict[str, float], list[Array]]:
    """Values by name, and d value / d coefficients, one row [k] each."""
    places = {(column.parameter, column.of): i for i, column in enumerate(fit.columns)}
    values: dict[str, float] = {}
    slopes: list[Array] = []
    for term in fit.form.terms:
        tie, row = fit.ties.get(term.name), np.zeros(len(fit.columns))
        if tie is not None and tie.value is not None:
            # Stated where all covariates are 1; a law file states values at the references.
            logs = [p * np.log(fit.references[name]) for name, p in tie.fixed_powers.items()]
            values[term.name] = float(tie.value * np.exp(sum(logs)))
        else:
            place = places[term.name, ""]
            found = float(fit.coefficients[place])
            values[term.name] = float(np.exp(found)) if term.positive else found
            row[place] = values[term.name] if term.positive else 1.0
        slopes.append(row)
    for term in fit.form.terms:
        tie = fit.ties.get(term.name)
        for covariate in used if tie is not None else ():
            assert tie is not None
            row = np.zeros(len(fit.columns))
            if covariate in tie.fixed_powers:
                values[f"{term.name} {covariate}"] = tie.fixed_powers[covariate]
            elif covariate in tie.powers:
                place = places[term.name, covariate]
                values[f"{term.name} {covariate}"] = float(fit.coefficients[place])
                row[place] = 1.0
            else:
                continue
            slopes.append(row)
    return values, slopes
