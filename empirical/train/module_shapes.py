"""A user's module, made without memory: its parameters' shapes, and what its forward pass keeps.

It is made on the meta device. For its forward pass torch's fake tensors stand in for real ones,
with shapes and types and no numbers: they take the kernels of the CPU, where fused attention
counts as fused, as it would not on the meta device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

# The place where torch documents fake tensors, underscore and all.
from torch._subclasses.fake_tensor import FakeTensorMode

from empirical.errors import UsageError
from empirical.train.named_function import function_named, in_one_line


@dataclass(frozen=True)
class ModuleShapes:
    """tensors: names and shapes of all parameters, a shared one once. kept: bytes, or None."""

    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    kept: int | None = None


def module_shapes(
    path: str, input_shape: tuple[int, ...] | None = None, dtype: torch.dtype = torch.float32
) -> ModuleShapes:
    """Call "PACKAGE.MODULE:FUNCTION" on the meta device and count.

    input_shape: of what the module is called with, token numbers where it has two axes and numbers
    of `dtype` otherwise; what autograd keeps of that call, parameters excluded, is then counted.
    Floating-point parameters are of `dtype`. The loss is not part of the call.

    Raises UsageError for a path that leads nowhere, a factory that fails or gives no module, and
    a module that cannot be called so.
    """
    make = function_named(path, "a torch module")
    try:
        with torch.device("meta"):
            model = make()
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{path} failed on the meta device, where tensors have no numbers "
            f"({in_one_line(error)}); leave out what reads numbers, such as loading weights"
        ) from error
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{path} gave a {type(model).__name__}, wanted a torch module; name a function of no "
            "arguments that returns one"
        )
    tensors = tuple((name, tuple(p.shape)) for name, p in model.named_parameters())
    if not tensors:
        raise UsageError(f"{path} gave a module without parameters; name another")
    kept = None if input_shape is None else _kept(path, model.train(), input_shape, dtype)
    return ModuleShapes(tensors, kept)


def kept_for_backward(forward: Callable[[], object], own: Iterable[Tensor]) -> int:
    """Bytes that autograd keeps of this call, each piece of memory once, the model's `own` not."""
    parameters = {tensor.untyped_storage()._cdata for tensor in own}
    kept: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage()._cdata
        if place not in parameters:
            kept[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = forward()
    # The result lives until here, or its graph would be gone and its memory be used again.
    del result
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _kept(path: str, model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> int:
    of = torch.int64 if len(shape) == 2 else dtype
    try:
        with FakeTensorMode():
            own = {
                name: torch.empty(
                    tensor.shape, dtype=dtype if tensor.is_floating_point() else tensor.dtype
                ).requires_grad_(tensor.requires_grad)
                for name, tensor in chain(model.named_parameters(), model.named_buffers())
            }
            inputs = torch.zeros(shape, dtype=of)
            return kept_for_backward(
                lambda: torch.func.functional_call(model, own, (inputs,)), own.values()
            )
    except Exception as error:
        kind = "token numbers" if of == torch.int64 else "numbers"
        raise UsageError(
            f"{path} cannot be called with {kind} of shape {'x'.join(map(str, shape))} "
            f"({in_one_line(error)}); give the shape that its forward pass takes"
        ) from error
