"""Held-out prediction: a law is fitted to some optima and judged on the others.

left-out batch size: each batch size in turn is predicted from all others. upward: the larger half
of the batch sizes is predicted from the smaller half. left-out group: each group in turn, such as
one (N, D), is predicted from the others. Only optima inside their grid are judged; those beyond
theirs help to fit. Where there are very many batch sizes or groups, neighbours go together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from empirical.errors import UsageError
from empirical.judge.fit import Fit, fit_law
from empirical.judge.fit_data import Array, Mask, Optima
from empirical.judge.league_entries import Entry
from empirical.judge.predictive_scatter import predictive_scatter

MOST_FOLDS = 20

Split = Literal["batch size", "upward", "group"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class HeldOut:
    """Predictions of one law for one kind of split; NaN where nothing was predicted.

    error: ln eta* predicted less measured, [n]. standard_error: of the prediction from its fit.
    scatter: of single optima, as far as the fit that predicted knows it, [n]. failure: why nothing
    was predicted, "" if it was.
    within_fit: upward only: the optima that were fitted allow the curve of the fit to everything,
    so that the predictions, which share one fit, may be off by its error alone.
    """

    entry: Entry
    split: Split
    error: Array
    standard_error: Array
    scatter: Array
    failure: str
    within_fit: bool = False

    @property
    def judged(self) -> Mask:
        """Where there is a prediction and a measurement."""
        return np.asarray(np.isfinite(self.error))


def held_out(entry: Entry, data: Optima, split: Split, whole: Fit | None = None) -> HeldOut:
    """Fit and predict over every fold of `split`; a fold that cannot be fitted fails the law.

    whole: the fit to all of `data`, as one of two places where the search of a fold begins.
    """
    error, width, scatter = (np.full(len(data), np.nan) for _ in range(3))
    if split == "group" and not entry.predicts_new_groups:
        return HeldOut(entry, split, error, width, scatter, "has parameters free per group")
    references, within = data.references(), False
    for test in folds(data, split):
        judged = test & data.measured
        if not judged.any():
            continue
        try:
            kept = data.subset(~test)
            fit = fit_law(entry.form, entry.ties, kept, references=references, near=whole)
            asked = data.subset(judged)
            error[judged] = fit.predict(asked) - asked.log_rate
            width[judged] = fit.standard_error(asked)
            scatter[judged] = predictive_scatter(fit, kept)
            if split == "upward" and whole is not None:
                within = _allows(fit, whole, kept)
        except UsageError as reason:
            nothing = np.full(len(data), np.nan)
            return HeldOut(entry, split, nothing, nothing, nothing, str(reason))
    failure = "" if np.isfinite(error).any() else "nothing to leave out"
    return HeldOut(entry, split, error, width, scatter, failure, within)


def _allows(fit: Fit, whole: Fit, kept: Optima) -> bool:
    """Whether `whole` lies in the 97.5 % region of `fit`, by what it adds to chi^2 of `kept`.

    Never where nothing was fitted: such a prediction has no error of a fit.
    """
    if not len(fit.coefficients):
        return False
    width = np.hypot(kept.standard_error, fit.scatter)[kept.measured]
    chi2 = [
        float(np.sum(((each.predict(kept) - kept.log_rate)[kept.measured] / width) ** 2))
        for each in (whole, fit)
    ]
    return chi2[0] - chi2[1] <= float(chdtri(len(fit.coefficients), 0.025))


def folds(data: Optima, split: Split) -> Iterator[Mask]:
    """The optima left out, fold by fold; nothing where there is only one batch size or group."""
    batches = np.unique(data.log_batch.round(9))
    groups = np.unique(data.group)
    if split == "group" and len(groups) > 1:
        for block in _blocks(groups):
            yield np.isin(data.group, block)
    if split == "batch size" and len(batches) > 1:
        for block in _blocks(batches):
            yield np.isin(data.log_batch.round(9), block)
    if split == "upward" and len(batches) > 1:
        # With an odd number of batch sizes the middle one is fitted.
        largest_fitted = batches[(len(batches) - 1) // 2]
        yield data.log_batch.round(9) > largest_fitted


def _blocks(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Each value alone, or, of many, neighbours together in `MOST_FOLDS` blocks."""
    return np.array_split(values, min(len(values), MOST_FOLDS))
