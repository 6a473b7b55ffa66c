"""Gradients of every sequence of the pool, and of batches drawn from it with replacement."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import embedding_bag

from empirical.errors import UsageError
from empirical.measure.block_store import rows_on_disk
from empirical.measure.landscape import Landscape, chunks
from empirical.measure.parameter_vector import unflatten

DENSE_BATCH = 64
"""From this batch size on, one matrix product beats gathering the rows of the batch."""


def gradient_bytes(landscape: Landscape) -> int:
    """Bytes that one gradient per pool sequence takes, N P elements."""
    return landscape.sequences * landscape.parameters * landscape.point.element_size()


def sequence_gradients(
    landscape: Landscape, *, chunk: int = 32, max_memory: int | None = None
) -> Tensor:
    """The gradient of each sequence's loss, [N, P] (in nats per token per parameter).

    With all of them at hand, the gradient of any batch of whole sequences is a weighted sum of
    rows: thousands of real batches, of 1024 sequences as of 4, cost no further backward pass.

    Args:
        landscape: the network over its pool.
        chunk: sequences per vectorised backward pass.
        max_memory: bytes that the result may take in memory; a larger one is kept in a temporary
            file, which goes with the returned tensor.

    Raises:
        UsageError: neither the memory allowed nor the disk has room for them.
    """

    def one(named: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return landscape.loss(named, x[None], y[None])[0]

    gradients = _empty(landscape, max_memory)
    named = unflatten(landscape, landscape.point)
    start = 0
    # the fused attention kernels have no batching rule, the math kernel has
    with sdpa_kernel(SDPBackend.MATH):
        for x, y in chunks(landscape, None):
            for xs, ys in zip(torch.split(x, chunk), torch.split(y, chunk), strict=True):
                by_name = vmap(grad(one), in_dims=(None, 0, 0))(named, xs, ys)
                rows = torch.cat([by_name[name].flatten(1) for name in landscape.names], dim=1)
                gradients[start : start + len(rows)] = rows
                start += len(rows)
    return gradients


def _empty(landscape: Landscape, max_memory: int | None) -> Tensor:
    """Room for [N, P], in memory or, if that is too little, in a file without a name."""
    shape = (landscape.sequences, landscape.parameters)
    like = landscape.point
    in_memory = max_memory is None or gradient_bytes(landscape) <= max_memory
    if in_memory or like.device.type != "cpu":
        return torch.empty(shape, dtype=like.dtype, device=like.device)
    wanted, free = gradient_bytes(landscape), shutil.disk_usage(tempfile.gettempdir()).free
    if wanted > free:
        raise UsageError(
            f"the gradients of {shape[0]} sequences over {shape[1]} parameters take "
            f"{wanted / 1e9:.1f} GB, and {free / 1e9:.1f} GB of temporary disk are free; take a "
            "smaller pool or network, allow more memory, or free some disk"
        )
    return rows_on_disk(shape[0], like)


def draw_batches(sequences: int, batches: int, batch_size: int, rng: torch.Generator) -> Tensor:
    """Batches drawn with replacement from a pool, as indices [batches, batch_size]."""
    return torch.randint(sequences, (batches, batch_size), generator=rng, device=rng.device)


def batch_gradients(gradients: Tensor, indices: Tensor) -> Tensor:
    """Gradient of each batch's mean loss, [n, P], for batches given as indices [n, B]."""
    indices = indices.to(gradients.device)
    batches, batch_size = indices.shape
    if batch_size < DENSE_BATCH:
        return embedding_bag(indices, gradients, mode="mean")
    weights = torch.zeros(batches, len(gradients), dtype=gradients.dtype, device=gradients.device)
    ones = torch.ones((), dtype=gradients.dtype, device=gradients.device)
    weights.scatter_add_(1, indices, ones.expand(batches, batch_size))
    return (weights / batch_size) @ gradients
