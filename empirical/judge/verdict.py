"""The verdict on a claim about the runs of a table, and how it follows from an interval.

A claim says that a number lies in a region, such as "the ratio of measured to predicted learning
rate is the same at all batch sizes, within a quarter octave". The region stands before the runs
are looked at, and the interval of the number decides:

    inside the region         agrees
    outside it altogether     disagrees
    partly inside             cannot tell

Each of the first two is said wrongly with at most half the probability that the interval misses
the number (2.5 % at 95 %), whatever the truth: equivalence and difference tested at once. Sources:
Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657 (two one-sided tests); Goeman, Solari and
Stijnen 2010, Statistics in Medicine 29, 2117 (the three outcomes together).

Where a claim is judged in k places one by one, each interval has the confidence 1 - 5 %/k
(Bonferroni), so that "disagrees" in any of them is wrong with at most 2.5 %; "agrees" in all of
them needs no such care (Berger 1982, Technometrics 24, 295).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import log

TOLERANCE = log(2) / 4
"""A quarter octave (19 %) in ln eta: how finely the project's sweeps look for an optimum."""

MARGIN = log(1.1)
"""A change of less than 10 % is none: the margin of `scaling_theory.surge`."""

ERROR = 0.05
"""Of one claim: its interval, or all of its intervals together, miss with this probability."""


class Outcome(StrEnum):
    """What the runs say about a claim; the last one where they were not asked."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    CANNOT_TELL = "cannot tell"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Measured:
    """The number that a claim is about.

    what: in words. value, interval: estimate, and its interval at `confidence`. region: the values
    under which the claim holds. logarithm: value, interval and region are logarithms of factors.
    statistic: the test behind it in words, such as "chi2 12.3 of 8, p 0.14".
    """

    what: str
    value: float
    interval: tuple[float, float]
    region: tuple[float, float]
    confidence: float = 1 - ERROR
    logarithm: bool = True
    statistic: str = ""

    @property
    def outcome(self) -> Outcome:
        """By the rule of this module."""
        (low, high), (least, most) = self.interval, self.region
        if least <= low and high <= most:
            return Outcome.AGREES
        if high < least or most < low:
            return Outcome.DISAGREES
        return Outcome.CANNOT_TELL


@dataclass(frozen=True)
class Regret:
    """Mean loss above the optimum's from following a prediction, nats; 95 % interval.

    By the local quadratic of each cell's loss, L'' (ln eta - ln eta*)^2 / 2, less what the errors
    of the optima add on average: too small where a run diverges. cells: followed to.
    """

    value: float
    interval: tuple[float, float]
    cells: int


@dataclass(frozen=True)
class Verdict:
    """What the runs say about one claim.

    claim: its name. outcome, reason: the answer, and one line that adds to the number.
    cells: optima that entered. measured: None where there is no one number. regret: None where
    nothing is followed. parts: (where, verdict) of single slices, each at its own confidence.
    """

    claim: str
    outcome: Outcome
    reason: str
    cells: int
    measured: Measured | None = None
    regret: Regret | None = None
    parts: tuple[tuple[str, Verdict], ...] = ()


def verdict_on(
    claim: str,
    measured: Measured,
    cells: int,
    reason: str = "",
    *,
    regret: Regret | None = None,
    parts: Sequence[tuple[str, Verdict]] = (),
) -> Verdict:
    """The verdict that the interval of `measured` gives."""
    return Verdict(claim, measured.outcome, reason, cells, measured, regret, tuple(parts))


def not_judged(claim: str, reason: str) -> Verdict:
    """A claim that the runs were not asked about, and what would make it possible."""
    return Verdict(claim, Outcome.NOT_JUDGED, reason, 0)


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Of a claim that has to hold in every place; each place at its Bonferroni confidence."""
    if Outcome.DISAGREES in outcomes:
        return Outcome.DISAGREES
    if outcomes and all(outcome is Outcome.AGREES for outcome in outcomes):
        return Outcome.AGREES
    return Outcome.CANNOT_TELL


def alike(outcomes: Sequence[Outcome]) -> Outcome:
    """Of one claim on several tables: what all of them say, unknown where they differ."""
    return outcomes[0] if len(set(outcomes)) == 1 else Outcome.CANNOT_TELL


def counted(outcomes: Sequence[Outcome], place: str) -> str:
    """How many of each, such as "of 7 pairs 3 agree, 4 cannot tell"."""
    words = {"agrees": "agree", "disagrees": "disagree"}
    found = Counter(str(outcome) for outcome in outcomes)
    parts = [f"{found[name]} {words.get(name, name)}" for name in map(str, Outcome) if found[name]]
    places = place if len(outcomes) == 1 else f"{place}s"
    return f"of {len(outcomes)} {places} {', '.join(parts)}"
