"""The gradients of samples or micro-batches, a few at a time: nothing of size [N, P] is kept."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from empirical.measure.parameter_vector import unflatten
from empirical.measure.problem import Problem, batch_losses, single
from empirical.measure.samples import Stack
from empirical.measure.short_memory import with_less

SAMPLE_WORK = 3e7
"""Parameters times tokens from which, on a CPU, single samples are no faster together."""

SAMPLE_SIZE = 1 << 21
"""Parameters from which the same holds: a gradient is then larger than the caches, whatever it
took to compute."""

TOGETHER = 16
"""Samples per vectorised pass at most: more of them leave the caches and are slower."""

ROOM = 1 << 28
"""Bytes that the gradients of a vectorised pass may take."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Gradients of a few micro-batches.

    numbers: which of the micro-batches, [c]. gradients: of each one's mean loss, [c, P], in a
    buffer that the next rows overwrite. weights: its sum of w_k, [c]. sizes: its samples, [c]. All
    but the gradients float64 on the CPU.
    """

    numbers: Tensor
    gradients: Tensor
    weights: Tensor
    sizes: Tensor


def gradient_rows(problem: Problem, order: Tensor, micro_batch: int, chunk: int) -> Iterator[Rows]:
    """Gradients of consecutive micro-batches of these samples, the last perhaps smaller.

    order: sample numbers, [n]. chunk: samples per pass at most; fewer where memory is short.
    """
    if micro_batch == 1 and problem.mode != "loop":
        yield from _single_rows(problem, order, chunk)
        return
    leaves = _leaves(problem, problem.point)
    row = torch.empty_like(problem.point)
    for number, picked in enumerate(torch.split(order, micro_batch)):
        whole = float(problem.weights[picked.cpu()].sum())
        work = partial(_gradient_into, row, problem, leaves, picked)
        _, chunk = with_less(work, chunk)
        yield Rows(
            torch.tensor([number], device="cpu"),
            row[None],
            torch.tensor([whole], dtype=torch.float64, device="cpu"),
            torch.tensor([len(picked)], dtype=torch.float64, device="cpu"),
        )


def gradient_of(problem: Problem, indices: Tensor, point: Tensor | None = None) -> Tensor:
    """Gradient of the weighted mean loss over these samples at `point` (theta), [P]."""
    leaves = _leaves(problem, problem.point if point is None else point)
    total = torch.empty_like(problem.point)
    with_less(partial(_gradient_into, total, problem, leaves, indices), problem.chunk)
    return total


def _leaves(problem: Problem, point: Tensor) -> dict[str, Tensor]:
    """Parameters that a gradient can be taken of; views of the vector, which stays as it is."""
    pieces = unflatten(problem, point.detach())
    return {name: piece.requires_grad_() for name, piece in pieces.items()}


def _gradient_into(
    total: Tensor, problem: Problem, leaves: Mapping[str, Tensor], indices: Tensor, chunk: int
) -> None:
    """Make `total` [P] the gradient of the mean loss over these samples."""
    whole = float(problem.weights[indices.cpu()].sum())
    losses = batch_losses(problem, leaves, indices, chunk)
    with torch.enable_grad():  # the caller may have switched gradients off
        for part, (loss, weight) in enumerate(losses):
            pieces = _pieces(loss, leaves)
            share, place = weight / whole, 0
            for leaf, piece in zip(leaves.values(), pieces, strict=True):
                here = total[place : place + leaf.numel()]
                if not part:  # the first part overwrites: to clear and add would be two more passes
                    here.zero_() if piece is None else torch.mul(piece.reshape(-1), share, out=here)
                elif piece is not None:
                    here.add_(piece.reshape(-1), alpha=share)
                place += leaf.numel()
            del pieces, piece  # a vector that the next part has no room for


def _pieces(loss: Tensor, leaves: Mapping[str, Tensor]) -> list[Tensor | None]:
    """Gradient of a loss by parameter, None where there is none."""
    if not loss.requires_grad:  # samples that no parameter has a part in
        return [None] * len(leaves)
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    # an embedding with sparse=True gives the rows that were looked up
    return [p if p is None or p.layout == torch.strided else p.to_dense() for p in found]


def one_by_one(problem: Problem) -> bool:
    """Whether samples are so much work that vectorising over them only takes memory."""
    work = problem.parameters * problem.tokens_per_sample
    large = work >= SAMPLE_WORK or problem.parameters >= SAMPLE_SIZE
    return problem.point.device.type == "cpu" and large


@contextmanager
def vectorised() -> Iterator[None]:
    """What vmap wants around it: kernels with a batching rule, and no word on those without."""
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        # the fused attention kernels have no batching rule, the math kernel has; an LSTM has none,
        # is taken sample by sample and would say so at every pass
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield


def _single_rows(problem: Problem, order: Tensor, chunk: int) -> Iterator[Rows]:
    each = 2 * problem.parameters * problem.point.element_size()
    chunk = max(1, min(chunk, TOGETHER, ROOM // each))
    start = 0
    while start < len(order):
        block = order[start : start + chunk]
        for places, stack, samples in problem.pool.parts(block, chunk):
            work = partial(_vectorised_pass, problem, stack, samples)
            gradients, fitted = with_less(work, chunk)
            chunk = min(chunk, fitted)
            weights = problem.weights[block[places].cpu()]
            yield Rows(start + places.cpu(), gradients, weights, torch.ones_like(weights))
        start += len(block)


def _vectorised_pass(problem: Problem, stack: Stack, samples: Tensor, most: int) -> Tensor:
    """Gradients of single samples, [c, P], `most` at a time."""

    def one(p: Mapping[str, Tensor], *sample: Tensor) -> Tensor:
        return cast(Tensor, single(problem.loss, stack, p)(*sample))

    named = unflatten(problem, problem.point)
    gradients = problem.point.new_empty(len(samples), problem.parameters)
    for start in range(0, len(samples), most):
        tensors = stack.tensors(samples[start : start + most])
        rows = gradients[start : start + most]
        with vectorised():
            by_name = vmap(grad(one), in_dims=(None, *(0 for _ in tensors)))(named, *tensors)
        # not flatten(1): a parameter that is a single number has no second axis
        torch.cat([by_name[n].reshape(len(rows), -1) for n in problem.names], dim=1, out=rows)
    return gradients
