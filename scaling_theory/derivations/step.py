"""One step of a derivation: an assumption, an equation, and an identity that is evaluated.

A derivation is a plain function that returns a tuple of steps. A step shows `equation`, whose
right-hand side is the claim, and holds `derived`, the left-hand side worked out by the route
that `how` describes. The step stands when their difference is zero, and `check` evaluates it on
the displayed right-hand side itself, so that a wrong formula cannot be shown and pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from scaling_theory.derivations.zero import falsify, proves_zero
from scaling_theory.symbols import LATEX, N

__all__ = ["IdentityError", "Step"]


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
    tolerance:   0 for an exact (symbolic) check, else the largest accepted |difference|; the
                 identity is then a number, and `how` says where the tolerance comes from.
    """

    title: str
    assumption: str
    equation: sp.Eq
    derived: sp.Expr
    how: str
    source: str
    coordinates: int = 0
    tolerance: float = 0.0

    @property
    def claim(self) -> sp.Expr:
        """The right-hand side of the displayed equation."""
        return self.equation.rhs

    @property
    def identity(self) -> sp.Expr:
        """Derived minus claimed, sums written out: zero if the step is right."""
        claim = self.claim
        if self.coordinates:
            claim = claim.subs(N, self.coordinates).doit()
        return self.derived - claim

    @property
    def latex(self) -> str:
        """The displayed equation in LaTeX."""
        return str(sp.latex(self.equation, symbol_names=LATEX))

    @property
    def exact(self) -> bool:
        """True when the identity is proved symbolically, False when it is a number."""
        return self.tolerance == 0.0

    def check(self) -> bool:
        """Evaluate the identity; True, or IdentityError with what is left over.

        A number is compared with the tolerance. An expression is first evaluated at fixed
        rational points, which refutes a wrong claim at once, and then reduced to zero exactly.
        """
        identity = self.identity
        if not self.exact:
            left_over = sp.Abs(identity).evalf(20)
            if not (left_over.is_comparable and left_over <= self.tolerance):
                raise IdentityError(self.title, left_over)
            return True
        refutation = falsify(identity)
        if refutation is not None:
            raise IdentityError(self.title, refutation)
        if not proves_zero(identity):
            raise IdentityError(self.title, sp.simplify(identity))
        return True

    def planted(self, factor: sp.Expr) -> Step:
        """The same step with the claim multiplied by `factor` (a claim of zero is shifted).

        The negative control: its check must fail for every factor other than 1.
        """
        claim = self.claim
        wrong = factor - 1 if claim == 0 else factor * claim
        return replace(self, equation=sp.Eq(self.equation.lhs, wrong, evaluate=False))
