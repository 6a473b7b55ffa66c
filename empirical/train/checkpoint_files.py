"""Checkpoints of the built-in network: one safetensors file, its JSON in the file's own metadata.

    schema           "scaling-theory/checkpoint"
    schema_version   "1"
    network          NetworkConfig as JSON
    provenance       text, seed, steps and the like as JSON
    tensors          the network's parameters by name, float32 or float64

No pickle; `safetensors` alone reads all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from empirical.atomic_files import refusals, replacing
from empirical.errors import UsageError
from empirical.settings import first_problem
from empirical.train.configuration import NetworkConfig
from empirical.train.network import GPT, build_network

SCHEMA = "scaling-theory/checkpoint"
VERSION = "1"
AGAIN = "write it with empirical.train.checkpoint_files.write_checkpoint"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network on the CPU, in evaluation mode, and where it came from."""

    model: GPT
    provenance: Mapping[str, Any]


def write_checkpoint(path: Path, model: GPT, provenance: Mapping[str, Any]) -> None:
    """Write a network, its folder too; an existing file is only replaced by a whole one.

    Raises UsageError where the file cannot be written.
    """
    tensors = {name: p.detach().cpu().contiguous() for name, p in model.state_dict().items()}
    metadata = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "network": model.config.model_dump_json(),
        "provenance": json.dumps(dict(provenance), allow_nan=False),
    }
    with refusals(path, "name another file"), replacing(path) as part:
        save_file(tensors, part, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a network; UsageError says what is missing or wrong."""
    if not path.is_file():
        raise UsageError(f"the checkpoint {path} is no file: name one, or train with --steps")
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is torn or no safetensors file ({error}): {AGAIN}") from error
    if metadata.get("schema") != SCHEMA or metadata.get("schema_version") != VERSION:
        found = f"{metadata.get('schema')} version {metadata.get('schema_version')}"
        raise UsageError(f"{path} is {found}; {SCHEMA} version {VERSION} is wanted: {AGAIN}")
    try:
        config = NetworkConfig.model_validate_json(metadata["network"])
        provenance = json.loads(metadata["provenance"])
    except ValidationError as error:
        raise UsageError(f"{path} has no usable network: {first_problem(error)}") from error
    except (KeyError, ValueError) as error:
        raise UsageError(f"{path} lacks its description ({error}): {AGAIN}") from error
    kinds = {tensor.dtype for tensor in tensors.values()}
    if kinds not in ({torch.float32}, {torch.float64}):
        raise UsageError(f"{path} holds {', '.join(map(str, kinds))}; float32 or float64 is wanted")
    model = build_network(config, 0, dtype=kinds.pop())
    wanted = {name: p.shape for name, p in model.state_dict().items()}
    if {name: t.shape for name, t in tensors.items()} != wanted:
        raise UsageError(f"the tensors of {path} do not fit its network {config}: {AGAIN}")
    model.load_state_dict(tensors)
    return Checkpoint(model.eval(), provenance)
