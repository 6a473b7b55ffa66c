"""The laws fitted to the runs themselves: which are refuted, which tied, by the league.

A law disagrees where another predicts optima that neither was fitted to better beyond doubt, with
every way to go from group to group; it agrees where it is the best in every split, in whichever of
these ways; else the runs
cannot tell it from the best. The test and its level (97.5 %, bootstrap) are those of `league`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import numpy as np

from empirical.errors import UsageError
from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.fit_table import table_for_fit
from empirical.judge.league import League, Row, play
from empirical.judge.league_entries import entries_for
from empirical.judge.verdict import Measured, Outcome, Regret, Verdict, not_judged

NAME = "fitted law"
MOST_GROUPS = 24
"""With more slices than this, laws with a learning rate per slice are left out: they take long."""

FEWEST_OPTIMA = 8


def fitted_claim() -> Claim:
    """The thirteen laws of `fit` and the published Step Law."""
    return Claim(
        NAME,
        "no other law predicts the optima left out better",
        "league of scaling-theory fit",
        judge_fitted,
    )


def judge_fitted(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """One verdict per law, slices as groups."""
    if known.laws == ():
        return (not_judged(NAME, "left out by --no-fits"),)
    cells = [(each, cell) for each in stratum.slices for cell in each.cells]
    if sum(cell.identified for _, cell in cells) < FEWEST_OPTIMA:
        return (not_judged(NAME, f"fewer than {FEWEST_OPTIMA} optima are numbers"),)
    found = [
        replace(cell.found, grid=replace(cell.found.grid, group=each.label)) for each, cell in cells
    ]
    try:
        data = table_for_fit(stratum.table, found).optima
    except UsageError as error:
        return (not_judged(NAME, str(error)),)
    entries = [
        entry
        for entry in entries_for(data, known.laws)
        if entry.horizon != "per group" or len(stratum.slices) <= MOST_GROUPS
    ]
    league = play(entries, data, np.random.default_rng(known.seed))
    names = dict.fromkeys(row.entry.name for row in league.rows)
    return tuple(_verdict(league, name) for name in names)


def _verdict(league: League, name: str) -> Verdict:
    rows = [row for row in league.rows if row.entry.name == name]
    able = [row for row in rows if row.scores]
    claim = f"{NAME}: {name}"
    if not able:
        return not_judged(claim, rows[0].failure or "nothing could be left out")
    standing = [row for row in able if not row.refuted_by]
    best = (standing or able)[0]
    outcome = Outcome.CANNOT_TELL if standing else Outcome.DISAGREES
    winners = {row.entry.name for row in league.rows if row.entry.label in league.best.values()}
    if standing and winners == {name}:
        outcome = Outcome.AGREES
    words = Counter(row.verdict for row in able)
    counts = ", ".join(f"{count} {word}" for word, count in words.items())
    score = next(iter(best.scores.values()))
    return Verdict(
        claim,
        outcome,
        f"horizon '{best.entry.horizon}'; of {len(able)} horizons {counts}",
        score.optima,
        _measured(best),
        _regret(best),
    )


def _measured(row: Row) -> Measured:
    split, score = next(iter(row.scores.items()))
    return Measured(
        f"rms of ln(eta*/law), {split} left out",
        score.rms,
        score.rms_interval,
        (0.0, score.rms - score.excess),
        logarithm=False,
        statistic=f"excess over the best {score.excess:.3f}",
    )


def _regret(row: Row) -> Regret | None:
    score = next(iter(row.scores.values()))
    if not isfinite(score.regret):
        return None
    return Regret(score.regret, score.regret_interval, score.optima)
