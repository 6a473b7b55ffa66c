"""What counts as 1 of a loss that need not be in nats: steps are sized by it."""

from __future__ import annotations

ORDINARY = (0.1, 10.0)
"""Losses of a sample between which the unit is 1, as it is in nats."""


def unit_of(typical: float) -> float:
    """The unit of a loss from the typical loss of a sample.

    Outside of `ORDINARY`, such as the squared error of prices, it goes with the loss: a step sized
    in nats would leave the parabola there, or drown in rounding.

    >>> [unit_of(loss) for loss in (1e-5, 3.0, 10.0, 20.0, 1e4)]
    [0.0001, 1.0, 1.0, 4.0, 10000.0]
    """
    low, high = ORDINARY
    if typical > high:  # no jump where a large vocabulary begins
        return min((typical / high) ** 2, typical)
    return min(typical / low, 1.0) or 1.0
