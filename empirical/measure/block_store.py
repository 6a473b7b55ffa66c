"""Room for K vectors of P coordinates: in memory, else in a file without a name, else for fewer."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.short_memory import memory_is_short
from scaling_theory.noise_scale import FEWEST_BLOCKS

DISK_SHARE = 0.5
"""Of the free disk, this much may be used."""

MEMORY_SHARE = 0.5
"""Of the memory that is free, likewise."""


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
    room = _room(max_memory)
    if count * each <= room:
        rows = _zeros(count, like)
        if rows is not None:
            return BlockStore(rows, "")
    free = int(DISK_SHARE * shutil.disk_usage(tempfile.gettempdir()).free)
    kept = min(count, max(free, room) // each)
    if kept < FEWEST_BLOCKS:
        raise UsageError(
            f"{FEWEST_BLOCKS} gradients of {each} bytes fit neither into {room} bytes of memory "
            f"nor into {free} bytes of {tempfile.gettempdir()}; raise max_memory or set TMPDIR"
        )
    fewer = f", {kept} of {count}" if kept < count else ""
    if free < kept * each <= room:
        return BlockStore(
            torch.zeros(kept, size, dtype=like.dtype, device="cpu"),
            f"deviations in memory{fewer}: disk is short",
        )
    why = "max_memory" if room == max_memory else "memory"
    return BlockStore(rows_on_disk(kept, like), f"deviations on disk{fewer}: {why} is short")


def room_for_rows(samples: int, like: Tensor, max_memory: int | None) -> Tensor:
    """Room for one vector like `like` [P] per sample, [N, P], on its device; see `open_store`.

    Raises UsageError where neither memory nor disk has it.
    """
    if like.device.type != "cpu":
        return torch.empty(samples, like.numel(), dtype=like.dtype, device=like.device)
    rows = open_store(samples, like, max_memory).rows
    if len(rows) < samples:
        wanted = samples * like.nbytes
        raise UsageError(
            f"the gradients of {samples} samples over {like.numel()} parameters take "
            f"{wanted / 1e9:.3g} GB, and there is room for {len(rows)} of them; take a smaller "
            "pool or network, allow more memory, or free some disk"
        )
    return rows


def _room(max_memory: int | None) -> int:
    """Bytes that may be taken: of the memory that is free, a share."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return sys.maxsize if max_memory is None else max_memory
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = int(MEMORY_SHARE * 1024 * int(fields["MemAvailable"].split()[0]))
    return free if max_memory is None else min(max_memory, free)


def _zeros(count: int, like: Tensor) -> Tensor | None:
    """Zeros [K, P] in memory; None where a limit on this process does not let it have them."""
    try:
        return torch.zeros(count, like.numel(), dtype=like.dtype, device="cpu")
    except RuntimeError as error:
        if not memory_is_short(error):
            raise
    return None


def rows_on_disk(count: int, like: Tensor) -> Tensor:
    """`count` vectors of zeros like `like` [P], in a temporary file that goes with the tensor."""
    with tempfile.TemporaryDirectory(prefix="scaling-theory-") as folder:
        # the mapping keeps the file alive after its name is gone; a new file reads as zeros
        rows = torch.from_file(
            str(Path(folder) / "rows"),
            shared=True,
            size=count * like.numel(),
            dtype=like.dtype,
            device="cpu",
        )
    return rows.view(count, like.numel())
