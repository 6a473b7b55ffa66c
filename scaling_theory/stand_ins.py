"""Which optimizers the softsign is, or stands for, and at which epsilon.

kexue.fm/archives/10563 models Adam by u = g / sqrt(g^2 + epsilon^2); the sign and plain SGD are
its ends. What momentum makes of a run is another matter (`run_law`).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

FIXED_EPSILON: Mapping[str, float] = MappingProxyType({"sgd": inf, "signsgd": 0.0, "signum": 0.0})
"""Optimizers that are an end of the softsign, whatever epsilon is stated."""

OWN_EPSILON = ("softsignsgd", "adam", "adamw")
"""Those whose own epsilon it is."""

AVERAGING = ("adam", "adamw", "signum")
"""Those that average the gradient whether or not a table or a recipe says how."""


def has_softsign(optimizer: str) -> bool:
    """Whether there is a one-step theory of this optimizer here."""
    return optimizer in FIXED_EPSILON or optimizer in OWN_EPSILON


def softsign_epsilon(optimizer: str, stated: float | None) -> float | None:
    """The epsilon of the softsign, unit of a gradient; None where it is needed and unstated."""
    return FIXED_EPSILON.get(optimizer, stated)


def momentum_of(optimizer: str, stated: float | None) -> float | None:
    """beta1 of the optimizer's average, 0 without one; None where it has one and is unstated."""
    if stated is not None:
        return stated
    return None if optimizer in AVERAGING else 0.0
