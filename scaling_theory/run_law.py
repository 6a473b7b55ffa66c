"""The learning rate of a whole run, from the terms of one step, its schedule and its momentum.

    eta*_run = c D / (kappa Q + nu N)

with D = E[u]^T g, Q = E[u]^T H E[u] and N = Tr(H Cov u) where the run begins, and c one number for
all batch sizes, epsilons and numbers of steps, which a tuned run fixes. kappa and nu follow from
the run alone: its S steps, the schedule's multiples s_t of the peak learning rate, and the weights
of the bias-corrected average m_t = sum_i w_ti u_i.

kappa: along the mean update the curvature bounds the learning rate. A direction of curvature
lambda without noise ends a run at x_S(h) times where it began, h = eta lambda; h_S is the largest
h up to which x_S^2 <= 1/2, and kappa that of plain steps at a constant learning rate over it.
nu: directions too flat to forget add up the noise, sum_i b_i^2 with b_i = sum_t s_t w_ti, while
the descent adds up sum_t s_t; nu is the ratio of the two.

One step: kappa = nu = 1. A long run at a constant learning rate: nu = 1 and kappa = rho =
(1 - beta1)/(1 + beta1): momentum divides the curvature, not the noise, where the view of one step
(kexue.fm/archives/11301, 11285) has rho at the noise. A learning rate that falls linearly to a
tenth makes room too: kappa = 1/2.25 without momentum. Own derivation; runs: docs/results.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import floor

import numpy as np

from scaling_theory.closed_averages import momentum_factor
from scaling_theory.errors import InputError, require_decay
from scaling_theory.schedule import FloatArray, Schedule, schedule_multiples

HALF = 0.5
"""Share of a direction's squared error that a run may leave, a convention. With 1/4 or 3/4 kappa is
1 % off without momentum; with it 8 % from 6/(1 - beta1) steps on, and a third or more below, where
momentum still swings: there kappa is rough."""

LONG = 4096
"""Steps beyond which a run counts as one of so many: kappa is settled to 1 %."""

LOWEST, HIGHEST, COARSE, FINE, ROUNDS = 0.1, 10.0, 400, 65, 5
"""The search for h_S: a geometric grid from LOWEST to HIGHEST / rho over the mean multiple, then
ROUNDS finer ones between two neighbours of the one before."""

RESCALE, TINY, LN_MOST = 16, 1e-300, 600.0
"""Steps between two rescalings of a direction, and bounds that keep logarithms finite."""


@dataclass(frozen=True)
class RunFactors:
    """curvature: kappa, beside the curvature along the mean update. noise: nu, beside Tr(H Cov)."""

    curvature: float
    noise: float


def whole_steps(steps: float) -> int:
    """The nearest whole number of steps, at least one; halves go up."""
    return max(floor(steps + 0.5), 1)


def run_factors(beta1: float, steps: int, schedule: Schedule) -> RunFactors:
    """kappa and nu of a run of S steps.

    Raises InputError for beta1 outside [0, 1), fewer than one step, and a schedule whose only
    step is at 0.
    """
    require_decay(beta1, "beta1")
    if steps < 1:
        raise InputError(f"got a run of {steps} steps, wanted at least 1")
    return _factors(beta1, min(steps, LONG), schedule)


@lru_cache(maxsize=4096)
def _factors(beta1: float, steps: int, schedule: Schedule) -> RunFactors:
    multiples = schedule_multiples(steps, schedule)
    if not multiples.any():
        raise InputError(f"a run of {steps} steps does not move: its schedule ends at 0 at once")
    # (1 - h)^(2 S) = 1/2 beyond h = 1: plain steps at a constant learning rate.
    plain = 1 + HALF ** (1 / (2 * len(multiples)))
    return RunFactors(
        curvature=plain / largest_product(beta1, multiples),
        noise=noise_factor(beta1, multiples),
    )


def settled_factors(beta1: float) -> RunFactors:
    """kappa = (1 - beta1)/(1 + beta1) and nu = 1: many steps at a constant learning rate."""
    return RunFactors(float(momentum_factor(beta1=beta1)), 1.0)


ONE_STEP = RunFactors(1.0, 1.0)


def noise_factor(beta1: float, multiples: FloatArray) -> float:
    """nu = sum_i b_i^2 / sum_t s_t, b_i = sum_{t>=i} s_t beta1^(t-i) (1 - beta1)/(1 - beta1^t)."""
    steps = np.arange(1, len(multiples) + 1)
    fresh = multiples * (1 - beta1) / (1 - beta1**steps)
    total = weight = 0.0
    for each in fresh[::-1]:
        weight = float(each) + beta1 * weight
        total += weight**2
    return total / float(multiples.sum())


def largest_product(beta1: float, multiples: FloatArray) -> float:
    """h_S: the largest eta lambda up to which a run halves a direction's squared error."""
    mean = float(multiples.mean())
    bound = HIGHEST / float(momentum_factor(beta1=beta1))
    products = np.geomspace(LOWEST, bound, COARSE) / mean
    for _ in range(ROUNDS + 1):
        halved = shares_left(beta1, multiples, products) <= HALF
        first = int(np.argmax(halved))
        after = np.flatnonzero(~halved[first:])
        # A schedule that ends in next to nothing may tame whatever it is given.
        if not halved[first] or not len(after):
            return float(products[-1])
        low = first + int(after[0]) - 1
        products = np.linspace(products[low], products[low + 1], FINE)
    return float(products[0])


def shares_left(beta1: float, multiples: FloatArray, products: FloatArray) -> FloatArray:
    """x_S^2 from x_0 = 1 for each h = eta lambda, [R]: x_t = x_{t-1} - s_t m_t, no noise.

    m_t is the bias-corrected average of the gradients h x.
    """
    place, average = np.ones(len(products)), np.zeros(len(products))
    ln_scale = np.zeros(len(products))
    for step, multiple in enumerate(multiples, 1):
        average = beta1 * average + (1 - beta1) * products * place
        place = place - multiple / (1 - beta1**step) * average
        if step % RESCALE == 0:
            # A falling learning rate first blows up what it brings down in the end.
            size = np.maximum(np.maximum(np.abs(place), np.abs(average)), TINY)
            place, average, ln_scale = place / size, average / size, ln_scale + np.log(size)
    left: FloatArray = np.exp(np.minimum(2 * (np.log(np.abs(place) + TINY) + ln_scale), LN_MOST))
    return left


def run_shape(descent: float, signal: float, noise: float, factors: RunFactors) -> float:
    """D / (kappa Q + nu N): the learning rate of a run up to its one number c.

    Raises InputError where descent or curvature is not positive.
    """
    bend = factors.curvature * signal + factors.noise * noise
    if not (descent > 0 and bend > 0):
        raise InputError(
            f"got a descent of {descent:.3g} and a curvature of {bend:.3g}, wanted both positive: "
            "there is no optimum to speak of; measure on more sequences"
        )
    return descent / bend
