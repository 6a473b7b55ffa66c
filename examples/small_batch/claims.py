"""The claims, each as an inequality; written before the first run and not changed after it.

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
from math import log, sqrt

import numpy as np

from empirical.judge.claim import (
    Interval,
    Spread,
    Verdict,
    both,
    difference,
    pooled_spread,
)
from examples.small_batch.cells import Cell, width

MARGIN = 0.02
STABLE = 0.05
SGD_GAP = 0.15
RISE = 0.1
SQUARE_ROOT = 0.5

Cells = Mapping[tuple[str, int], Cell]


@dataclass(frozen=True)
class Finding:
    """One claim on one text: the number, its criterion in words, and the verdict."""

    claim: str
    source: str
    criterion: str
    numbers: tuple[Interval, ...]
    verdict: Verdict


def spreads(cells: Cells) -> dict[str, Spread]:
    """The spread of the best loss between seeds, by optimizer, pooled over its batch sizes."""
    names = dict.fromkeys(name for name, _ in cells)
    return {
        name: pooled_spread([cell.losses for (own, _), cell in cells.items() if own == name])
        for name in names
    }


def gap(cells: Cells, first: tuple[str, int], second: tuple[str, int]) -> Interval:
    """L(first) - L(second); the larger spread of the two optimizers stands for both."""
    every = spreads(cells)
    spread = max(every[first[0]], every[second[0]], key=lambda each: each.standard_deviation)
    return difference(cells[first].losses, cells[second].losses, spread)


def batch_claims(cells: Cells) -> list[Finding]:
    """Loss at the best learning rate against the batch size, and accumulation."""
    found = []
    sizes = sorted({batch for _, batch in cells})
    for name in ("Adam, half-life", "Adafactor", "Muon"):
        larger = min(sizes[1:], key=lambda batch: float(np.mean(cells[name, batch].losses)))
        loss = gap(cells, (name, 1), (name, larger))
        found.append(
            Finding(
                f"{name} trains as well with one sequence as with any batch",
                "marek",
                f"L(B=1) - lowest L(B>1) <= {STABLE:g}",
                (loss,),
                loss.below(STABLE),
            )
        )
    fixed = gap(cells, ("Adam, fixed", 1), ("Adam, half-life", 1))
    found.append(
        Finding(
            "at one sequence a fixed beta2 of 0.95 is worse than a fixed half-life",
            "marek",
            "L(fixed, 1) - L(half-life, 1) > 0",
            (fixed,),
            fixed.above(0.0),
        )
    )
    small, middle = (gap(cells, ("SGD", b), ("Adam, half-life", b)) for b in (1, 16))
    grows = _less(middle, small)
    found.append(
        Finding(
            "plain SGD is competitive with Adam at one sequence, and the less the larger the batch",
            "marek",
            f"gap of SGD to Adam at B=1 <= {SGD_GAP:g}, and larger at B=16",
            (small, grows),
            both(small.below(SGD_GAP), grows.above(0.0)),
        )
    )
    momentum = gap(cells, ("SGD", 1), ("momentum SGD", 1))
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
        loss = gap(cells, (name, 64), (name, 4))
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


def rate_exponent(cells: Cells, name: str, sizes: Sequence[int]) -> Interval:
    """Slope of ln eta* over ln B by weighted least squares; errors grow with the misfit."""
    points = [(log(b), cells[name, b].optimum.ln_eta) for b in sizes]
    known = [(x, y.value, y.standard_error) for x, y in points if y is not None]
    x, y, error = (np.array(each) for each in zip(*known, strict=True))
    design = np.stack([np.ones_like(x), x], axis=1) / error[:, None]
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ (y / error)
    misfit = float(np.sum((y / error - design @ fitted) ** 2)) / max(1, len(x) - 2)
    reach = 1.96 * sqrt(inverse[1, 1] * max(1.0, misfit))
    slope = float(fitted[1])
    return Interval(slope, slope - reach, slope + reach)


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


def scale_claims(cells: Cells, batch: int) -> list[Finding]:
    """SGD-SaI against AdamW, momentum SGD and the square root of the number of entries."""
    sai = ("SGD-SaI", batch)
    adam = gap(cells, sai, ("AdamW", batch))
    momentum = gap(cells, ("momentum SGD", batch), sai)
    root = gap(cells, ("√numel-SGD", batch), sai)
    wider = [_wider(cells, sai, (name, batch)) for name in ("AdamW", "momentum SGD")]
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
            both(root.below(MARGIN), Interval(-root.value, -root.high, -root.low).below(MARGIN)),
        ),
        Finding(
            "SGD-SaI is less sensitive to the learning rate than AdamW and momentum SGD",
            "sai",
            f"octaves within {RISE:g} nats of the best: SGD-SaI's less the other's > 0",
            tuple(wider),
            both(*(each.above(0.0) for each in wider)),
        ),
    ]


def widths(cell: Cell) -> tuple[float, ...]:
    """Octaves within RISE of the best, one per seed."""
    seeds = sorted({seed for by_seed in cell.runs.values() for seed in by_seed})
    return tuple(width(cell, seed, RISE) for seed in seeds)


def _wider(cells: Cells, first: tuple[str, int], second: tuple[str, int]) -> Interval:
    spread = pooled_spread([widths(cell) for cell in cells.values()])
    return difference(widths(cells[first]), widths(cells[second]), spread)


def _less(first: Interval, second: Interval) -> Interval:
    """first - second of independent intervals."""
    value = first.value - second.value
    reach = sqrt((first.high - first.value) ** 2 + (second.high - second.value) ** 2)
    return Interval(value, value - reach, value + reach)
