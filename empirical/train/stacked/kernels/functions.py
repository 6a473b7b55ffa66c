"""The C functions as Python calls, with the types of their arguments declared."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import MappingProxyType

import torch

from empirical.train.stacked.kernels.build import library

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_ssize_t
_SIGNATURES = MappingProxyType(
    {
        # P: address of a tensor's first number or None, I: a size, D: a double; in C's order.
        # Those that read tokens say whether all were in range; the others' number means nothing.
        "embed": "PIPPIPIIIII",
        "embed_backward": "PIPPPIIIII",
        "norm": "PPPPIPPIII",
        "norm_backward": "PPPPIPIPPPIII",
        "gelu": "PPIPIII",
        "gelu_backward": "PPPIIII",
        "cross_entropy": "PPIDPIIIII",
        "attention": "PPPPIIII",
        "attention_backward": "PPPPIIII",
    }
)
_TYPES = MappingProxyType({"P": _POINTER, "I": _SIZE, "D": ctypes.c_double})


class Kernels:
    """The functions of pointwise.c and attention.c for float32 or float64, on the CPU.

    Arguments are addresses (Tensor.data_ptr()) and sizes as the C sources say; nothing is checked
    there, so the caller's tensors must be contiguous where the sources say nothing of a stride.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        loaded = library(dtype == torch.float64)
        self.embed = _declared(loaded, "embed")
        self.embed_backward = _declared(loaded, "embed_backward")
        self.norm = _declared(loaded, "norm")
        self.norm_backward = _declared(loaded, "norm_backward")
        self.gelu = _declared(loaded, "gelu")
        self.gelu_backward = _declared(loaded, "gelu_backward")
        self.cross_entropy = _declared(loaded, "cross_entropy")
        self.attention = _declared(loaded, "attention")
        self.attention_backward = _declared(loaded, "attention_backward")
        self.lanes = 8 if dtype == torch.float64 else 16
        """Numbers in a vector: the tokens of a sequence are padded to a multiple of it."""

    def padded(self, count: int) -> int:
        """The next multiple of `lanes`."""
        return -(-count // self.lanes) * self.lanes

    def scratch(self, tokens: int, head_width: int) -> int:
        """Numbers of scratch space that both attention functions want."""
        rows = self.padded(tokens) * self.padded(head_width)
        vectors = 2 * self.padded(tokens) + 3 * self.padded(head_width) + 1
        return 7 * rows + vectors * self.lanes


def _declared(loaded: ctypes.CDLL, name: str) -> Callable[..., int]:
    function = getattr(loaded, name)
    function.argtypes = [_TYPES[letter] for letter in _SIGNATURES[name]]
    call: Callable[..., int] = function
    return call
