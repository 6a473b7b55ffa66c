"""The steps of every derivation, derived once for all tests of a process."""

from __future__ import annotations

from functools import cache

from scaling_theory.derivations.catalogue import DERIVATIONS
from scaling_theory.derivations.step import Step


@cache
def steps_of(name: str) -> tuple[Step, ...]:
    """The steps of a derivation by name."""
    return DERIVATIONS[name]()
