"""A run that has not ended, in one file: killed at any moment, it goes on from the last one.

    metadata   {"progress": JSON, "sha256": of the tensors and the progress}
    tensors    what the trainee and the generators of batches need, as safetensors

A file that is torn, or whose hash does not fit, counts as absent: the run starts again, which
costs time and changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from empirical.atomic_files import replacing


@dataclass(frozen=True, eq=False)
class RunState:
    """Tensors by name, and plain numbers about the progress as JSON values."""

    tensors: Mapping[str, Tensor]
    progress: Mapping[str, Any]


def write_run_state(path: Path, state: RunState) -> None:
    """Write the state; the file of before is only replaced by a whole one. OSError passes."""
    progress = json.dumps(dict(state.progress), sort_keys=True)
    metadata = {"progress": progress, "sha256": _hash(state.tensors, progress)}
    with replacing(path, durable=False) as part:
        save_file(dict(state.tensors), part, metadata)


def read_run_state(path: Path) -> RunState | None:
    """The state, or None where there is none that can be trusted."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
        progress = metadata["progress"]
        if metadata["sha256"] != _hash(tensors, progress):
            return None
        found: Mapping[str, Any] = json.loads(progress)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return RunState(tensors, found)


def _hash(tensors: Mapping[str, Tensor], progress: str) -> str:
    digest = hashlib.sha256(progress.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}/{tensor.dtype}/{tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
