"""How far a single optimum may lie from a law, the scatter's own uncertainty counted.

The estimate tau of `fit` is often 0 for a few batch sizes although optima do scatter, and intervals
built on it cover 72 to 90 % in place of 95. What predicts is the mean of tau^2 over all values that
the residuals r allow, weighted by their restricted likelihood (Patterson and Thompson 1971,
Biometrika 58, 545),

    -2 ln L(tau) = sum ln w + ln det J' W J + sum r^2 / w,   w = s^2 + tau^2,

J the slopes of the law and s the errors of the optima. Beyond `LARGEST` nothing is allowed: optima
that scatter by a factor e follow no law.
"""

from __future__ import annotations

import numpy as np

from empirical.judge.fit import Fit
from empirical.judge.fit_curve import jacobian
from empirical.judge.fit_data import Optima

LARGEST = 1.0
PLACES = LARGEST * (np.arange(200) + 0.5) / 200
"""Values of tau, alike in prior weight."""


def predictive_scatter(fit: Fit, data: Optima) -> float:
    """sqrt(E tau^2) of ln eta*; data: what was fitted. At least the estimate itself."""
    measured, known = data.measured, np.diag(fit.covariance) > 0
    gap = (fit.predict(data) - data.log_rate)[measured]
    slopes = jacobian(fit.form, fit.design(data), fit.coefficients, data)[measured][:, known]
    # of any unit: a determinant's factors do not depend on tau
    slopes = slopes / np.maximum(np.linalg.norm(slopes, axis=0), 1e-300)
    variance = data.standard_error[measured] ** 2 + PLACES[:, None] ** 2
    information = np.einsum("ti,ij,ik->tjk", 1 / variance, slopes, slopes)
    determinant = np.linalg.slogdet(information + 1e-12 * np.eye(slopes.shape[1]))[1]
    twice = np.log(variance).sum(axis=1) + determinant + (gap**2 / variance).sum(axis=1)
    weight = np.exp(-0.5 * (twice - twice.min()))
    return max(fit.scatter, float(np.sqrt(weight @ PLACES**2 / weight.sum())))
