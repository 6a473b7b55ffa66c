"""One least-squares problem: residuals whose squares sum to -2 ln likelihood, and its solution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares
from scipy.special import log_ndtr

from empirical.judge.fit_curve import jacobian, log_rates
from empirical.judge.fit_data import Array, Optima
from empirical.judge.fit_start import bounds_of, starts_of
from empirical.judge.fit_ties import Design
from scaling_theory.laws.form import LawForm

STARTS = 3
EVALUATIONS = 200


@dataclass(frozen=True)
class Problem:
    """A law with its design on optima. free: places of the coefficients to find."""

    form: LawForm
    design: Design
    data: Optima
    free: NDArray[np.int64]

    def residuals(self, coefficients: Array, tau: float) -> tuple[Array, Array]:
        """Residuals r [n] and dr/d(ln eta* of the law) [n].

        Measured: (law - optimum) / sqrt(s^2 + tau^2). Beyond the grid: sqrt(-2 ln Phi(z)), z the
        distance by which the law lies on the right side of the edge, in the same width.
        """
        data = self.data
        width = np.hypot(data.standard_error, tau)
        gap = (log_rates(self.form, self.design, coefficients, data) - data.log_rate) / width
        slopes = 1 / width
        beyond = ~data.measured
        if beyond.any():
            inside = data.side[beyond] * gap[beyond]
            log_probability = log_ndtr(inside)
            # Far on the right side the probability is 1 to the last digit and r is 0.
            root = np.sqrt(np.maximum(-2 * log_probability, 1e-30))
            hazard = np.exp(-0.5 * inside**2 - log_probability) / np.sqrt(2 * pi)
            gap[beyond] = root
            slopes[beyond] *= -data.side[beyond] * hazard / root
        return gap, slopes

    def cost(self, coefficients: Array, tau: float) -> float:
        """-2 ln likelihood up to constants."""
        return float(np.sum(self.residuals(coefficients, tau)[0] ** 2))

    def solved(self, start: Array, tau: float, held: Mapping[int, float]) -> Array:
        """The least-squares coefficients from `start`, those in `held` kept."""
        whole = start.copy()
        for place, value in held.items():
            whole[place] = value
        if not len(self.free):
            return whole
        lower, upper = bounds_of(self.form, self.design, self.data)
        low, high = lower[self.free], upper[self.free]

        def filled(part: Array) -> Array:
            full = whole.copy()
            full[self.free] = part
            return full

        def slopes(part: Array) -> Array:
            full = filled(part)
            weights = self.residuals(full, tau)[1]
            moved = jacobian(self.form, self.design, full, self.data)[:, self.free]
            return np.asarray(weights[:, None] * moved)

        answer = least_squares(
            lambda part: self.residuals(filled(part), tau)[0],
            np.clip(whole[self.free], low + 1e-9, high - 1e-9),
            slopes,
            bounds=(low, high),
            ftol=1e-9,
            xtol=1e-9,
            max_nfev=EVALUATIONS,
        )
        return filled(answer.x)

    def searched(self, tau: float, held: Mapping[int, float], guess: Array | None = None) -> Array:
        """The best least-squares coefficients from the most promising of coarse starts.

        guess: takes the place of all of them but the first.
        """
        starts = starts_of(self.form, self.design, self.data)
        starts.sort(key=lambda start: self.cost(start, tau))
        starts = starts[:STARTS] if guess is None else [starts[0], guess]
        ends = [self.solved(start, tau, held) for start in starts]
        return min(ends, key=lambda end: self.cost(end, tau))

    def scatter(self, coefficients: Array) -> float:
        """tau at which chi^2 of the measured optima is their number less that of `free`."""
        data = self.data
        gap = (log_rates(self.form, self.design, coefficients, data) - data.log_rate)[data.measured]
        errors = data.standard_error[data.measured]
        freedom = len(gap) - len(self.free)

        def excess(tau: float) -> float:
            return float(np.sum(gap**2 / (errors**2 + tau**2))) - freedom

        if excess(0.0) <= 0:
            return 0.0
        # There chi^2 is at most n / (n - k) times smaller than n - k.
        return float(
            brentq(excess, 0.0, 1e-3 + 1.01 * float(np.sqrt(gap @ gap / freedom)), xtol=1e-6)
        )
