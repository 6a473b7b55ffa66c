"""The noise level of many grids: one for all, and one per group drawn towards it.

Runs of one model and one length are about equally noisy whatever their batch size; between groups
the noise differs (fewer tokens, noisier losses). A group has few grids, so that its own level is
known to a third or so; it is averaged with the level of all groups, weights by the variance
between groups beyond what the estimates themselves scatter (random effects, DerSimonian and
Laird, Controlled Clinical Trials 7, 1986).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

import numpy as np

from empirical.errors import UsageError
from empirical.judge.grid_losses import GridLosses
from empirical.judge.local_problem import local_problem, misfit_of, nearest
from empirical.judge.misfit import pooled_misfit, pooled_repetitions
from empirical.judge.noise_level import NoiseLevel

FEWEST_REPEATED = 12
"""Degrees of freedom from repetitions above which the misfit of curves is not asked."""

FEWEST_GROUPS = 3


def common_noise(losses: Sequence[GridLosses]) -> NoiseLevel | None:
    """One noise level for all: from repetitions, else from how smooth the curves are.

    Runs at one learning rate of a grid that name no seed count as repetitions. None where neither
    says anything.
    """
    repeated = [each.replicates for each in losses]
    if sum(each.degrees_of_freedom for each in repeated) >= FEWEST_REPEATED:
        try:
            return pooled_repetitions(repeated)
        except UsageError:
            pass
    curves = [local_problem(each, nearest(each)) for each in losses if len(each.x) >= 5]
    try:
        return pooled_misfit([misfit_of(each) for each in curves if each is not None])
    except UsageError:
        return None


def noise_by_group(losses: Mapping[str, Sequence[GridLosses]]) -> dict[str, NoiseLevel | None]:
    """The noise level of each group; the common one where a group says nothing of its own."""
    common = common_noise([each for group in losses.values() for each in group])
    own = {name: common_noise(group) for name, group in losses.items()}
    known = {name: level for name, level in own.items() if level is not None}
    if common is None or len(known) < FEWEST_GROUPS:
        return dict.fromkeys(losses, common)
    logs = np.array([log(level.standard_deviation) for level in known.values()])
    errors = np.array([level.relative_error**2 for level in known.values()])
    between = max(float(logs.var(ddof=1) - errors.mean()), 0.0)
    return {
        name: drawn_together(known[name], common, between) if name in known else common
        for name in losses
    }


def drawn_together(own: NoiseLevel, common: NoiseLevel, between: float) -> NoiseLevel:
    """Mean of two estimates of ln sigma. between: variance of ln sigma between groups."""
    weight_own = own.relative_error**-2
    spread = between + common.relative_error**2
    if spread == 0:
        return common
    weight_common = 1 / spread
    total = weight_own + weight_common
    mean = weight_own * log(own.standard_deviation)
    mean = (mean + weight_common * log(common.standard_deviation)) / total
    return NoiseLevel(exp(mean), total / 2, f"{own.source}, drawn towards that of all groups")
