"""Batches of any form as a pool of samples: tensors, tuples, dicts, whatever a DataLoader gives.

Samples are rows along the first axis of a batch's tensors. Batches padded to different lengths
stay apart: a stack holds the samples of one shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten
from torch.utils.data import Dataset, IterableDataset

from empirical.errors import UsageError


@dataclass(frozen=True, eq=False)
class Stack:
    """Samples whose tensors have one shape.

    leaves: a tensor [n, ...] where `varying`, else a value that all samples share.
    spec: the structure that the leaves came from.
    """

    leaves: tuple[Any, ...]
    varying: tuple[bool, ...]
    spec: TreeSpec
    size: int

    def tensors(self, rows: Tensor) -> list[Tensor]:
        """The varying leaves of these samples, [len(rows), ...] each."""
        pairs = zip(self.leaves, self.varying, strict=True)
        return [leaf[rows.to(leaf.device)] for leaf, varies in pairs if varies]

    def batch(self, tensors: Iterable[Tensor]) -> Any:
        """A batch in the structure in which it came, from its varying leaves."""
        given = iter(tensors)
        pairs = zip(self.leaves, self.varying, strict=True)
        return tree_unflatten([next(given) if v else leaf for leaf, v in pairs], self.spec)


@dataclass(frozen=True, eq=False)
class SamplePool:
    """N samples in stacks; their numbers run through the stacks in order."""

    stacks: tuple[Stack, ...]

    @property
    def size(self) -> int:
        """N, the number of samples."""
        return sum(stack.size for stack in self.stacks)

    def parts(self, indices: Tensor, most: int) -> Iterator[tuple[Tensor, Stack, Tensor]]:
        """At most `most` samples of one stack at a time: (places in `indices`, stack, its rows)."""
        start = 0
        for stack in self.stacks:
            inside = (indices >= start) & (indices < start + stack.size)
            for places in torch.split(inside.nonzero()[:, 0], most):
                if len(places):
                    yield places, stack, indices[places] - start
            start += stack.size


def gather_samples(batches: Any, *, most: int | None, device: torch.device) -> SamplePool:
    """Read batches into a pool on a device.

    batches: one batch (a tensor, mapping or tuple) or an iterable of batches.
    most: samples to read at most; an endless iterable wants it.

    Raises UsageError for batches without samples, or with parts of unequal length.
    """
    single = isinstance(batches, (Tensor, Mapping, tuple))
    source = iter([batches] if single else _iterable(batches))
    kinds: dict[Any, list[list[Any]]] = {}
    frames: dict[Any, tuple[TreeSpec, tuple[bool, ...]]] = {}
    read = 0
    for number, batch in enumerate(source):
        leaves, spec, varying, size = _opened(batch, number, device)
        if most is not None and read + size > most:
            size = most - read
            leaves = [x[:size] if v else x for x, v in zip(leaves, varying, strict=True)]
        signature = (str(spec), tuple(map(_signature, leaves, varying)))
        kinds.setdefault(signature, []).append(leaves)
        frames[signature] = spec, varying
        read += size
        if most is not None and read >= most:
            break
    if read < 2:
        raise UsageError(f"the batches hold {read} samples; at least 2 are wanted: give more data")
    return SamplePool(tuple(_stacked(kinds[key], *frames[key]) for key in kinds))


def _iterable(batches: Any) -> Iterator[Any]:
    if isinstance(batches, Dataset) and not isinstance(batches, IterableDataset):
        raise UsageError(
            f"batches came as {type(batches).__name__}, which gives single samples; pass "
            "DataLoader(dataset, batch_size=...)"
        )
    try:
        found = iter(batches)
    except TypeError:
        raise UsageError(
            f"batches came as {type(batches).__name__}; a batch or an iterable of batches is wanted"
        ) from None
    first = list(islice(found, 1))
    return chain(first, found)


def _opened(
    batch: Any, number: int, device: torch.device
) -> tuple[list[Any], TreeSpec, tuple[bool, ...], int]:
    """Leaves on the device, structure, which leaves vary, number of samples."""
    leaves, spec = tree_flatten(dict(batch) if isinstance(batch, Mapping) else batch)
    moved = [x.detach().to(device) if isinstance(x, Tensor) else x for x in leaves]
    varying = tuple(isinstance(x, Tensor) and x.dim() > 0 for x in moved)
    sizes = {len(x) for x, v in zip(moved, varying, strict=True) if v}
    if len(sizes) != 1 or 0 in sizes:
        found = ", ".join(map(str, sorted(sizes))) or "no tensor"
        raise UsageError(
            f"batch {number} has parts of length {found}; tensors with one common first axis, one "
            "row per sample, are wanted: rearrange the batch"
        )
    return moved, spec, varying, sizes.pop()


def _signature(leaf: Any, varies: bool) -> Any:
    return (tuple(leaf.shape[1:]), leaf.dtype) if varies else repr(leaf)


def _stacked(rows: list[list[Any]], spec: TreeSpec, varying: tuple[bool, ...]) -> Stack:
    columns = zip(zip(*rows, strict=True), varying, strict=True)
    leaves = tuple(torch.cat(column) if varies else column[0] for column, varies in columns)
    size = next(len(x) for x, v in zip(leaves, varying, strict=True) if v)
    return Stack(leaves, varying, spec, size)
