"""A stand-in for a second device: torch's `meta` device, made to answer as a GPU would.

A meta tensor has a shape and no numbers, so real code runs through it quickly up to the first
place that needs a number. The mode below gives these places plain ones, and refuses what a GPU
would refuse: an operation on tensors of two devices. So a hard-coded or forgotten device fails
on a machine with nothing but a processor.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode  # the only home of this base class
from torch.utils._pytree import tree_flatten

ATEN = torch.ops.aten
META = torch.device("meta")


class MixedDevicesError(RuntimeError):
    """One operation was given tensors of two devices."""


class RefuseMixedDevices(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own gap
    """Refuse operations that mix meta tensors with CPU tensors of one or more dimensions.

    Refused too is a generator of the CPU that fills a meta tensor. Allowed, as on a GPU, are CPU
    scalars (no dimensions), and copies from one device to the other, which somebody asked for
    by name. Where meta tensors would have to yield numbers (`item`, `tolist`, `cpu`, `nonzero`,
    `equal`) every number is one, and true.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own gap

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        match func:
            case ATEN._local_scalar_dense.default if args[0].is_meta:
                return torch.ones((), dtype=args[0].dtype, device="cpu").item()
            case ATEN._to_copy.default if args[0].is_meta and _target(kwargs) == "cpu":
                dtype = kwargs.get("dtype") or args[0].dtype
                return torch.ones(args[0].shape, dtype=dtype, device="cpu")
            case ATEN.copy_.default if args[1].is_meta and args[0].is_cpu:
                return args[0].fill_(1)
            case ATEN._to_copy.default | ATEN.copy_.default:
                return func(*args, **kwargs)
            case ATEN.equal.default if args[0].is_meta and args[1].is_meta:
                return args[0].shape == args[1].shape
            case ATEN.nonzero.default if args[0].is_meta:
                return _indices_of_all(args[0])
        _refuse_mixture(func, args, kwargs)
        if func is ATEN.index.Tensor and args[0].is_meta:
            args = (args[0], [part for index in args[1] for part in _without_masks(index)])
        return func(*args, **kwargs)


def _target(kwargs: dict[str, Any]) -> str | None:
    device = kwargs.get("device")
    return None if device is None else torch.device(device).type


def _refuse_mixture(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    leaves = tree_flatten((args, kwargs))[0]
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if _target(kwargs) != "meta" and not any(tensor.is_meta for tensor in tensors):
        return
    on_cpu = [
        f"a CPU tensor of shape {tuple(leaf.shape)}" if isinstance(leaf, Tensor) else "a generator"
        for leaf in leaves
        if (isinstance(leaf, Tensor) and leaf.is_cpu and leaf.dim() > 0)
        or (isinstance(leaf, torch.Generator) and leaf.device.type == "cpu")
    ]
    if on_cpu:
        raise MixedDevicesError(f"{func} mixes meta tensors with {', '.join(on_cpu)}")


def _indices_of_all(mask: Tensor) -> Tensor:
    return torch.empty((mask.numel(), mask.dim()), dtype=torch.int64, device=META)


def _without_masks(index: Tensor | None) -> list[Tensor | None]:
    """A mask selects by position what it would if all of it were true."""
    if index is None or index.dtype not in (torch.bool, torch.uint8):
        return [index]
    return list(_indices_of_all(index).unbind(1))
