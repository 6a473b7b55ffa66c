"""Checkpoints of the built-in network: written, read again, refused where they are of no use."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from empirical.errors import UsageError
from empirical.train.checkpoint_files import read_checkpoint, write_checkpoint
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network

TINY = NetworkConfig(context=4, width=8, depth=1, heads=2)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_what_is_written_is_read(tmp_path: Path, tied: bool, dtype: torch.dtype) -> None:
    """Closed form: the same tensors, network and provenance, bit by bit."""
    path = tmp_path / "new folder" / "a.safetensors"
    model = build_network(TINY.model_copy(update={"tied": tied}), 3, dtype=dtype)
    write_checkpoint(path, model, {"steps": 7})
    found = read_checkpoint(path)
    assert found.model.config == model.config
    assert found.provenance == {"steps": 7}
    assert not found.model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], tensor)
    assert set(load_file(path)) == set(model.state_dict())


def test_files_of_no_use_are_refused(tmp_path: Path) -> None:
    """Closed form: a table of files and what their refusal says."""
    good = tmp_path / "good.safetensors"
    model = build_network(TINY, 0)
    write_checkpoint(good, model, {})
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(good.read_bytes()[:200])
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.ones(2)}, other)
    metadata = {
        "schema": "scaling-theory/checkpoint",
        "schema_version": "1",
        "network": TINY.model_dump_json(),
        "provenance": "{}",
    }
    misfit, half, broken = (tmp_path / f"{name}.safetensors" for name in ("misfit", "half", "bad"))
    save_file({"x": torch.ones(2)}, misfit, metadata)
    save_file({"x": torch.ones(2, dtype=torch.float16)}, half, metadata)
    save_file({"x": torch.ones(2)}, broken, {**metadata, "network": '{"heads": 3}'})
    for path, words in (
        (tmp_path / "none.safetensors", "is no file"),
        (torn, "is torn or no safetensors"),
        (other, "is wanted"),
        (misfit, "do not fit"),
        (half, "float16"),
        (broken, "divisor of the width"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be written"):
        write_checkpoint(good / "such.safetensors", model, {})  # below a file
