"""How the loss of a batch is made of the losses of its samples, found out by asking it.

A mean over samples has equal weights; a mean over the tokens of a padded batch weighs every
sample by its number of tokens that count. The loss itself decides: of the weightings that the
batch suggests, the one that reproduces the loss of two samples from the losses of each is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.samples import SamplePool, Stack

IGNORED = -100
"""torch's default ignore_index: a target that does not count."""

Weighing = Callable[[Any], Tensor]
"""batch -> weight of each sample, [n]: for a mean over tokens, how many of them count."""

Loss = Callable[[Any], Tensor]

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-9}
"""Relative difference of losses that rounding explains."""


def suggestions(stack: Stack) -> Iterator[tuple[str, Tensor]]:
    """Weights [n] that a stack suggests: equal, or the tokens of an integer tensor that count."""
    yield "equal", torch.ones(stack.size, dtype=torch.float64, device="cpu")
    for place, (leaf, varies) in enumerate(zip(stack.leaves, stack.varying, strict=True)):
        if not varies or leaf.dim() < 2 or leaf.is_floating_point() or leaf.is_complex():
            continue
        flat = leaf.reshape(stack.size, -1)
        for rule, counts in (("counted", flat != IGNORED), ("nonzero", flat != 0)):
            yield f"{rule} {place}", counts.sum(1).double().cpu()
            # a language model that shifts its labels itself scores all but the first
            shifted = counts.reshape(leaf.shape)[:, 1:].reshape(stack.size, -1)
            yield f"{rule}, shifted {place}", shifted.sum(1).double().cpu()


def find_weights(
    pool: SamplePool, loss: Loss, dtype: torch.dtype, given: Weighing | None
) -> tuple[Tensor, bool]:
    """Weights of all samples [N] (unscaled), and whether they count tokens.

    loss: of a batch in its own structure, [] or [n].

    Raises UsageError where no weighting makes the loss of a batch out of those of its samples:
    it is a sum, or the samples of a batch see each other, or it counts tokens in its own way.
    """
    tables = [dict(suggestions(stack)) for stack in pool.stacks]
    if given is not None:
        tables = [{"given": _weighed(given, stack)} for stack in pool.stacks]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    left = {name: torch.cat([table[name] for table in tables]) for name in shared}
    left = {name: w for name, w in left.items() if bool((w > 0).all())}
    if not left:
        raise UsageError("a sample has no weight; every sample wants a token that counts: drop it")
    for number, (stack, table) in enumerate(zip(pool.stacks, tables, strict=True)):
        _refuse_empty(stack, table, loss, _place(pool, number))
        for pair in _telling_pairs(table, list(left)):
            whole, parts = _compare(stack, pair, loss, dtype, _place(pool, number))
            right = {
                name: w
                for name, w in left.items()
                if whole is None or _close(_mean(table[name][pair], parts), whole, dtype)
            }
            if not right and whole is not None and _close(float(parts.sum()), whole, dtype):
                raise UsageError(
                    "the loss of a batch is the sum over its samples; a mean is wanted: divide it "
                    "by the number of samples or tokens"
                )
            if not right:
                raise UsageError(
                    f"two samples have the losses {parts[0]:.6g} and {parts[1]:.6g}, together "
                    f"{whole:.6g}: no mean with weights that the batch shows; pass "
                    "weights=lambda batch: ... (tokens that count), or keep samples apart"
                )
            left = right
    name = next(iter(left))
    # several shapes with equal weights inside each: only tokens explain a difference between them
    lengths = [n for n, w in left.items() if n.startswith("counted") and w.min() < w.max()]
    if name == "equal" and len(pool.stacks) > 1 and lengths:
        name = lengths[0]
    return left[name], name != "equal"


def _weighed(given: Weighing, stack: Stack) -> Tensor:
    everything = torch.arange(stack.size, device="cpu")
    weights = given(stack.batch(stack.tensors(everything)))
    if not isinstance(weights, Tensor):
        raise UsageError(
            f"weights came as {type(weights).__name__}; a tensor, one weight per sample, is wanted"
        )
    if weights.shape != (stack.size,):
        raise UsageError(
            f"weights came with shape {tuple(weights.shape)} for {stack.size} samples; one weight "
            "per sample is wanted"
        )
    return weights.double().cpu()


def _telling_pairs(table: dict[str, Tensor], names: list[str]) -> Iterator[Tensor]:
    """Pairs of samples in which the weightings differ, or any pair if none do."""
    told = False
    for name in names:
        low, high = int(table[name].argmin()), int(table[name].argmax())
        if table[name][low] != table[name][high]:
            told = True
            yield torch.tensor([low, high], device="cpu")
    if not told and len(next(iter(table.values()))) > 1:
        yield torch.tensor([0, 1], device="cpu")


def _compare(
    stack: Stack, pair: Tensor, loss: Loss, dtype: torch.dtype, place: str
) -> tuple[float | None, Tensor]:
    """Loss of two samples together (None: given for each), and of each alone, [2]."""
    with torch.no_grad():
        alone = [loss(stack.batch(stack.tensors(pair[i : i + 1]))) for i in (0, 1)]
        together = loss(stack.batch(stack.tensors(pair))).double().cpu()
    parts = torch.stack([x.reshape(-1).mean() for x in alone]).double().cpu()
    for row, part in zip(pair.tolist(), parts.tolist(), strict=True):
        _refuse_unless_finite(row, part, place)
    if not together.dim():
        return float(together), parts
    if together.shape != (2,) or not all(
        _close(a, b, dtype) for a, b in zip(together.tolist(), parts.tolist(), strict=True)
    ):
        raise UsageError(
            f"the loss gives {together.tolist()} for two samples and {parts.tolist()} for each "
            "alone; one loss per sample is wanted, whatever else is in the batch"
        )
    return None, parts


def _refuse_empty(stack: Stack, table: dict[str, Tensor], loss: Loss, place: str) -> None:
    """Ask the samples that seem to have no token that counts: a mean over none is no number."""
    rows = {int(w.argmin()) for w in table.values() if float(w.min()) == 0 < float(w.max())}
    for row in sorted(rows):
        with torch.no_grad():
            alone = loss(stack.batch(stack.tensors(torch.tensor([row], device="cpu"))))
        _refuse_unless_finite(row, float(alone.mean()), place)


def _refuse_unless_finite(row: int, found: float, place: str) -> None:
    if not isfinite(found):
        raise UsageError(
            f"sample {row}{place} has the loss {found:g}; every sample wants a finite loss, and a "
            "token that counts where tokens do: drop it"
        )


def _place(pool: SamplePool, number: int) -> str:
    """Where a stack's samples stand, for a reader who counts from 0."""
    if len(pool.stacks) == 1:
        return ""
    shapes = [
        tuple(t.shape[1:]) for t in pool.stacks[number].tensors(torch.arange(1, device="cpu"))
    ]
    return f" of those with tensors of shape {', '.join(map(str, shapes))}"


def _mean(weights: Tensor, parts: Tensor) -> float:
    return float((weights * parts).sum() / weights.sum())


def _close(found: float, wanted: float, dtype: torch.dtype) -> bool:
    return abs(found - wanted) <= TOLERANCE.get(dtype, 2e-5) * max(abs(wanted), 1e-30)
