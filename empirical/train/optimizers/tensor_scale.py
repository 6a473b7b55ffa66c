"""One learning-rate scale per tensor: g-SNR, and the square root of its size beside it.

The g-SNR ‖g‖ / (σ + ε) has σ² = ‖g‖²/d - ḡ² over the d entries of the tensor, so that without ε

    ‖g‖ / σ = √d √(1 + ḡ² / σ²),

which is √d whatever the data are, unless the mean ḡ of the entries is not small beside their
spread σ. Source: Xu et al. 2024, arXiv 2412.11768, section 3.2; the identity follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

import torch
from torch import Tensor, nn


def g_snr(gradient: Tensor, epsilon: float = 0.0, *, unbiased: bool = False) -> float | None:
    """‖g‖ / (σ + epsilon) of one tensor; σ over d entries, or over d - 1 where unbiased.

    √d where σ is 0 but for rounding (one entry, equal entries): the ratio then says nothing, and
    √d is its value for entries without a mean. None where no scale is known: a gradient that is
    zero everywhere or not finite.
    """
    values = gradient.detach().to(torch.promote_types(gradient.dtype, torch.float32))
    size = values.numel()
    norm = float(torch.linalg.vector_norm(values)) if size else 0.0
    if not (isfinite(norm) and norm > 0):
        return None
    if size == 1:
        return 1.0
    spread = float(values.std(correction=int(unbiased)))
    # Rounding alone spreads equal entries by about their size times the spacing at 1.
    if spread <= torch.finfo(values.dtype).eps * norm / sqrt(size):
        return sqrt(size)
    return norm / (spread + epsilon)


@dataclass(frozen=True)
class TensorScale:
    """One tensor of a model: numbers in it, and the g-SNR of its gradient."""

    name: str
    numel: int
    g_snr: float

    @property
    def over_sqrt_numel(self) -> float:
        """g-SNR / √d = √(1 + ḡ²/σ²), never below 1."""
        return self.g_snr / sqrt(self.numel)


def tensor_scales(model: nn.Module) -> tuple[TensorScale, ...]:
    """The scales, without ε, of all tensors of a model whose gradients a backward pass has left.

    Tensors without a gradient, or with one that is zero everywhere, have none and are left out.
    """
    found = []
    for name, parameter in model.named_parameters():
        ratio = None if parameter.grad is None else g_snr(parameter.grad)
        if ratio is not None:
            found.append(TensorScale(name, parameter.numel(), ratio))
    return tuple(found)


def sqrt_numel(gradient: Tensor) -> float:
    """√d, d the number of entries: what g-SNR is for a gradient whose entries have no mean."""
    return sqrt(gradient.numel())
