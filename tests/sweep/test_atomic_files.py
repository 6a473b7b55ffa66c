"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from empirical.atomic_files import refusals, replacing, write_atomically
from empirical.errors import UsageError
from empirical.train.run_state import RunState, write_run_state


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """Rung: closed form: what is there while another is written, and after; folders are made."""
    path = tmp_path / "new" / "file"
    write_atomically(path, b"before")
    with replacing(path) as part:
        part.write_bytes(b"after")
        assert path.read_bytes() == b"before"
        assert part.parent == path.parent
    assert path.read_bytes() == b"after"
    assert os.listdir(path.parent) == ["file"]


def test_where_writing_ends_halfway_the_file_of_before_stays(tmp_path: Path) -> None:
    """Rung: closed form, and the control that the half was there."""
    path = tmp_path / "file"
    write_atomically(path, b"before")
    with pytest.raises(KeyError), replacing(path) as part:
        part.write_bytes(b"hal")
        assert len(os.listdir(tmp_path)) == 2
        raise KeyError
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    """Rung: closed form: each has a name of its own; the last one to end stays."""
    path = tmp_path / "file"
    with replacing(path) as outer:
        outer.write_bytes(b"outer")
        with replacing(path) as inner:
            inner.write_bytes(b"inner")
        assert path.read_bytes() == b"inner"
    assert path.read_bytes() == b"outer"


def test_what_safetensors_cannot_write_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """Rung: the real thing: a limit that the kernel enforces, whose error the library hides."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"), replacing(tmp_path / "file") as part:
            save_file({"x": np.zeros(5000)}, part)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_refusal_is_one_line(number: int) -> None:
    """Rung: closed form: the place, the reason, what to do."""
    wanted = rf"^runs/x cannot be written \({os.strerror(number)}\): name another$"
    with pytest.raises(UsageError, match=wanted), refusals("runs/x"):
        raise OSError(number, os.strerror(number), "somewhere")
    with pytest.raises(UsageError, match=r"\(hidden\): choose"), refusals("x", "choose"):
        raise OSError("hidden")


def test_no_half_of_a_state_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung: closed form: tensors that the library refuses leave no file behind."""

    def refused(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("empirical.train.run_state.save_file", refused)
    with pytest.raises(OSError, match="No space"):
        write_run_state(tmp_path / "state.safetensors", RunState({}, {}))
    assert os.listdir(tmp_path) == []
