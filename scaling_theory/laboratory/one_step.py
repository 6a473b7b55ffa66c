"""Exact one-step optima on a noisy quadratic: no expansion, no sampling.

Each function returns the descent d = E[u]^T g and the curvature c = E[u^T H u]; the learning rate
follows from the one law. Momentum and Adam enter in their stationary one-step view: theta stands
still, the averages have settled, and one step is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_theory.errors import require_decay, require_not_negative
from scaling_theory.estimate import Estimate, exact_estimate
from scaling_theory.laboratory.pairs import sign_covariance
from scaling_theory.laboratory.quadratic import FloatArray, NoisyQuadratic, check_batch_size
from scaling_theory.laboratory.soft_pairs import softsign_covariance
from scaling_theory.law import OptimalStep, optimal_step
from scaling_theory.moments import softsign_moments


@dataclass(frozen=True)
class Step:
    """One step in a direction u: descent E[u]^T g, its two curvatures, and their sampling error.

    signal: E[u]^T H E[u]. noise: Tr(H Cov u). Their sum is E[u^T H u]. covariance: between the
    descent and the curvature estimates (0 if exact). optimizer: what makes u.
    """

    descent: Estimate
    signal: float
    noise: float
    curvature: Estimate
    covariance: float
    optimizer: str

    @property
    def optimum(self) -> OptimalStep:
        """eta* and the expected loss drop. Raises NoMinimum or NoDescent (scaling_theory.law)."""
        return optimal_step(self.descent, self.curvature, covariance=self.covariance)

    @property
    def learning_rate(self) -> Estimate:
        """eta*, with its standard error."""
        return self.optimum.learning_rate


def sgd_step(problem: NoisyQuadratic, batch_size: float, *, beta1: float = 0.0) -> Step:
    """SGD: d = |g|^2, c = g^T H g + rho Tr(H Sigma) / B, exact for any noise distribution.

    arXiv 1812.06162 (2.7); rho = (1 - beta_1) / (1 + beta_1) for a settled average of gradients at
    a standing theta (kexue.fm/archives/11301). Over many steps there is no such gain: see
    `stationary_variance`.
    """
    rho = momentum_noise_factor(beta1)
    check_batch_size(batch_size)
    covariance = problem.noise * (rho / batch_size)
    return _exact_step(problem, problem.gradient, covariance, "sgd" + _suffix(beta1))


def sign_step(problem: NoisyQuadratic, batch_size: float, *, beta1: float = 0.0) -> Step:
    """SignSGD under jointly Gaussian noise, exact for any correlation.

    E[u_i] = erf(g_i / (sqrt 2 s_i)) (arXiv 2405.14578, theorem 2), Cov(u) from the bivariate normal
    distribution (`sign_covariance`); at g = 0 it is (2/pi) arcsin R. beta_1 averages the gradient
    before the sign and multiplies the variance by (1 - beta_1) / (1 + beta_1).
    """
    deviation = _deviation(problem, batch_size, beta1)
    gradient = problem.gradient
    moments = softsign_moments(gradient, deviation, 0.0)
    if problem.noise.ndim == 1:
        covariance = moments.variance
    else:
        noisy = deviation > 0
        ratio = np.divide(gradient, deviation, out=np.full_like(gradient, np.inf), where=noisy)
        covariance = sign_covariance(ratio, problem.correlation)
    return _exact_step(problem, moments.mean, covariance, "signsgd" + _suffix(beta1))


def softsign_step(
    problem: NoisyQuadratic, batch_size: float, epsilon: float, *, beta1: float = 0.0
) -> Step:
    """SoftSignSGD under jointly Gaussian noise, by quadrature over pairs of coordinates.

    epsilon in gradient units, inside the root. beta_1 as in `sign_step`. Raises InputError for
    correlated noise in more coordinates than the quadrature takes: use `sampled_step` there.
    """
    deviation = _deviation(problem, batch_size, beta1)
    gradient = problem.gradient
    moments = softsign_moments(gradient, deviation, epsilon)
    covariance = (
        moments.variance
        if problem.noise.ndim == 1
        else softsign_covariance(gradient, deviation, problem.correlation, epsilon)
    )
    name = f"softsignsgd(epsilon={epsilon:g})" + _suffix(beta1)
    return _exact_step(problem, moments.mean, covariance, name)


def adam_limit_step(
    problem: NoisyQuadratic, batch_size: float, *, beta1: float = 0.9, epsilon: float = 0.0
) -> Step:
    """Adam in the limit beta_2 -> 1, where v stands still at g^2 + sigma^2 / B (own derivation).

    u = A m with A = 1 / (sqrt(g^2 + sigma^2 / B) + epsilon) is linear in the gradient, so
    d = g^T A g and c = (A g)^T H (A g) + rho Tr(H A Sigma A) / B, exact for any noise. epsilon is
    outside the root, as in torch. Coordinates with neither gradient nor noise do not move.
    """
    rho = momentum_noise_factor(beta1)
    check_batch_size(batch_size)
    require_not_negative(epsilon, "epsilon", "give a gradient scale")
    gradient = problem.gradient
    scale = np.sqrt(gradient**2 + problem.variance / batch_size) + epsilon
    gain = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    covariance = gain[:, None] * problem.noise_matrix * gain[None, :] * (rho / batch_size)
    name = f"adam beta1={beta1:g} beta2->1 epsilon={epsilon:g}"
    return _exact_step(problem, gain * gradient, covariance, name)


def momentum_noise_factor(beta1: float) -> float:
    """rho = (1 - beta_1) / (1 + beta_1): variance of a settled average over that of a gradient.

    Source: kexue.fm/archives/11301.
    """
    require_decay(beta1, "beta1")
    return (1.0 - beta1) / (1.0 + beta1)


def _deviation(problem: NoisyQuadratic, batch_size: float, beta1: float) -> FloatArray:
    """s = sqrt(rho sigma^2 / B), [P]."""
    check_batch_size(batch_size)
    return np.sqrt(problem.variance * momentum_noise_factor(beta1) / batch_size)


def _exact_step(
    problem: NoisyQuadratic, mean: FloatArray, covariance: FloatArray, optimizer: str
) -> Step:
    """The step with E[u] = mean [P] and Cov(u) = covariance, [P] (its diagonal) or [P, P]."""
    signal = float(problem.curvature(mean))
    if covariance.ndim == 1:
        noise = float(np.diagonal(problem.hessian_matrix) @ covariance)
    else:
        noise = float(np.sum(problem.hessian_matrix * covariance))
    descent = float(mean @ problem.gradient)
    return Step(
        exact_estimate(descent), signal, noise, exact_estimate(signal + noise), 0.0, optimizer
    )


def _suffix(beta1: float) -> str:
    return f" beta1={beta1:g}" if beta1 else ""
