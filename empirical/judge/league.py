"""The league of laws: held-out errors with intervals, and which laws the best one refutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from empirical.errors import UsageError
from empirical.judge.cluster_bootstrap import cluster_draws, drawn_mean, drawn_rms, interval
from empirical.judge.fit import Fit, fit_law
from empirical.judge.fit_data import Array, Mask, Optima
from empirical.judge.heldout import SPLITS, HeldOut, Split, held_out
from empirical.judge.league_entries import Entry

FEWEST_GROUPS = 4
"""Groups from which on the bootstrap draws groups; with fewer it draws single optima."""


@dataclass(frozen=True)
class Score:
    """How a law predicts what it was not fitted to.

    rms: of ln eta*, with its 95 % interval over groups. regret: mean loss above the optimum's,
    nats, by the local quadratic of each loss; with its interval; NaN where no curvature is known.
    excess: rms less that of the split's best law, paired over groups, with its 95 % interval.
    covered: share of optima inside the 95 % intervals of their predictions. optima: judged.
    within_fit: see `HeldOut`; the bootstrap knows nothing of an error that all predictions share.
    """

    rms: float
    rms_interval: tuple[float, float]
    regret: float
    regret_interval: tuple[float, float]
    excess: float
    excess_interval: tuple[float, float]
    covered: float
    optima: int
    within_fit: bool

    @property
    def refuted(self) -> bool:
        """Worse than the best law of the split with 97.5 % confidence, its fit's error allowed."""
        return self.excess_interval[0] > 0 and not self.within_fit


@dataclass(frozen=True)
class Row:
    """One law of the league. fit: to everything, None with its `failure`. scores: by split."""

    entry: Entry
    fit: Fit | None
    failure: str
    scores: dict[Split, Score]
    held_out: dict[Split, HeldOut]

    @property
    def refuted_by(self) -> tuple[Split, ...]:
        """The splits in which another law is better beyond doubt."""
        return tuple(split for split, score in self.scores.items() if score.refuted)

    @property
    def verdict(self) -> str:
        """refuted, tied with the best, or cannot tell where nothing could be predicted."""
        if not self.scores:
            return "cannot tell"
        if self.refuted_by:
            return "refuted"
        return "best" if all(s.excess == 0 for s in self.scores.values()) else "tied"


@dataclass(frozen=True)
class League:
    """Rows, best first. resampled: what the bootstrap draws. best: by split, its row's label."""

    rows: tuple[Row, ...]
    best: dict[Split, str]
    resampled: str
    optima: Optima

    def row(self, name: str, horizon: str | None = None) -> Row:
        """The best row of that law; `UsageError` where there is none."""
        for row in self.rows:
            if row.entry.name == name and horizon in (None, row.entry.horizon):
                return row
        known = ", ".join(dict.fromkeys(row.entry.name for row in self.rows))
        raise UsageError(f"no law '{name}' in this league; one of {known} is wanted")


def play(entries: Sequence[Entry], data: Optima, rng: np.random.Generator) -> League:
    """Fit every entry, predict every split, compare with the best of each split."""
    fits = {entry.label: _fitted(entry, data) for entry in entries}
    results = {
        entry.label: {split: held_out(entry, data, split, fits[entry.label][0]) for split in SPLITS}
        for entry in entries
    }
    draws, resampled = _draws(data, rng)
    scores: dict[str, dict[Split, Score]] = {entry.label: {} for entry in entries}
    best: dict[Split, str] = {}
    for split in SPLITS:
        able = {label: each[split] for label, each in results.items() if each[split].judged.any()}
        if not able:
            continue
        best[split] = min(able, key=lambda label: _rms(able[label].error))
        for label, held in able.items():
            scores[label][split] = _score(held, able[best[split]], data, draws)
    rows = [
        Row(entry, *fits[entry.label], scores[entry.label], results[entry.label])
        for entry in entries
    ]
    rows.sort(key=_rank)
    return League(tuple(rows), best, resampled, data)


def _fitted(entry: Entry, data: Optima) -> tuple[Fit | None, str]:
    """The fit to everything, or why there is none."""
    try:
        return fit_law(entry.form, entry.ties, data), ""
    except UsageError as error:
        return None, str(error)


def _rank(row: Row) -> tuple[float, float]:
    """Left-out batch sizes first; laws that predict nothing last."""
    score = row.scores.get("batch size") or next(iter(row.scores.values()), None)
    aicc = row.fit.aicc if row.fit is not None else np.inf
    return (np.inf if score is None else score.rms, aicc)


def _draws(data: Optima, rng: np.random.Generator) -> tuple[Array, str]:
    """Bootstrap weights of the optima, [repetitions, n], and what was drawn."""
    groups = np.unique(data.group)
    clustered = len(groups) >= FEWEST_GROUPS
    names = data.group.tolist() if clustered else range(len(data))
    return cluster_draws(names, rng), "groups" if clustered else "optima"


def _score(held: HeldOut, best: HeldOut, data: Optima, draws: Array) -> Score:
    common: Mask = held.judged & best.judged
    own = drawn_rms(held.error, held.judged, draws)
    excess = drawn_rms(held.error, common, draws) - drawn_rms(best.error, common, draws)
    if held is best:
        excess = np.zeros_like(excess)
    regret = 0.5 * data.curvature * held.error**2
    known: Mask = held.judged & np.isfinite(regret)
    width = np.sqrt(held.standard_error**2 + held.scatter**2 + data.standard_error**2)
    inside = np.abs(held.error[held.judged]) <= 1.96 * width[held.judged]
    return Score(
        rms=_rms(held.error),
        rms_interval=interval(own),
        regret=float(regret[known].mean()) if known.any() else nan,
        regret_interval=interval(drawn_mean(regret, known, draws)),
        excess=_rms(held.error[common]) - _rms(best.error[common]),
        excess_interval=interval(excess),
        covered=float(inside.mean()),
        optima=int(held.judged.sum()),
        within_fit=held.within_fit,
    )


def _rms(error: Array) -> float:
    return float(np.sqrt(np.nanmean(error**2)))
