"""Losses of the samples of a problem at any parameters: forward passes alone."""

from __future__ import annotations

import torch
from torch import Tensor

from empirical.measure.parameter_vector import unflatten
from empirical.measure.problem import Problem, batch_losses
from empirical.measure.short_memory import with_less


def weighted_losses(problem: Problem, point: Tensor, indices: Tensor | None = None) -> Tensor:
    """w L of each part of these samples (None: the pool) at a point [P].

    Their sum over n is the mean of w_k L_k.
    """
    chosen = everything(problem) if indices is None else indices
    named = unflatten(problem, point)

    def parts(chunk: int) -> list[Tensor]:
        with torch.no_grad():
            found = batch_losses(problem, named, chosen, chunk)
            return [loss.double() * weight for loss, weight in found]

    return torch.stack(with_less(parts, problem.chunk)[0]).cpu()


def sample_losses(problem: Problem, indices: Tensor) -> Tensor:
    """w_k L_k of each of these samples at theta, [n], float64 on the CPU."""
    named = unflatten(problem, problem.point)

    def each(chunk: int) -> Tensor:
        found = torch.zeros(len(indices), dtype=torch.float64, device="cpu")
        with torch.no_grad():
            for where, stack, rows in problem.pool.parts(indices, chunk):
                losses = problem.loss(named, stack.batch(stack.tensors(rows)))
                found[where.cpu()] = losses.reshape(-1).double().cpu()
        return found

    together = problem.chunk if problem.mode == "vector" else 1
    return with_less(each, together)[0] * problem.weights[indices.cpu()]


def everything(problem: Problem) -> Tensor:
    """The numbers of all samples of the pool, [N]."""
    return torch.arange(problem.samples, device=problem.point.device)
