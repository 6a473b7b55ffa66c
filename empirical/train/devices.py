"""Where and in which precision to compute."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from empirical.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def resolve_device(name: str) -> torch.device:
    """The device of that name; "auto" is cuda, else mps, else cpu.

    Raises UsageError for an unknown name and for a device that this machine does not have.
    """
    if name not in DEVICES:
        raise UsageError(f"got {name!r} as the device, wanted one of {', '.join(DEVICES)}")
    available = _available_devices()
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise UsageError(
            f"the device {name} is not available to torch {torch.__version__} on this machine; "
            f"use one of auto, {', '.join(available)}"
        )
    return torch.device(name)


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The floating-point type of that name; UsageError if unknown or unknown to the device."""
    if name not in DTYPES:
        raise UsageError(f"got {name!r} as the dtype, wanted one of {', '.join(DTYPES)}")
    if device.type == "mps" and name == "float64":
        raise UsageError("the device mps has no float64; use float32, or the device cpu")
    return DTYPES[name]


def arithmetic(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """The context of a forward pass: bfloat16 means autocast over float32 weights."""
    if dtype == torch.bfloat16:
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def compiled(
    model: nn.Module, backend: str | None, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """The model, compiled by that backend of torch.compile unless it is None.

    Raises UsageError for an unknown backend, and for inductor where its compiler is missing.
    """
    if backend is None:
        return model
    known = torch.compiler.list_backends(exclude_tags=())
    if backend not in known:
        raise UsageError(f"got the compile backend {backend!r}, wanted one of {', '.join(known)}")
    if backend == "inductor" and not _has_compiler(device):
        raise UsageError(
            f"compiling for {device.type} wants {'triton' if device.type == 'cuda' else 'g++'}, "
            "which is not installed; install it or train without compiling"
        )
    compiled_model: Callable[[Tensor], Tensor] = torch.compile(model, backend=backend)
    return compiled_model


def _has_compiler(device: torch.device) -> bool:
    if device.type == "cuda":
        return find_spec("triton") is not None
    compilers = (os.environ.get("CXX"), "g++", "clang++", "cl")
    return any(shutil.which(compiler) for compiler in compilers if compiler)


def _available_devices() -> tuple[str, ...]:
    """Fastest first."""
    cuda = ("cuda",) if torch.cuda.is_available() else ()
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return (*cuda, *mps, "cpu")
