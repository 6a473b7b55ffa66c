"""The gradients of samples or micro-batches, a few at a time: nothing of size [N, P] is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from empirical.measure.parameter_vector import unflatten
from empirical.measure.problem import Problem, batch_losses, single
from empirical.measure.samples import Stack


@dataclass(frozen=True, eq=False)
class Rows:
    """Gradients of a few micro-batches.

    numbers: which of the micro-batches, [c]. gradients: of each one's mean loss, [c, P]. weights:
    its sum of w_k, [c]. sizes: its samples, [c]. All but the gradients float64 on the CPU.
    """

    numbers: Tensor
    gradients: Tensor
    weights: Tensor
    sizes: Tensor


def gradient_rows(problem: Problem, order: Tensor, micro_batch: int, chunk: int) -> Iterator[Rows]:
    """Gradients of consecutive micro-batches of these samples, the last perhaps smaller.

    order: sample numbers, [n]. chunk: samples per vectorised backward pass, for micro_batch 1;
    it bounds the memory at chunk gradients.
    """
    if micro_batch == 1 and problem.mode != "loop":
        yield from _single_rows(problem, order, chunk)
        return
    for number, picked in enumerate(torch.split(order, micro_batch)):
        weights = problem.weights[picked.cpu()].sum()
        sizes = torch.tensor([len(picked)], dtype=torch.float64)
        yield Rows(torch.tensor([number]), gradient_of(problem, picked)[None], weights[None], sizes)


def gradient_of(problem: Problem, indices: Tensor, point: Tensor | None = None) -> Tensor:
    """Gradient of the weighted mean loss over these samples at `point` (theta), [P]."""
    at = (problem.point if point is None else point).detach()
    total = torch.zeros_like(at)
    whole = float(problem.weights[indices.cpu()].sum())
    leaves = [piece.requires_grad_() for piece in unflatten(problem, at.clone()).values()]
    named = dict(zip(problem.names, leaves, strict=True))
    for loss, weight in batch_losses(problem, named, indices):
        pieces = torch.autograd.grad(loss, leaves, allow_unused=True)
        share, place = weight / whole, 0
        for leaf, piece in zip(leaves, pieces, strict=True):
            if piece is not None:
                total[place : place + leaf.numel()].add_(piece.reshape(-1), alpha=share)
            place += leaf.numel()
    return total


def _single_rows(problem: Problem, order: Tensor, chunk: int) -> Iterator[Rows]:
    named = unflatten(problem, problem.point)
    for number, block in enumerate(torch.split(order, chunk)):
        for places, stack, rows in problem.pool.parts(block, chunk):

            def one(p: Mapping[str, Tensor], *sample: Tensor, stack: Stack = stack) -> Tensor:
                return cast(Tensor, single(problem.loss, stack, p)(*sample))

            tensors = stack.tensors(rows)
            with sdpa_kernel(SDPBackend.MATH):
                by_name = vmap(grad(one), in_dims=(None, *(0 for _ in tensors)))(named, *tensors)
            gradients = torch.cat([by_name[name].flatten(1) for name in problem.names], dim=1)
            weights = problem.weights[block[places].cpu()]
            numbers = number * chunk + places.cpu()
            yield Rows(numbers, gradients, weights, torch.ones_like(weights))
