"""Do the 95 % intervals of a law file hold the optima of runs it was not fitted to?

An optimum counts as held where the law's error, its scatter and the optimum's own error together
put it within 1.96 standard errors. The share has the exact binomial interval of Clopper and
Pearson 1934, Biometrika 26, 404; optima of one group are not independent of each other, which it
does not know. Wanted: 90 % or more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv

from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.claims.compared import compared
from empirical.judge.claims.predictions import LAW_FILE, Silence
from empirical.judge.verdict import (
    ERROR,
    Measured,
    Outcome,
    Verdict,
    not_judged,
    verdict_on,
)

NAME = "law file, intervals"
WANTED = 0.9
NORMAL_95 = 1.96


def coverage_claim() -> Claim:
    """Of a law that `fit` saved."""
    return Claim(
        NAME,
        f"the law's 95 % intervals hold at least {WANTED:.0%} of the optima",
        LAW_FILE.source,
        judge_coverage,
    )


def judge_coverage(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """The share of optima held; no test where the law was fitted to this very table."""
    if missing := LAW_FILE.missing(known, stratum.held):
        return (not_judged(NAME, missing),)
    assert known.law is not None
    answers = [compared(each, LAW_FILE, known) for each in stratum.slices]
    spoken = [answer for answer in answers if not isinstance(answer, Silence)]
    if not spoken:
        silent = [answer.reason for answer in answers if isinstance(answer, Silence)]
        return (not_judged(NAME, silent[0] if silent else "no optimum is a number"),)
    z = np.concatenate([part.deviations / np.sqrt(part.variances) for part in spoken])
    misses = np.concatenate([part.deviations for part in spoken])
    held, count = int((np.abs(z) <= NORMAL_95).sum()), len(z)
    measured = Measured(
        "share of optima inside the law's intervals",
        held / count,
        binomial_interval(held, count),
        (WANTED, 1.0),
        logarithm=False,
        statistic=f"{held} of {count}",
    )
    reason = f"rms of ln(eta*/law) {np.sqrt(np.mean(misses**2)):.3f}, mean {misses.mean():+.3f}"
    law = known.law
    beyond = sum(
        not _inside(cell.batch, law.smallest, law.largest) for a in spoken for cell in a.cells
    )
    reason += f"; {beyond} at batch sizes outside the fitted range" if beyond else ""
    if known.law.data_sha256 == stratum.table.sha256:
        reason = f"fitted to this very table, so this is no test; {reason}"
        return (Verdict(NAME, Outcome.CANNOT_TELL, reason, count, measured),)
    return (verdict_on(NAME, measured, count, reason),)


def binomial_interval(successes: int, trials: int, error: float = ERROR) -> tuple[float, float]:
    """Clopper and Pearson's interval of a probability."""
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, error / 2))
    high = (
        1.0
        if successes == trials
        else float(betaincinv(successes + 1, trials - successes, 1 - error / 2))
    )
    return low, high


def _inside(batch: float, smallest: float, largest: float) -> bool:
    return 0.999 * smallest <= batch <= 1.001 * largest
