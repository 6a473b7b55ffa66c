"""Does a prediction give the best learning rates of runs: as it is, or times one factor?

The number is the spread of ln(measured/predicted), see `verdict_spread`: over the batch sizes of
a slice round a factor of its own, over batch sizes and epsilons round one factor, or round 0.
Slices of a stratum are pooled by adding their chi-squared; the claim is that the pooled spread is
below a quarter octave. Single slices stand beside it, each at its Bonferroni confidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.claims.compared import Compared, compared, joined
from empirical.judge.claims.predictions import PREDICTIONS, Prediction, Reach, Silence
from empirical.judge.verdict import ERROR, TOLERANCE, Verdict, counted, not_judged, verdict_on
from empirical.judge.verdict_slices import Slice
from empirical.judge.verdict_spread import Scatter, mean_regret, spread_measured


@dataclass(frozen=True)
class Way:
    """How a prediction is compared. ending: of the claim's name. statement: after its name.

    free_factor: whether it may be off by a factor. over_epsilon: whether the slices that differ
    in epsilon alone share it.
    """

    ending: str
    statement: str
    free_factor: bool
    over_epsilon: bool = False

    @property
    def place(self) -> str:
        """What has one factor."""
        return "epsilon set" if self.over_epsilon else "slice"


AS_IT_IS = Way("", "is the best learning rate of the run", False)
WHOLE_RANGE = Way(", whole range", "holds from the best-known batch size to all others", True)
ONE_FACTOR = Way(
    ", one factor", "times one factor is the best learning rate at all batch sizes", True
)
OVER_EPSILON = Way(
    ", one factor over epsilon",
    "times one factor is the best learning rate at all batch sizes and epsilons",
    True,
    True,
)


WAYS: dict[Reach, tuple[Way, ...]] = {
    "value": (AS_IT_IS, ONE_FACTOR, OVER_EPSILON),
    "shape": (ONE_FACTOR, OVER_EPSILON),
    "rule": (WHOLE_RANGE,),
}


def following_claims() -> tuple[Claim, ...]:
    """Of every prediction: its value and its factor if it has a value, else its shape."""
    return tuple(
        Claim(
            each.name + way.ending,
            f"{each.name} {way.statement}: {each.formula}",
            each.source,
            partial(follow, prediction=each, way=way),
        )
        for each in PREDICTIONS
        for way in WAYS[each.reach]
    )


def follow(
    stratum: Stratum, known: Known, *, prediction: Prediction, way: Way
) -> Sequence[Verdict]:
    """The verdict on one prediction, compared in one way."""
    name = prediction.name + way.ending
    if missing := prediction.missing(known, stratum.held):
        return (not_judged(name, missing),)
    answers = [compared(each, prediction, known) for each in stratum.slices]
    silent = [answer.reason for answer in answers if isinstance(answer, Silence)]
    pairs = [
        (each, answer)
        for each, answer in zip(stratum.slices, answers, strict=True)
        if not isinstance(answer, Silence)
    ]
    parts = _over_epsilon(pairs) if way.over_epsilon else [part for _, part in pairs]
    parts = [part for part in parts if len(part) > int(way.free_factor)]
    if not parts:
        return (not_judged(name, _why(silent, way)),)
    scatters = [part.scatter(free_factor=way.free_factor) for part in parts]
    what = f"spread of eta*/{prediction.name}"
    singles = tuple(
        (
            part.where,
            verdict_on(
                name,
                spread_measured(what, found, TOLERANCE, ERROR / len(parts)),
                len(part),
                _factor(part, way),
                regret=mean_regret([part.cost(free_factor=way.free_factor)]),
            ),
        )
        for part, found in zip(parts, scatters, strict=True)
    )
    pooled = spread_measured(what, _sum(scatters), TOLERANCE)
    reason = counted([single.outcome for _, single in singles], way.place)
    factors = [part.factor for part in parts]
    if prediction.reach != "rule":
        ends = dict.fromkeys(f"{end:.2g}" for end in (min(factors), max(factors)))
        reason += f"; eta* over it {' to '.join(ends)}"
    bounded = sum(part.bounded for part in parts)
    reason += f"; left out: {bounded} optima that are bounds, or not spoken of" if bounded else ""
    return (
        verdict_on(
            name,
            pooled,
            sum(len(part) for part in parts),
            reason,
            regret=mean_regret([part.cost(free_factor=way.free_factor) for part in parts]),
            parts=singles if len(singles) > 1 else (),
        ),
    )


def _over_epsilon(pairs: Sequence[tuple[Slice, Compared]]) -> list[Compared]:
    """Slices that differ in epsilon alone, joined; none where there is one epsilon only."""
    alike: dict[tuple[object, ...], list[tuple[Slice, Compared]]] = defaultdict(list)
    for each, part in pairs:
        alike[each.family, each.amount, each.settings].append((each, part))
    return [
        joined([part for _, part in held], f"{held[0][0].family}, all eps, {held[0][0].kept}")
        for held in alike.values()
        if len({each.epsilon for each, _ in held}) > 1
    ]


def _why(silent: Sequence[str], way: Way) -> str:
    if silent:
        return silent[0]
    if way.over_epsilon:
        return "no slices that differ in epsilon alone"
    return "no slice has two batch sizes with an optimum"


def _factor(part: Compared, way: Way) -> str:
    return f"eta* over prediction {part.factor:.3g}" if way.ending != WHOLE_RANGE.ending else ""


def _sum(scatters: Sequence[Scatter]) -> Scatter:
    total = scatters[0]
    for each in scatters[1:]:
        total = total + each
    return total
