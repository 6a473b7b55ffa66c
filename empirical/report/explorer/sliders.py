"""The sliders of the what-if panel: every stop a value and the text it is shown by.

Stops are rounded before they are used, so that what is shown is what is computed with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, isfinite, log, log10

from empirical.report.numerals import NBSP, plain, scientific
from scaling_theory.surface import SurfaceStatistics

ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Stops of one decade: neighbours are 20 to 33 % apart."""

SAME, NEAR = 1e-6, 0.03
"""Measured values closer than `SAME` are one, and a round one this near a measured one is left
out: the measured one is exact."""


@dataclass(frozen=True)
class Stop:
    """value: in the slider's unit. text: as shown and as read out."""

    value: float
    text: str


@dataclass(frozen=True)
class Slider:
    """name: its place in what a formula is given, such as "epsilon" or "tuned learning_rate".

    label: for people. start: the stop it stands at when the page opens.
    """

    name: str
    label: str
    stops: tuple[Stop, ...]
    start: int


def batch_slider(
    name: str,
    label: str,
    unit: str,
    low: float,
    high: float,
    measured: Iterable[float] = (),
    start: float = 0.5,
) -> Slider:
    """Powers of two and the numbers half-way, from half of `low` to four times `high`.

    start: share of the way from `low` to `high`, in logarithms, at which it stands first.
    """
    # Below one there is no batch in units that cannot be cut.
    first = max(low / 2, min(low, 1.0))
    powers = range(floor(log(first, 2)), floor(log(4 * high, 2)) + 1)
    grid = [2.0**power * share for power in powers for share in (1.0, 1.5)]
    values = _merged([low, high, *measured], grid, first, 4 * high)
    stops = tuple(Stop(value, _with_unit(value, unit)) for value in values)
    return Slider(name, label, stops, _nearest(values, low * (high / low) ** start))


def rate_slider(name: str, label: str, around: float) -> Slider:
    """Learning rates two decades to either side, at round numbers."""
    values = _merged([], _round(around / 100, around * 100), around / 101, around * 101)
    stops = tuple(Stop(value, scientific(value, 2)) for value in values)
    return Slider(name, label, stops, _nearest(values, around))


def amount_slider(name: str, label: str, unit: str, low: float, high: float) -> Slider:
    """Round amounts from a quarter of `low` to four times `high`."""
    values = _merged([], _round(low / 4, high * 4), low / 4, high * 4)
    stops = tuple(Stop(value, f"{_large(value)}{NBSP}{unit}".strip()) for value in values)
    return Slider(name, label, stops, _nearest(values, (low * high) ** 0.5))


def epsilon_slider(name: str, label: str, surface: SurfaceStatistics) -> Slider:
    """0 and multiples of rms sigma across the measured epsilons, the measured ones exactly."""
    sigma = surface.rms_sigma
    measured = [e for e in surface.epsilons.tolist() if e > 0 and isfinite(e)]
    low, high = (min(measured), max(measured)) if measured else (0.01 * sigma, 10 * sigma)
    rounds = [sigma * value for value in _round(low / sigma / 10, high / sigma * 10)]
    values = [0.0, *_merged(measured, rounds, low / 10, high * 10)]
    stops = tuple(Stop(value, _epsilon_text(value, sigma)) for value in values)
    start = values.index(measured[len(measured) // 2]) if measured else 0
    return Slider(name, label, stops, start)


def plain_epsilon_slider(name: str, label: str, scale: float) -> Slider:
    """0 and three decades to either side of `scale`, in the unit of a gradient."""
    values = [0.0, *_round(scale / 1000, scale * 1000)]
    stops = tuple(Stop(value, plain(value)) for value in values)
    return Slider(name, label, stops, _nearest(values[1:], scale) + 1)


def count(value: float) -> str:
    """A number of sequences or tokens: whole ones to the last digit."""
    whole = round(value)
    return f"{whole:,}" if abs(value - whole) < SAME * value else plain(value, 4)


def _with_unit(value: float, unit: str) -> str:
    return f"{count(value)} {unit.removesuffix('s') if value == 1 else unit}".strip()


def _epsilon_text(value: float, sigma: float) -> str:
    if value == 0:
        return "0 (sign of the gradient)"
    return f"{plain(value / sigma)}{NBSP}rms{NBSP}σ = {plain(value)}"


def _round(low: float, high: float) -> list[float]:
    decades = range(floor(log10(low)), floor(log10(high)) + 1)
    return [float(f"{share}e{decade}") for decade in decades for share in ROUND]


def _merged(exact: list[float], grid: list[float], low: float, high: float) -> list[float]:
    """Both sorted within the limits; where two are one, that of `exact`."""
    kept: list[float] = []
    for values, apart in ((exact, SAME), (grid, NEAR)):
        for value in values:
            fits = low * (1 - SAME) <= value <= high * (1 + SAME)
            if fits and all(abs(value / other - 1) > apart for other in kept):
                kept.append(value)
    return sorted(kept)


def _nearest(values: list[float], wanted: float) -> int:
    return min(range(len(values)), key=lambda i: abs(log(values[i] / wanted)))


def _large(value: float) -> str:
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{plain(value / size)}{NBSP}{name}"
    return plain(value)
