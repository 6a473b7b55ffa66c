"""The one law: the learning rate that minimises the expected loss after one step.

E[L(theta - eta u)] = L - eta d + eta^2 c / 2 with descent d = E[u]^T g and curvature
c = E[u^T H u] gives eta* = d / c and a loss drop of d^2 / (2 c).
Source: kexue.fm/archives/10542, general direction; arXiv 1812.06162, appendix A for SGD.
"""

import math
from dataclasses import dataclass

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, fewest_samples, ratio_estimate


@dataclass(frozen=True)
class OptimalStep:
    """learning_rate: eta*, unit of parameter / update. loss_drop: expected, unit of the loss."""

    learning_rate: Estimate
    loss_drop: Estimate


# An outcome that carries its numbers, named for what it says: not a fault of the program.
class NoOptimalStep(ArithmeticError):  # noqa: N818
    """No positive finite learning rate minimises the expected loss; carries what is known."""

    def __init__(self, message: str, descent: Estimate, curvature: Estimate) -> None:
        super().__init__(message)
        self.descent = descent
        self.curvature = curvature


class NoMinimum(NoOptimalStep):
    """The curvature along the update is not positive: the quadratic has no minimum."""


class NoDescent(NoOptimalStep):
    """The expected update does not point downhill: no positive step lowers the loss."""


def optimal_step(descent: Estimate, curvature: Estimate, *, covariance: float = 0.0) -> OptimalStep:
    """eta* = descent / curvature and loss drop = descent^2 / (2 curvature).

    descent: E[u]^T g, loss / step. curvature: E[u^T H u], loss / step^2, for the same u.
    covariance: between the two estimates, 0 if they come from separate draws.
    Standard errors by the delta method.

    Raises NoMinimum for curvature <= 0, NoDescent for descent <= 0, InputError for infinities.
    """
    if not (math.isfinite(descent.value) and math.isfinite(curvature.value)):
        raise InputError(
            f"descent {descent.value} and curvature {curvature.value} came; "
            "finite numbers are wanted; check the loss for overflow"
        )
    if curvature.value <= 0:
        raise NoMinimum(
            f"no minimum along this direction: curvature {curvature.value:.4g} "
            f"± {curvature.standard_error:.2g} is not positive",
            descent,
            curvature,
        )
    if descent.value <= 0:
        raise NoDescent(
            f"no descent along this direction: E[u]^T g is {descent.value:.4g} "
            f"± {descent.standard_error:.2g}, not positive",
            descent,
            curvature,
        )
    drop = descent.value**2 / (2 * curvature.value)
    down = descent.standard_error / descent.value
    across = curvature.standard_error / curvature.value
    mixed = covariance / (descent.value * curvature.value)
    spread = math.sqrt(max(4 * down**2 + across**2 - 4 * mixed, 0.0))
    return OptimalStep(
        learning_rate=ratio_estimate(descent, curvature, covariance),
        loss_drop=Estimate(drop, drop * spread, fewest_samples((descent, curvature))),
    )
