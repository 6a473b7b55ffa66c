"""Counts that a caller gives: whole numbers, of whichever library."""

from __future__ import annotations

from operator import index

from empirical.errors import UsageError


def check_whole(**counts: object) -> None:
    """Raise UsageError for the first count, by its name, that is no whole number; None passes."""
    for name, value in counts.items():
        if value is None:
            continue
        try:
            index(value)  # type: ignore[arg-type]  # whatever came: that is asked here
        except TypeError:
            raise UsageError(
                f"{name} is {str(value)[:40]}; a whole number is wanted, such as int({name})"
            ) from None
