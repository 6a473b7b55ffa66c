"""The learning rates that an adaptive sweep may use: 2^(k/8), k whole.

All cells share them, and a start that comes from a fit cannot carry its last bits into the key of
a run.
"""

from __future__ import annotations

from math import log, log2

PER_OCTAVE = 8


def learning_rate(position: int) -> float:
    """2^(position / 8), to six digits."""
    return float(f"{2 ** (position / PER_OCTAVE):.6g}")


def position_of(rate: float) -> int:
    """The nearest position; rate > 0."""
    return round(PER_OCTAVE * log2(rate))


def position_of_log(ln_rate: float) -> int:
    """The nearest position to a natural logarithm."""
    return round(PER_OCTAVE * ln_rate / log(2))
