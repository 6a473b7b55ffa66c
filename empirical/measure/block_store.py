"""Room for K vectors of P coordinates: in memory, else in a file without a name, else for fewer."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from empirical.errors import UsageError
from scaling_theory.noise_scale import FEWEST_BLOCKS

DISK_SHARE = 0.5
"""Of the free disk, this much may be used."""


@dataclass(frozen=True, eq=False)
class BlockStore:
    """rows: zeros [K, P] on the CPU. note: where they are, if not simply in memory."""

    rows: Tensor
    note: str


def open_store(count: int, like: Tensor, max_memory: int | None) -> BlockStore:
    """Room for up to `count` vectors like `like` [P].

    max_memory: bytes in memory; None for no limit. Raises UsageError where not even the fewest
    blocks that give an interval fit on disk.
    """
    size, each = like.numel(), like.numel() * like.element_size()
    if max_memory is None or count * each <= max_memory:
        return BlockStore(torch.zeros(count, size, dtype=like.dtype), "")
    free = int(DISK_SHARE * shutil.disk_usage(tempfile.gettempdir()).free)
    kept = min(count, max(free, max_memory) // each)
    if kept < FEWEST_BLOCKS:
        raise UsageError(
            f"{FEWEST_BLOCKS} gradients of {each} bytes fit neither into max_memory {max_memory} "
            f"nor into {free} bytes of {tempfile.gettempdir()}; raise max_memory or set TMPDIR"
        )
    fewer = f", {kept} of {count}" if kept < count else ""
    if kept * each <= max_memory:
        return BlockStore(
            torch.zeros(kept, size, dtype=like.dtype), f"deviations in memory{fewer}: disk is short"
        )
    rows = rows_on_disk(kept, like)
    return BlockStore(rows, f"deviations on disk{fewer}: max_memory is short")


def rows_on_disk(count: int, like: Tensor) -> Tensor:
    """`count` vectors of zeros like `like` [P], in a temporary file that goes with the tensor."""
    with tempfile.TemporaryDirectory(prefix="scaling-theory-") as folder:
        # the mapping keeps the file alive after its name is gone; a new file reads as zeros
        rows = torch.from_file(
            str(Path(folder) / "rows"), shared=True, size=count * like.numel(), dtype=like.dtype
        )
    return rows.view(count, like.numel())
