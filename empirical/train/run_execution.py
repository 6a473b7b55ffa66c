"""From a planned unit to its results: the text and the start are found by hash, then trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.checkpoint_files import read_checkpoint
from empirical.train.configuration import NetworkConfig
from empirical.train.devices import resolve_device, resolve_dtype
from empirical.train.network import build_network
from empirical.train.optimizers import build_optimizer
from empirical.train.run import SECONDS_BETWEEN_STATES, train_runs
from empirical.train.run_configuration import WorkUnit
from empirical.train.run_ledger import RunResult
from empirical.train.stacked import StackedTrainee
from empirical.train.text import Corpus, load_text
from empirical.train.trainee import SingleTrainee, Trainee


@dataclass(frozen=True)
class Materials:
    """Where the text and the checkpoint of a sweep lie; their hashes are in the run itself.

    text: files, joined in this order; none means the default text. checkpoint: file or None.
    """

    text: tuple[Path, ...] = ()
    checkpoint: Path | None = None


def execute_unit(
    unit: WorkUnit,
    materials: Materials,
    *,
    state_file: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int], None] = lambda step: None,
    seconds_between_states: float = SECONDS_BETWEEN_STATES,
) -> tuple[RunResult, ...]:
    """Train a unit as `train_runs` does; UsageError where text or checkpoint are not its own."""
    first = unit.runs[0]
    corpus = _corpus(materials.text, first.network.context)
    if corpus.sha256 != first.text_sha256:
        raise UsageError(
            f"the text {corpus.name} has the hash {corpus.sha256[:12]}, the run was planned on "
            f"{first.text_sha256[:12]}; give the text of the plan, or plan again"
        )
    return train_runs(
        unit,
        build_trainee(unit, start_weights(unit, materials)),
        corpus,
        state_file=state_file,
        stop=stop,
        on_progress=on_progress,
        seconds_between_states=seconds_between_states,
    )


def start_weights(unit: WorkUnit, materials: Materials) -> Sequence[Mapping[str, Tensor]]:
    """The weights that each run of the unit starts from, on the CPU."""
    start, network = unit.runs[0].start, unit.runs[0].network
    if start.checkpoint_sha256 is None:
        weights = _fresh(network, start.network_seed)
    elif materials.checkpoint is None:
        raise UsageError("the run starts from a checkpoint and none was named; name its file")
    else:
        weights = _stored(materials.checkpoint, start.checkpoint_sha256, network)
    return [weights] * len(unit.runs)


def build_trainee(unit: WorkUnit, weights: Sequence[Mapping[str, Tensor]]) -> Trainee:
    """The network or the stack of networks that the unit's path names, ready to train."""
    first = unit.runs[0]
    device = resolve_device(first.device)
    dtype = resolve_dtype(first.dtype, device)
    tokens = first.batch_size * first.network.context
    if unit.path != "single":
        return StackedTrainee(
            first.network,
            weights,
            [run.optimizer for run in unit.runs],
            path=unit.path,
            device=device,
            dtype=dtype,
            tokens_per_step=tokens,
        )
    kept = torch.float32 if dtype == torch.bfloat16 else dtype
    model = build_network(first.network, 0, device=device, dtype=kept)
    model.load_state_dict(weights[0])
    optimizer = build_optimizer(
        model.named_parameters(), first.optimizer, first.learning_rate, tokens_per_step=tokens
    )
    return SingleTrainee(model, optimizer, dtype=dtype)


def checkpoint_hash(path: Path) -> str:
    """SHA-256 of a checkpoint's file, hexadecimal; UsageError where it cannot be read."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(
            f"the checkpoint {path} cannot be read ({error.strerror}); name another file"
        ) from None


@lru_cache(maxsize=2)
def _corpus(text: tuple[Path, ...], context: int) -> Corpus:
    return load_text(text or None, context=context)


@lru_cache(maxsize=2)
def _fresh(network: NetworkConfig, seed: int) -> Mapping[str, Tensor]:
    return build_network(network, seed).state_dict()


@lru_cache(maxsize=2)
def _stored(path: Path, digest: str, network: NetworkConfig) -> Mapping[str, Tensor]:
    if checkpoint_hash(path) != digest:
        raise UsageError(
            f"the checkpoint {path} is not the one of the plan (its hash is not {digest[:12]}); "
            "give that one, or plan again"
        )
    model = read_checkpoint(path).model
    if model.config != network:
        raise UsageError(
            f"the checkpoint {path} holds {model.config}, the run wants {network}; correct one"
        )
    return model.state_dict()
