"""The error of a caller who must change the input, and the checks that raise it."""

from __future__ import annotations

from math import isfinite


class InputError(ValueError):
    """A caller's mistake; the message is one line: what came, what was wanted, what to do."""


def require_positive(value: float, name: str, advice: str) -> float:
    """Return `value` if it is finite and > 0, else raise `InputError` naming it.

    `advice` completes the line: what the caller should do.
    """
    if not (isfinite(value) and value > 0):
        raise InputError(f"{name} is {value:g}; a finite number above 0 is wanted: {advice}")
    return value


def require_not_negative(value: float, name: str, advice: str) -> float:
    """Return `value` if it is finite and >= 0, else raise `InputError` naming it."""
    if not (isfinite(value) and value >= 0):
        raise InputError(f"{name} is {value:g}; a finite number of at least 0 is wanted: {advice}")
    return value


def require_decay(value: float, name: str) -> float:
    """Return `value` if it is an averaging factor, 0 <= value < 1, else raise `InputError`."""
    if not 0 <= value < 1:
        raise InputError(
            f"{name} is {value:g}; a factor in [0, 1) is wanted: "
            "write the share of the old average kept at each step, such as 0.9"
        )
    return value
