"""From a model or a loss, and batches, to a checked `Problem`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from empirical.errors import UsageError
from empirical.measure.functional import (
    HALF,
    BatchLoss,
    ModelLoss,
    functional_model,
    widened,
)
from empirical.measure.parameter_vector import unflatten
from empirical.measure.problem import Mode, Problem, single
from empirical.measure.request_checks import check_whole
from empirical.measure.rows import one_by_one, vectorised
from empirical.measure.samples import SamplePool, gather_samples
from empirical.measure.weighting import IGNORED, Weighing, find_weights
from empirical.train.named_function import in_one_line

AGREEMENT = {torch.float32: 1e-3, torch.float64: 1e-7}
"""Relative difference that is allowed between the vectorised and the plain gradient."""


def pose_problem(
    target: nn.Module | BatchLoss,
    batches: Any,
    *,
    loss: ModelLoss | None = None,
    parameters: Mapping[str, Tensor] | Iterable[str] | None = None,
    weights: Weighing | None = None,
    tokens: int | None = None,
    samples: int | None = None,
    chunk: int = 32,
) -> Problem:
    """A checked problem; see `measure` for the arguments.

    Raises UsageError: no loss or parameter; batches of no use; a loss that differs between two
    evaluations of one batch, is not finite, or is no mean over the samples of a batch.
    """
    check_whole(tokens=tokens, samples=samples, chunk=chunk)
    if torch.is_inference_mode_enabled():
        raise UsageError("inference mode is on, which keeps no gradients: measure outside of it")
    notes: tuple[str, ...] = ()
    if isinstance(target, nn.Module):
        if isinstance(parameters, Mapping):
            raise UsageError("a model came with a dict of parameters; names of them are wanted")
        batch_loss, named, notes = functional_model(target, loss, parameters)
    else:
        batch_loss, named = target, _given(parameters, loss)
        if any(p.dtype in HALF for p in named.values()):
            named = {name: widened(p) for name, p in named.items()}
            notes = ("half-precision parameters measured in a float32 copy",)
    kinds = {p.dtype for p in named.values()}
    point = torch.cat([p.detach().reshape(-1) for p in named.values()])
    if not point.is_floating_point() or not bool(point.isfinite().all()):
        raise UsageError(
            f"parameters of {', '.join(map(str, kinds))} came; finite real numbers are wanted"
        )
    if chunk < 1:
        raise UsageError(f"chunk is {chunk}; at least 1 sample per forward pass is wanted")
    kind = point.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        raise UsageError(
            "autocast is on: it computes in half precision, whose rounding is no curvature; "
            "measure outside of it"
        )
    if samples is not None and samples < 2:
        raise UsageError(f"samples is {samples}; at least 2 are wanted, or None for all")
    if tokens is not None and tokens < 1:
        raise UsageError(f"tokens is {tokens}; at least 1 per sample is wanted")
    pool = gather_samples(batches, most=samples, device=point.device)
    if notes and any("half" in note for note in notes):
        stacks = (replace(s, leaves=tuple(map(widened, s.leaves))) for s in pool.stacks)
        pool = SamplePool(tuple(stacks))
    draft = Problem(
        loss=batch_loss,
        names=tuple(named),
        shapes=tuple(p.shape for p in named.values()),
        point=point,
        pool=pool,
        weights=torch.ones(pool.size, dtype=torch.float64, device="cpu"),
        tokens_per_sample=1.0,
        mode="loop",
        chunk=chunk,
        notes=notes,
    )
    try:
        return _checked(draft, weights, tokens)
    except Exception as error:  # whatever a loss raises on a batch of another form
        if not _one_batch_as_list(batches):
            raise
        raise UsageError(
            f"the loss fails on a batch ({in_one_line(error)}), and batches came as a list of two "
            "tensors of one length, which are two batches: pass (X, Y) as a tuple for one batch"
        ) from error


def _one_batch_as_list(batches: Any) -> bool:
    """Whether the batches look like inputs and targets, as the list that a DataLoader gives."""
    if not (isinstance(batches, list) and len(batches) == 2):
        return False
    if not all(isinstance(each, Tensor) and each.dim() > 0 for each in batches):
        return False
    first, second = batches
    # Two batches of one kind have one shape; targets mostly have another, or another type.
    same = first.shape[1:] == second.shape[1:] and first.dtype == second.dtype
    return len(first) == len(second) and not same


def _given(
    parameters: Mapping[str, Tensor] | Iterable[str] | None, loss: ModelLoss | None
) -> dict[str, Tensor]:
    if loss is not None:
        raise UsageError("two losses came; a model with a loss, or a loss alone, is wanted")
    if not isinstance(parameters, Mapping) or not parameters:
        raise UsageError(
            "a loss came without parameters; pass parameters={name: tensor}, the first argument "
            "that the loss is called with"
        )
    for name, value in parameters.items():
        if not isinstance(value, Tensor):
            raise UsageError(f"parameter {name!r} is a {type(value).__name__}; a tensor is wanted")
    return {name: p.detach() for name, p in parameters.items()}


def _checked(draft: Problem, weights: Weighing | None, tokens: int | None) -> Problem:
    """The draft with weights, tokens and mode, or a refusal."""
    named = unflatten(draft, draft.point)

    def ask(batch: Any) -> Tensor:
        found = draft.loss(named, batch)
        if not isinstance(found, Tensor) or found.dim() > 1 or not found.is_floating_point():
            raise UsageError(
                f"the loss returned {_shown(found)}; one real number, or one per sample, is wanted"
            )
        return found

    try:
        vector = _probe_determinism(draft, ask)
    except RuntimeError as error:
        if "dtype" not in str(error):
            raise
        raise UsageError(
            f"parameters are measured as {draft.point.dtype}, and the loss meets another type "
            f"({str(error).splitlines()[0][:80]}): bring the batch to it, and cast to none inside"
        ) from error
    found, counts = find_weights(draft.pool, ask, draft.point.dtype, weights)
    mean = float(found.mean())
    if counts and tokens is None:
        tokens_per_sample = mean
    else:
        tokens_per_sample = float(tokens if tokens is not None else _tokens_of(draft.pool))
    notes = draft.notes
    if counts and float(found.min()) != float(found.max()):
        notes += (
            f"the loss is a mean over {found.min():.6g} to {found.max():.6g} tokens per sample: "
            "deviations are those of the ratio of sums",
        )
    posed = replace(
        draft, weights=found / mean, tokens_per_sample=tokens_per_sample, notes=notes, mode="loop"
    )
    mode, why = _mode(posed, vector)
    if why:
        posed = replace(posed, notes=(*posed.notes, why))
    return replace(posed, mode=mode)


def _shown(found: object) -> str:
    return f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__


def _probe_determinism(draft: Problem, ask: Callable[[Any], Tensor]) -> bool:
    """Refuse a loss that changes between two evaluations; whether it gives a loss per sample."""
    stack = max(draft.pool.stacks, key=lambda s: s.size)
    rows = torch.arange(min(stack.size, 4, draft.chunk), device="cpu")
    with torch.no_grad():
        first, second = (ask(stack.batch(stack.tensors(rows))) for _ in range(2))
    if not (bool(first.isfinite().all()) and math.isfinite(float(second.sum()))):
        raise UsageError(f"the loss is {float(first.sum()):g} at these parameters; check the data")
    if not torch.equal(first, second):
        raise UsageError(
            f"one batch gave the losses {float(first.mean()):.9g} and {float(second.mean()):.9g}: "
            "the loss is random or changes a state; switch off dropout and whatever draws "
            "random numbers in it"
        )
    return first.dim() == 1


def _tokens_of(pool: SamplePool) -> float:
    """Targets per sample: those of the last integer tensor of two axes or more, else one."""
    total = 0.0
    for stack in pool.stacks:
        count = 1.0
        for leaf, varies in zip(stack.leaves, stack.varying, strict=True):
            if varies and leaf.dim() > 1 and not leaf.is_floating_point():
                count = float((leaf != IGNORED).sum()) / stack.size
        total += count * stack.size
    return total / pool.size


def _mode(problem: Problem, vector: bool) -> tuple[Mode, str]:
    """How single samples are evaluated, and what is worth saying about it."""
    if one_by_one(problem):
        return "loop", ""
    stack = max(problem.pool.stacks, key=lambda s: s.size)
    tensors = stack.tensors(torch.arange(min(stack.size, 2), device="cpu"))
    named = unflatten(problem, problem.point)

    def one(parameters: Mapping[str, Tensor], *sample: Tensor) -> Tensor:
        return cast(Tensor, single(problem.loss, stack, parameters)(*sample))

    try:
        with vectorised():
            rows = vmap(grad(one), in_dims=(None, *(0 for _ in tensors)))(named, *tensors)
            plain = grad(one)(named, *(t[0] for t in tensors))
    # whatever a model's own code raises under vmap, it can still be asked one sample at a time
    except Exception as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        return "loop", f"samples are taken one at a time: vmap does not take this loss ({reason})"
    away = math.hypot(*(float((rows[n][0] - plain[n]).norm()) for n in problem.names))
    size = math.hypot(*(float(plain[n].norm()) for n in problem.names))
    if away > AGREEMENT.get(problem.point.dtype, 1e-3) * size:
        return "loop", "samples are taken one at a time: vmap gives this loss other gradients"
    return ("vector" if vector else "vmap"), ""
