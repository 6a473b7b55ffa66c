"""Which cell starts from which: outwards over epsilon in the middle batch size, then over B.

Every cell names one neighbour, so that where it starts depends on that cell's results and on
nothing else, in whatever order runs end.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from empirical.sweep.cells import Cell

SQUARE_ROOT = 0.5
"""ln eta* against ln B before anything is known of it here: between none and linear."""


def chained(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells with their neighbours; the order is kept."""
    found = []
    for cell in cells:
        same = [c for c in cells if (c.place, c.budget) == (cell.place, cell.budget)]
        batch_sizes = sorted({c.batch_size for c in same})
        variants = [c for c in same if c.batch_size == cell.batch_size]
        inward = _inward(batch_sizes.index(cell.batch_size), len(batch_sizes))
        at = variants.index(cell)
        if inward is not None:
            row = [c for c in same if c.batch_size == batch_sizes[inward]]
            name: str | None = row[at].name
        else:
            beside = _inward(at, len(variants))
            name = None if beside is None else variants[beside].name
        found.append(cell.model_copy(update={"neighbour": name}))
    return tuple(found)


def _inward(at: int, count: int) -> int | None:
    """The next place towards the middle one, (count - 1) // 2; None there."""
    middle = (count - 1) // 2
    if at == middle:
        return None
    return at + 1 if at < middle else at - 1


def shift(cell: Cell, neighbour: Cell, found: float, before: tuple[Cell, float] | None) -> float:
    """Where to expect ln eta* of a cell less that of its neighbour.

    By the theory's one-step optima where both are known; else by the change from the neighbour's
    own neighbour, continued; else by the square root of the batch size.

    found: ln eta* of the neighbour. before: the neighbour's neighbour and its ln eta*.
    """
    if cell.predicted is not None and neighbour.predicted is not None:
        return log(cell.predicted / neighbour.predicted)
    if cell.batch_size != neighbour.batch_size:
        ratio = log(cell.batch_size / neighbour.batch_size)
        if before is None or before[0].batch_size == neighbour.batch_size:
            return SQUARE_ROOT * ratio
        step = log(neighbour.batch_size / before[0].batch_size)
        return _slope(found - before[1], step) * ratio
    if not (cell.epsilon and neighbour.epsilon) or before is None or not before[0].epsilon:
        return 0.0
    step = log(neighbour.epsilon / before[0].epsilon)
    return _slope(found - before[1], step) * log(cell.epsilon / neighbour.epsilon)


def _slope(rise: float, step: float) -> float:
    """Continued as it was, within what the theory allows: from flat to linear."""
    return min(max(rise / step, 0.0), 1.0)
