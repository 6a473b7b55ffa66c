"""One step of a derivation: an assumption, an equation, and an identity that is evaluated.

A derivation is a plain function that returns a tuple of steps. A step shows `equation`, whose
right-hand side is the claim, and holds `derived`, the left-hand side worked out by the route
that `how` describes. The step stands when their difference is zero, and `check` evaluates it on
the displayed right-hand side itself, so that a wrong formula cannot be shown and pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from scaling_theory.derivations.zero import falsify, number, proves_zero
from scaling_theory.symbols import LATEX, N

__all__ = ["IdentityError", "Step", "equate"]


_NAMED = type(sp.Function("f"))


def equate(left: sp.Expr, claim: sp.Expr) -> sp.Eq:
    """left = claim, displayed as it stands: sympy does not get to evaluate or reorder it."""
    return sp.Eq(left, claim, evaluate=False)


class IdentityError(ArithmeticError):
    """The identity of a step does not hold; carries the title and what was left over."""

    def __init__(self, title: str, left_over: object) -> None:
        super().__init__(f"step '{title}': the two sides differ by {left_over}, wanted 0")
        self.title = title
        self.left_over = left_over


@dataclass(frozen=True)
class Step:
    """Assumption, equation and the evaluated identity behind it.

    equation:    Eq(left, claim); sums over coordinates run to the symbol N.
    derived:     the left-hand side by the route `how` tells; never the claim itself.
    coordinates: if positive, the N at which the sums of the claim are written out for the check.
    where:       replacements made in the claim before the comparison: expression -> expression,
                 or a named function -> what computes it.
    tolerance:   0 for an exact (symbolic) check, else the largest accepted |difference|; the
                 identity is then a number, and `how` says where the tolerance comes from.
    approximate: the assumption is an approximation of the left-hand side, shown with a wavy sign.
    """

    title: str
    assumption: str
    equation: sp.Eq
    derived: sp.Expr
    how: str
    source: str
    coordinates: int = 0
    where: Mapping[Any, Any] = field(default_factory=dict)
    tolerance: float = 0.0
    approximate: bool = False

    @property
    def claim(self) -> sp.Expr:
        """The right-hand side of the displayed equation."""
        return self.equation.rhs

    @property
    def identity(self) -> sp.Expr:
        """Derived minus claimed, sums written out: zero if the step is right."""
        return self.derived - self._written_claim()

    @property
    def latex(self) -> str:
        """The displayed equation in LaTeX."""
        left, right = (
            sp.latex(side, symbol_names=LATEX) for side in (self.equation.lhs, self.equation.rhs)
        )
        return f"{left} {chr(92) + 'approx' if self.approximate else '='} {right}"

    @property
    def exact(self) -> bool:
        """True when the identity is proved symbolically, False when it is a number."""
        return self.tolerance == 0.0

    def check(self) -> bool:
        """Evaluate the identity; True, or IdentityError with what is left over.

        A number is compared with the tolerance. An expression is first evaluated at fixed
        rational points, which refutes a wrong claim at once, and then reduced to zero exactly.
        """
        if not self.exact:
            # Apart: a difference of 20 digits would be chased into its own cancellation.
            left_over = sp.Abs(number(self.derived) - number(self._written_claim()))
            if not (left_over.is_comparable and left_over <= self.tolerance):
                raise IdentityError(self.title, left_over)
            return True
        identity = self.identity
        refutation = falsify(identity)
        if refutation is not None:
            raise IdentityError(self.title, refutation)
        if not proves_zero(identity):
            raise IdentityError(self.title, sp.simplify(identity))
        return True

    def _written_claim(self) -> sp.Expr:
        claim = self.claim
        if self.coordinates:
            claim = claim.subs(N, self.coordinates).doit()
        functions = {name: f for name, f in self.where.items() if isinstance(name, _NAMED)}
        for name, function in functions.items():
            claim = claim.replace(name, function)
        return claim.subs({old: new for old, new in self.where.items() if old not in functions})

    def planted(self, factor: sp.Expr) -> Step:
        """The same step with the claim multiplied by `factor` (a claim of zero is shifted).

        The negative control: its check must fail for every factor other than 1.
        """
        claim = self.claim
        wrong = factor - 1 if claim == 0 else factor * claim
        return replace(self, equation=equate(self.equation.lhs, wrong))
