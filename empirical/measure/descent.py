"""The slope of the loss along an optimizer's updates, E[u]^T g, and what is lacking in one."""

from __future__ import annotations

from math import ceil, hypot, sqrt

import torch
from torch import Tensor

from empirical.measure.problem import Problem
from empirical.measure.rows import gradient_of
from scaling_theory.estimate import Estimate

PARTS = 16
"""Parts of the judging samples whose slopes tell how well the mean slope is known."""


def no_descent(descent: Estimate, more: int) -> str | None:
    """Why no learning rate follows from this descent, None where one does.

    more: samples that would make it significant, were it what it seems.
    """
    low, high = descent.interval()
    if low > 0:
        return None
    known = f"{descent.value:.3g} ± {descent.standard_error:.2g}"
    if high < 0:
        return (
            f"no learning rate lowers the loss: the updates climb, their descent is {known}; was "
            "the optimizer told to maximize, or its state made on another loss?"
        )
    if descent.value == 0 == descent.standard_error:
        return "not identified: every update, or every gradient, is 0; there is nothing to follow"
    return f"not identified: the descent {known} may be zero, needs about {more} more samples"


def descent_of(problem: Problem, rows: Tensor, judges: Tensor) -> tuple[Estimate, int]:
    """E[u]^T g on the judging samples, and the samples that would make it significant."""
    mean = rows.mean(0).to(problem.point)
    parts = torch.tensor_split(judges, min(PARTS, len(judges)))
    gradients = [gradient_of(problem, part) for part in parts]
    sizes = torch.tensor([float(problem.weights[part.cpu()].sum()) for part in parts], device="cpu")
    slopes = torch.stack([gradient @ mean for gradient in gradients]).double().cpu()
    gradient = sum(g * (s / sizes.sum()).item() for g, s in zip(gradients, sizes, strict=True))
    each = (rows @ torch.as_tensor(gradient).cpu()).double()
    across = float(each.std()) / sqrt(len(each))
    judged = float(slopes.std()) / sqrt(len(slopes))
    error = hypot(across, judged)
    value = float(each.mean())
    size = max(value, error)
    # where every update or gradient is 0 there is neither a slope nor an error of it
    wanted = ceil(problem.samples * (2.8 * error / size) ** 2) if size > 0 else 0
    return Estimate(value, error, len(each)), max(wanted - problem.samples, problem.samples)
