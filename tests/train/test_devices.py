"""Devices, precisions and compilers by name."""

import pytest
import torch
from torch import nn

from empirical.errors import UsageError
from empirical.train import devices
from empirical.train.devices import compiled, resolve_device, resolve_dtype

CPU, MPS, CUDA = torch.device("cpu"), torch.device("mps"), torch.device("cuda")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(False, False, CPU), (False, True, MPS), (True, False, CUDA), (True, True, CUDA)],
)
def test_auto_takes_the_fastest_device(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: torch.device
) -> None:
    """Closed form: cuda before mps before cpu, and each by its own name."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto") == expected
    assert resolve_device("cpu") == CPU
    for device, available in ((CUDA, cuda), (MPS, mps)):
        if available:
            assert resolve_device(device.type) == device
        else:
            with pytest.raises(UsageError, match=f"{device.type} is not available.*use one of"):
                resolve_device(device.type)


def test_unknown_names_are_refused() -> None:
    """Closed form: the message lists what is known."""
    with pytest.raises(UsageError, match="got 'gpu' as the device, wanted one of auto, cpu"):
        resolve_device("gpu")
    with pytest.raises(UsageError, match="got 'half' as the dtype, wanted one of float32"):
        resolve_dtype("half", CPU)
    with pytest.raises(UsageError, match=r"got the compile backend 'fast', wanted one of .*eager"):
        compiled(nn.Identity(), "fast", CPU)


def test_dtypes() -> None:
    """Closed form: torch's type of that name, except for one that mps has not."""
    assert resolve_dtype("float64", CPU) == torch.float64
    assert resolve_dtype("bfloat16", MPS) == torch.bfloat16
    with pytest.raises(UsageError, match="mps has no float64; use float32"):
        resolve_dtype("float64", MPS)


@pytest.mark.parametrize(("device", "compiler"), [(CPU, r"g\+\+"), (CUDA, "triton")], ids=str)
def test_a_missing_compiler_is_named(
    monkeypatch: pytest.MonkeyPatch, device: torch.device, compiler: str
) -> None:
    """Closed form: without a compiler the user is told before training, not by a traceback."""
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=f"wants {compiler}.*install it or train without"):
        compiled(nn.Identity(), "inductor", device)


def test_no_backend_is_no_compilation() -> None:
    """Closed form: the model itself."""
    model = nn.Identity()
    assert compiled(model, None, CPU) is model
