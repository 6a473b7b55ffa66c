"""Runs whose results are kept: resumed bit by bit, diverged as a result, keyed as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from empirical.errors import UsageError
from empirical.train.checkpoint_files import write_checkpoint
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network
from empirical.train.run import StoppedError
from empirical.train.run_configuration import RunConfig, StartConfig, WorkUnit
from empirical.train.run_execution import Materials, checkpoint_hash, execute_unit
from empirical.train.run_ledger import RunResult
from empirical.train.run_state import read_run_state
from empirical.train.text import load_text

TINY = NetworkConfig(context=8, width=8, depth=1, heads=2)
OPTIMIZERS: dict[str, dict[str, object]] = {
    "adamw": {"name": "adamw"},
    "momentum": {"name": "sgd", "momentum": 0.9},
    "softsignsgd": {"name": "softsignsgd", "epsilon": 1e-3},
}


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Materials:
    text = tmp_path_factory.mktemp("run") / "text"
    text.write_bytes(bytes(np.random.default_rng(0).integers(97, 123, 20_000, dtype=np.uint8)))
    return Materials((text,))


def unit(materials: Materials, **settings: object) -> WorkUnit:
    plain: dict[str, object] = {
        "network": TINY,
        "text_sha256": load_text(materials.text).sha256,
        "optimizer": OPTIMIZERS["adamw"],
        "learning_rate": 3e-3,
        "batch_size": 2,
        "steps": 100,
        "heldout_sequences": 32,
    }
    return WorkUnit(runs=(RunConfig.model_validate(plain | settings),))


def result(unit: WorkUnit, materials: Materials, **more: object) -> RunResult:
    (found,) = execute_unit(unit, materials, **more)  # type: ignore[arg-type]  # forwarded
    return replace(found, seconds=0.0)


def every(readings: int) -> Callable[[], bool]:
    number = count(1)
    return lambda: next(number) % readings == 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_interrupted_run_ends_bit_identical(
    optimizer: str, materials: Materials, tmp_path: Path
) -> None:
    """Brute force: the same run without interruption; equality, no tolerance."""
    wanted = unit(materials, optimizer=OPTIMIZERS[optimizer], schedule={"name": "cosine"})
    state, stops = tmp_path / "state", 0
    while True:
        try:
            found = result(wanted, materials, state_file=state, stop=every(2))
            break
        except StoppedError:
            stops += 1
    assert stops == 2
    assert found == result(wanted, materials)


def test_a_torn_or_foreign_state_starts_again(materials: Materials, tmp_path: Path) -> None:
    """Fault injection: cut, flipped and foreign states give the result of a run without one."""
    wanted, state = unit(materials), tmp_path / "state"
    plain = result(wanted, materials)
    with pytest.raises(StoppedError):
        execute_unit(wanted, materials, state_file=state, stop=lambda: True)
    whole = state.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    for damaged in (whole[:100], whole[:-3], bytes(flipped), b""):
        state.write_bytes(damaged)
        assert read_run_state(state) is None
        assert result(wanted, materials, state_file=state) == plain
    state.write_bytes(whole)
    other = unit(materials, learning_rate=1e-3)
    assert result(other, materials, state_file=state) == result(other, materials)


def test_divergence_is_a_result(materials: Materials) -> None:
    """Planted: a learning rate that must diverge gives a result without losses, early."""
    found = result(unit(materials, learning_rate=1e4, steps=2000), materials)
    assert found.diverged_at is not None and found.diverged_at < 200
    assert found.heldout_loss is None and found.loss_drop is None
    assert np.isfinite(found.start_loss.value)


def test_the_drop_is_paired(materials: Materials) -> None:
    """Identity: start less end; a paired error is below that of independent losses."""
    found = result(unit(materials), materials)
    assert found.heldout_loss is not None and found.loss_drop is not None
    assert found.loss_drop.value == pytest.approx(
        found.start_loss.value - found.heldout_loss.value, abs=1e-12
    )
    apart = np.hypot(found.heldout_loss.standard_error, found.start_loss.standard_error)
    assert found.loss_drop.standard_error < apart


def test_a_run_starts_from_its_checkpoint(materials: Materials, tmp_path: Path) -> None:
    """Identity: at a learning rate of next to nothing the end is the checkpoint's own loss."""
    file = tmp_path / "model.safetensors"
    write_checkpoint(file, build_network(TINY, 7), {})
    start = StartConfig(checkpoint_sha256=checkpoint_hash(file))
    branch = unit(materials, start=start, learning_rate=1e-30)
    found = result(branch, replace(materials, checkpoint=file))
    fresh = result(unit(materials, start=StartConfig(network_seed=7)), materials)
    assert found.heldout_loss == found.start_loss == fresh.start_loss


def test_other_materials_are_refused(materials: Materials, tmp_path: Path) -> None:
    """Caller's mistakes: another text, no checkpoint, another checkpoint, another network."""
    text, file = tmp_path / "text", tmp_path / "model.safetensors"
    text.write_bytes(b"another text " * 100)
    with pytest.raises(UsageError, match="was planned on"):
        execute_unit(unit(materials), Materials((text,)))
    write_checkpoint(file, build_network(TINY, 7), {})
    branch = unit(materials, start=StartConfig(checkpoint_sha256=checkpoint_hash(file)))
    with pytest.raises(UsageError, match="none was named"):
        execute_unit(branch, materials)
    with pytest.raises(UsageError, match="is not the one of the plan"):
        write_checkpoint(file, build_network(TINY, 8), {})
        execute_unit(branch, replace(materials, checkpoint=file))


def test_a_stack_shares_its_shape(materials: Materials) -> None:
    """Caller's mistakes: two runs without a stack, and a stack of two batch sizes."""
    (one,) = unit(materials).runs
    other = one.model_copy(update={"learning_rate": 1e-3})
    assert len(WorkUnit(runs=(one, other), path="stacked").runs) == 2
    with pytest.raises(ValueError, match="wanted one"):
        WorkUnit(runs=(one, other))
    with pytest.raises(ValueError, match="differ in more"):
        WorkUnit(runs=(one, one.model_copy(update={"batch_size": 4})), path="stacked")


def test_the_key_is_that_of_the_whole_configuration(materials: Materials) -> None:
    """Brute force: every change of a field, and of the unit, changes the key."""
    (one,) = unit(materials).runs
    changes: list[dict[str, object]] = [
        {"learning_rate": 1e-3},
        {"seed": 1},
        {"steps": 99},
        {"batch_size": 3},
        {"optimizer": OPTIMIZERS["softsignsgd"]},
        {"schedule": {"name": "cosine"}},
        {"text_sha256": "0"},
        {"network": {"context": 8, "width": 8, "depth": 2, "heads": 2}},
        {"start": {"network_seed": 1}},
        {"heldout_seed": 1},
        {"dtype": "float64"},
        {"diverged_above": 1.0},
    ]
    runs = [RunConfig.model_validate(one.model_dump() | change) for change in changes]
    keys = {WorkUnit(runs=(run,)).run_key(0) for run in (one, *runs)}
    pair = WorkUnit(runs=(one, runs[0]), path="stacked")
    keys |= {pair.run_key(0), pair.run_key(1)}
    assert len(keys) == len(changes) + 3
    assert unit(materials).key == unit(materials).key


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_other_precisions_train(dtype: str, materials: Materials) -> None:
    """Sanity: the loss falls, and is that of float32 to the precision of bfloat16 (8 bits)."""
    found = result(unit(materials, dtype=dtype), materials).heldout_loss
    plain = result(unit(materials), materials).heldout_loss
    assert found is not None and plain is not None
    assert found.value == pytest.approx(plain.value, rel=2**-8)
    assert torch.get_default_dtype() == torch.float32
