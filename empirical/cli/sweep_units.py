"""Durations and counts as `sweep` prints them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds in the unit that a reader wants."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def si(value: float) -> str:
    """A count with a prefix: 1.05M."""
    for power, prefix in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if value >= 10**power:
            return f"{value / 10**power:.3g}{prefix}"
    return f"{value:g}"
