"""Interpolation along one axis of a measured grid, as weights, with rival weights for its error.

A value at x is the dot product of `best` with the values at the nodes. The rivals are the
interpolants of one order less; how far they stray is the stated interpolation error.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WIDE = log(4.0) + 1e-9
"""Between nodes further apart than a factor of 4 the straight line is a rival too: there the cubic
and the quadratics can agree and be wrong together."""

VERY_WIDE = log(10.0) + 1e-9
"""Beyond a decade even the line tells little: the nearer node alone is a rival too."""

_SAME = 1e-12
"""Relative distance within which a position is taken to be a node."""


@dataclass(frozen=True)
class AxisWeights:
    """Weights over the n nodes of one axis, each vector summing to 1.

    best: [n], what the value is made with. rivals: each [n], empty on a node.
    outside: the position lies beyond the nodes and the nearest one is used.
    """

    best: Array
    rivals: tuple[Array, ...] = ()
    outside: bool = False


def axis_weights(position: float, nodes: Array) -> AxisWeights:
    """Cubic Lagrange weights through the four nodes round `position`, fewer near an edge.

    position, nodes: logarithms, nodes ascending, [n]. Beyond them the nearest node is used and
    its neighbour is the rival.
    """
    count = len(nodes)
    near = int(np.argmin(np.abs(nodes - position)))
    if abs(position - nodes[near]) <= _SAME * max(1.0, abs(position)):
        return AxisWeights(_lagrange(nodes[near], nodes, [near]))
    rivals: tuple[Array, ...] = ()
    if not nodes[0] < position < nodes[-1]:
        neighbour = 1 if near == 0 else count - 2
        if count > 1:
            rivals = (_lagrange(position, nodes, [neighbour]),)
        return AxisWeights(_lagrange(position, nodes, [near]), rivals, outside=True)
    right = int(np.searchsorted(nodes, position))
    used = list(range(max(0, right - 2), min(count, right + 2)))
    if len(used) == 2:
        rivals_used = [[near]]
    elif len(used) == 3:
        rivals_used = [[right - 1, right]]
    else:
        rivals_used = [used[:-1], used[1:]]
        if nodes[right] - nodes[right - 1] > WIDE:
            rivals_used.append([right - 1, right])
    if nodes[right] - nodes[right - 1] > VERY_WIDE:
        rivals_used.append([near])
    rivals = tuple(_lagrange(position, nodes, rival) for rival in rivals_used)
    return AxisWeights(_lagrange(position, nodes, used), rivals)


def epsilon_weights(epsilon: float, nodes: Array) -> AxisWeights:
    """Weights over epsilons [n] ascending; the first may be 0 and the last infinite.

    Between two finite positive nodes: cubic in ln(epsilon). Between 0 and the first positive node
    linear in epsilon, beyond the last finite node linear in 1/epsilon^2 (the orders at which the
    softsign leaves sign and SGD), where the node 0 or infinity was measured.
    """
    count = len(nodes)
    exact = np.flatnonzero(nodes == epsilon)
    if exact.size:
        return AxisWeights(np.eye(count)[exact[0]])
    positive = np.flatnonzero((nodes > 0) & np.isfinite(nodes))
    if not positive.size:
        near = 0 if epsilon < inf and nodes[0] == 0 else count - 1
        return AxisWeights(np.eye(count)[near], outside=True)
    first, last = int(positive[0]), int(positive[-1])
    if first > 0 and 0 < epsilon < nodes[first]:
        return _strip(epsilon / nodes[first], first - 1, first, count)
    if last < count - 1 and nodes[last] < epsilon < inf:
        return _strip((nodes[last] / epsilon) ** 2, last + 1, last, count)
    if epsilon == 0 or epsilon == inf:
        near = first if epsilon == 0 else last
        return AxisWeights(np.eye(count)[near], outside=True)
    inner = axis_weights(log(epsilon), np.log(nodes[positive]))

    def spread(weights: Array) -> Array:
        full = np.zeros(count)
        full[positive] = weights
        return full

    return AxisWeights(spread(inner.best), tuple(map(spread, inner.rivals)), inner.outside)


def _strip(share: float, at_zero: int, at_one: int, count: int) -> AxisWeights:
    """Linear between two nodes: share 0 at one, 1 at the other; the nearer one is the rival."""
    basis = np.eye(count)
    best = (1 - share) * basis[at_zero] + share * basis[at_one]
    return AxisWeights(best, (basis[at_zero] if share < 0.5 else basis[at_one],))


def _lagrange(position: float, nodes: Array, used: list[int]) -> Array:
    """Weights [n] of the polynomial through the nodes `used`, zero elsewhere."""
    weights = np.zeros(len(nodes))
    for i in used:
        factors = [(position - nodes[j]) / (nodes[i] - nodes[j]) for j in used if j != i]
        weights[i] = float(np.prod(factors))
    return weights
