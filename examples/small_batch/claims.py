"""The claims, each as an inequality; written before the first run, limits not changed after it.

Sources: "marek" arXiv 2507.07101 (small batches), "sai" arXiv 2412.11768 (SGD-SaI), "own" this
project's. L(optimizer, B) is the held-out loss [nats per token] at the best learning rate, at equal
tokens. A claim has to hold on each text; where texts disagree it is inconclusive.

MARGIN nats are what counts as equal; the gap of SGD_GAP is what the source calls competitive (3.82
against Adam's 3.68 at one sequence). "Off by four" is the mean, over learning rate, half-life of
beta1 and half-life of beta2, each four times too large and four times too small with the others at
their optimum, of what the loss rises by; a run that diverged counts with the loss before training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from empirical.judge.seed_spread import Interval, Spread, difference
from empirical.judge.verdict import Outcome, together
from examples.small_batch.cells import Cell
from examples.small_batch.comparison import RISE, Cells, gap, less, rate_exponent, wider

MARGIN = 0.02
STABLE = 0.05
SGD_GAP = 0.15
SQUARE_ROOT = 0.5


@dataclass(frozen=True)
class Finding:
    """One claim on one text: the number, its criterion in words, and the verdict."""

    claim: str
    source: str
    criterion: str
    numbers: tuple[Interval, ...]
    outcome: Outcome


def batch_claims(cells: Cells, like: Sequence[Cells] = ()) -> list[Finding]:
    """Loss at the best learning rate against the batch size, and accumulation; `like` as in gap."""
    found = []
    for name in ("Adam, half-life", "Adafactor", "Muon"):
        every = {batch: cell for (own, batch), cell in cells.items() if own == name}
        if 1 not in every:  # not trained
            continue
        larger = min(sorted(every)[1:], key=partial(_level, every))
        loss = gap(cells, (name, 1), (name, larger), like)
        found.append(
            Finding(
                f"{name} trains as well with one sequence as with any batch",
                "marek",
                f"L(B=1) - lowest L(B>1) <= {STABLE:g}",
                (loss,),
                loss.below(STABLE),
            )
        )
    fixed = gap(cells, ("Adam, fixed", 1), ("Adam, half-life", 1), like)
    found.append(
        Finding(
            "at one sequence a fixed beta2 of 0.95 is worse than a fixed half-life",
            "marek",
            "L(fixed, 1) - L(half-life, 1) > 0",
            (fixed,),
            fixed.above(0.0),
        )
    )
    small, middle = (gap(cells, ("SGD", b), ("Adam, half-life", b), like) for b in (1, 16))
    grows = less(middle, small)
    found.append(
        Finding(
            "plain SGD is competitive with Adam at one sequence, and the less the larger the batch",
            "marek",
            f"gap of SGD to Adam at B=1 <= {SGD_GAP:g}, and larger at B=16",
            (small, grows),
            together([small.below(SGD_GAP), grows.above(0.0)]),
        )
    )
    momentum = gap(cells, ("SGD", 1), ("momentum SGD", 1), like)
    found.append(
        Finding(
            "momentum is not needed at one sequence",
            "marek",
            f"L(SGD, 1) - L(momentum SGD, 1) <= {STABLE:g}",
            (momentum,),
            momentum.below(STABLE),
        )
    )
    slope = rate_exponent(cells, "Adam, half-life", (1, 4, 16, 64))
    found.append(
        Finding(
            "Adam's best learning rate grows more slowly than the square root of the batch",
            "marek",
            f"exponent over B=1 to 64 <= {SQUARE_ROOT:g}",
            (slope,),
            slope.below(SQUARE_ROOT),
        )
    )
    for name in ("SGD", "momentum SGD", "Adam, half-life", "Adafactor", "Muon"):
        if (name, 4) not in cells or (name, 64) not in cells:
            continue
        loss = gap(cells, (name, 64), (name, 4), like)
        found.append(
            Finding(
                f"{name}: accumulating 16 micro-batches of 4 is worse than updating after each",
                "marek",
                "L(B=64) - L(B=4) > 0",
                (loss,),
                loss.above(0.0),
            )
        )
    return found


def _level(cells: Mapping[int, Cell], batch: int) -> float:
    return float(np.mean(cells[batch].losses))


def robustness_claim(small: Sequence[float], large: Sequence[float], spread: Spread) -> Finding:
    """Off by four at B = 1 and B = 64, one number per seed each."""
    harm = difference(large, small, spread)
    return Finding(
        "small batches are more robust to learning rate, beta1 and beta2",
        "marek",
        "rise of the loss off by four at B=64 less that at B=1 > 0",
        (harm,),
        harm.above(0.0),
    )


def scale_claims(cells: Cells, batch: int, like: Sequence[Cells] = ()) -> list[Finding]:
    """SGD-SaI against AdamW, momentum SGD and the square root of the number of entries.

    like: tables of the same runs on all texts, this one among them, over which spreads are pooled.
    """
    sai = ("SGD-SaI", batch)
    adam = gap(cells, sai, ("AdamW", batch), like)
    momentum = gap(cells, ("momentum SGD", batch), sai, like)
    root = gap(cells, ("√numel-SGD", batch), sai, like)
    widths = [wider(cells, sai, (name, batch), like) for name in ("AdamW", "momentum SGD")]
    return [
        Finding(
            "SGD-SaI matches AdamW",
            "sai",
            f"L(SGD-SaI) - L(AdamW) <= {MARGIN:g}",
            (adam,),
            adam.below(MARGIN),
        ),
        Finding(
            "SGD-SaI is better than momentum SGD",
            "sai",
            "L(momentum SGD) - L(SGD-SaI) > 0",
            (momentum,),
            momentum.above(0.0),
        ),
        Finding(
            "SGD-SaI is the square root of the number of entries as a learning rate per tensor",
            "own",
            f"|L(√numel-SGD) - L(SGD-SaI)| <= {MARGIN:g}",
            (root,),
            together(
                [root.below(MARGIN), Interval(-root.value, -root.high, -root.low).below(MARGIN)]
            ),
        ),
        Finding(
            "SGD-SaI is less sensitive to the learning rate than AdamW and momentum SGD",
            "sai",
            f"octaves within {RISE:g} nats of the best: SGD-SaI's less the other's > 0",
            tuple(widths),
            together([each.above(0.0) for each in widths]),
        ),
    ]
